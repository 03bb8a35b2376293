"""The length of waits."""

from datetime import UTC, datetime, timedelta

import pytest

from routiq_gql.cliniko import Backoff
from routiq_gql.cliniko.retries import answered_at, reset_seconds, retry_after_seconds

NOW = datetime(2024, 12, 22, 14, 30, tzinfo=UTC)
RESET = str(int(NOW.timestamp()) + 23)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset": RESET, "date": "Sun, 22 Dec 2024 14:30:00 GMT"}, 23),
        ({"x-ratelimit-reset": RESET, "date": "Sun, 22 Dec 2024 14:29:00 GMT"}, 83),
        ({"x-ratelimit-reset": RESET}, 23),
        ({"x-ratelimit-reset": RESET, "date": "yesterday"}, 23),
        ({"x-ratelimit-reset": RESET, "retry-after": "7"}, 7),
        ({"retry-after": "Sun, 22 Dec 2024 14:30:09 GMT", "date": "Sun, 22 Dec 2024 14:30:00 GMT"}, 9),
        ({"retry-after": "soon", "x-ratelimit-reset": RESET}, 23),
        ({"x-ratelimit-reset": "inf"}, None),
        ({}, None),
    ],
)
def test_a_reset_time_is_read_by_the_answers_own_clock(headers: dict[str, str], seconds: float | None) -> None:
    """A server whose clock is a minute off still waits for the right time."""
    assert reset_seconds(headers, NOW) == seconds


@pytest.mark.parametrize("zone", ["GMT", "UTC", "+0000", "-0000", "Z"])
def test_a_moment_is_read_in_each_form_of_its_zone(zone: str) -> None:
    """Cliniko writes GMT, and a proxy in front of it may write another form of the same zone."""
    text = f"Sun, 22 Dec 2024 14:30:09 {zone}"
    assert answered_at({"date": text}) == NOW + timedelta(seconds=9)
    assert retry_after_seconds({"retry-after": text}, NOW) == 9
    assert reset_seconds({"x-ratelimit-reset": RESET, "date": text}, NOW) == 14


def test_waits_grow_vary_and_end() -> None:
    """Each wait is about twice the previous, up to a limit; a rate limit's wait is 1 to 90 s."""
    backoff = Backoff()
    for failures, middle in [(1, 2), (2, 4), (3, 8), (4, 16)]:
        waits = {backoff.growing(failures) for _ in range(20)}
        assert len(waits) > 1
        assert all(0.75 * middle <= wait <= 1.25 * middle for wait in waits)
    assert backoff.growing(20) == 60
    assert backoff.until_reset(-5, 1) == 1
    assert backoff.until_reset(23, 1) == 23
    assert backoff.until_reset(100_000, 1) == 90
    assert 1 <= backoff.until_reset(None, 1) <= 90
