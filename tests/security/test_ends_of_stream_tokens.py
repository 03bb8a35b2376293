"""How long a stream token is valid once its sync has ended, for any order of its creation and that end."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

from routiq_gql.errors import Unauthenticated
from routiq_gql.security.stream_tokens import AFTER_THE_END, LIFETIME, Grant
from routiq_gql.security.viewer import NO_RIGHTS, Viewer

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MOMENTS = [timedelta(minutes=minutes) for minutes in (0, 1, 2, 60)]


@pytest.mark.parametrize("issued", MOMENTS)
@pytest.mark.parametrize("completed", [None, *MOMENTS])
def test_a_token_is_valid_for_a_minute_after_the_later_of_both(issued: timedelta, completed: timedelta | None):
    """A client that asks for the end of a sync after it has ended gets it, too, and no token is valid much longer."""
    sync: Any = SimpleNamespace(completed_at=None if completed is None else NOON + completed)
    grant = Grant(Viewer("org_1", NO_RIGHTS), NOON + issued, NOON + issued + LIFETIME, "token", "")
    for passed in (timedelta(), AFTER_THE_END - SECOND, AFTER_THE_END, AFTER_THE_END + SECOND, 2 * AFTER_THE_END):
        now = max(NOON + issued, NOON + (completed or issued)) + passed
        with time_machine.travel(now, tick=False):
            if completed is None or passed <= AFTER_THE_END:
                grant.require_valid_for(sync)
                continue
            with pytest.raises(Unauthenticated, match="ended with its sync"):
                grant.require_valid_for(sync)
