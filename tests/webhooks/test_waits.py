"""The waits between attempts to deliver."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from routiq_gql.database.webhook_attempts import MOST_ATTEMPTS
from routiq_gql.webhooks.waits import GIVES_UP_AFTER, LONGEST_REQUESTED_WAIT, WAITS, next_attempt

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_waits_grow_until_three_days_have_passed():
    """A receiver that is down over a weekend is tried often at first, then twice a day, and last after three days."""
    at, attempts, tried = NOW, 1, [NOW]
    while (following := next_attempt(at, attempts, NOW)) is not None:
        assert following > at
        at, attempts = following, attempts + 1
        tried.append(at)
    assert tried[-1] == NOW + GIVES_UP_AFTER
    waits = [later - earlier for earlier, later in pairwise(tried)]
    for wait, least in zip(waits[:-1], [*WAITS, *[WAITS[-1]] * len(waits)], strict=False):
        assert least <= wait <= least * 1.2
    assert len(WAITS) < len(tried) <= MOST_ATTEMPTS, "the log of attempts has all of them"


def test_a_receiver_can_ask_for_more_time_up_to_a_bound():
    """A receiver that says when it will be back is not called before, but can't put an event off for weeks."""
    asked = next_attempt(NOW, 1, NOW, timedelta(minutes=7))
    assert asked == NOW + timedelta(minutes=7)
    assert next_attempt(NOW, 1, NOW, timedelta(weeks=7)) == NOW + LONGEST_REQUESTED_WAIT
    sooner = next_attempt(NOW, 5, NOW, timedelta(seconds=0))
    assert sooner is not None
    assert sooner >= NOW + WAITS[4]
