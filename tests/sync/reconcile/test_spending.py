"""The limit for the requests of searches: it is for all searches of a comparison together."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routiq_gql.sync.reconcile.spending import LEAST_REQUESTS, SHARE, OverSpent, Spending


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 15)), max_size=12), st.integers(0, 400))
def test_all_searches_of_a_comparison_share_a_limit(parts: list[tuple[bool, int]], of_full_read: int):
    """Requests of searches add up, and requests between two searches are free."""
    client: Any = SimpleNamespace(requests=Counter())
    spending, spent = Spending(client), 0
    spending.set_limit(of_full_read)
    limit = max(LEAST_REQUESTS, int(of_full_read * SHARE))
    for is_search, requests in parts:
        if not is_search:
            client.requests["patients"] += requests
            continue
        with spending.counting():
            for _ in range(requests):
                if spent >= limit:
                    with pytest.raises(OverSpent):
                        spending.require()
                    break
                spending.require()
                client.requests["patients"] += 1
                spent += 1
        assert spending.spent == spent
