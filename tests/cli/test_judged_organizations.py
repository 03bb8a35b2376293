"""``status`` without a database: which organization comes first."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from routiq_gql.cli.status import age_of_success
from routiq_gql.clock import utc_now

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("turned", range(4))
def test_the_organizations_that_need_attention_come_first(turned: int):
    """No success at all, and a success in the future whose age is unknown, come before the oldest success."""
    now = utc_now()
    ages = {"never": None, "ahead": -3 * HOUR, "old": 24 * HOUR, "new": HOUR}
    found: list[Any] = [
        SimpleNamespace(name=name, last_success_at=None if age is None else now - age) for name, age in ages.items()
    ]
    found = found[turned:] + found[:turned]
    names = [one.name for one in sorted(found, key=lambda one: age_of_success(one, now), reverse=True)]
    assert set(names[:2]) == {"never", "ahead"}
    assert names[2:] == ["old", "new"]
