"""The plan of a sync under clocks that are set back or ahead: no change in Cliniko falls between two syncs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routiq_gql.cliniko import Horizon
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncMode
from routiq_gql.sync.plan import COMPARE_EVERY, OVERLAP, decide, history_days, horizon_of, is_comparison_due, mark_at
from tests.organizations.test_freshness import MIRROR

DAY = timedelta(days=1)
SETTINGS = Settings(history_days=730, full_sync_days=7)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
MOMENTS = st.builds(lambda seconds: NOON + timedelta(seconds=seconds), st.floats(-4e6, 4e6, allow_nan=False))
"""Within some six weeks of a moment, at any fraction of a second."""
NEAR = st.builds(lambda minutes: NOON + timedelta(minutes=minutes), st.integers(-30, 30))


@given(MOMENTS, MOMENTS, st.integers(1, 60), st.integers(1, 60))
def test_no_horizon_begins_before_that_of_the_sync_before(started_at: datetime, before: datetime, days: int, kept: int):
    """A clock that was set back does not widen a horizon: the days between were never read."""
    was, now = (SETTINGS.model_copy(update={"history_days": one}) for one in (kept, days))
    first = horizon_of(replace(MIRROR, horizon_from=None), was, before)
    found = horizon_of(replace(MIRROR, horizon_days=kept, horizon_from=first.start), now, started_at)
    wanted = started_at.replace(hour=0, minute=0, second=0, microsecond=0) - days * DAY
    assert found == Horizon(max(wanted, first.start) if days == kept else wanted)


@pytest.mark.parametrize("keeps_window", [False, True])
@pytest.mark.parametrize("days", [None, Settings.model_fields["history_days"].default, 200])
def test_a_window_is_kept_until_a_history_is_given(keeps_window: bool, days: int | None):
    """A database of an earlier version has its window until the setting is given, also with the default value."""
    settings = Settings() if days is None else Settings(history_days=days)
    mirror = replace(MIRROR, keeps_window=keeps_window)
    expected = None if keeps_window and days is None else settings.history_days
    assert history_days(mirror, settings) == expected
    assert (horizon_of(mirror, settings, NOON).end is None) is (expected is not None)


@given(MOMENTS, st.none() | MOMENTS, st.none() | MOMENTS, st.none() | MOMENTS)
def test_a_mark_is_before_every_clock(
    now: datetime, server_date: datetime | None, earlier: datetime | None, earlier_taken_at: datetime | None
):
    """A mark is never later than either clock, and grows no faster than this server's clock since the mark before."""
    mark = mark_at(now, server_date, earlier, earlier_taken_at)
    bounds = [now - OVERLAP] if server_date is None else [now - OVERLAP, server_date - OVERLAP]
    if earlier is not None and earlier_taken_at is not None:
        bounds.append(earlier + max(now - earlier_taken_at, timedelta(0)))
    assert mark == min(bounds).replace(microsecond=0)


@given(NEAR, NEAR, NEAR, NEAR)
def test_a_clock_that_was_set_back_moves_no_mark(now: datetime, date: datetime, earlier: datetime, taken_at: datetime):
    """While a clock is behind the time at which the mark before was taken, no mark is later than that one."""
    mark = mark_at(now, date, earlier, taken_at)
    if now <= taken_at:
        assert mark <= earlier
    assert mark == min(now - OVERLAP, date - OVERLAP, earlier + max(now - taken_at, timedelta(0)))


@given(NEAR, st.none() | NEAR)
def test_a_comparison_is_due_unless_there_was_one_just_now(now: datetime, compared_at: datetime | None):
    """A comparison at a time that has not come yet is as good as none."""
    is_recent = compared_at is not None and compared_at <= now < compared_at + COMPARE_EVERY
    assert is_comparison_due(replace(MIRROR, compared_at=compared_at), now) is not is_recent


@given(MOMENTS, st.integers(1, 30))
def test_the_last_full_sync_counts_for_some_days(now: datetime, days: int):
    """An automatic sync reads everything once the last full one is so old, or at a time that has not come yet."""
    settings = SETTINGS.model_copy(update={"full_sync_days": days})
    mirror = replace(MIRROR, full_at=NOON, horizon_from=NOON - 1000 * DAY)
    horizon = horizon_of(mirror, settings, now)
    asked = {mode: decide(mode, mirror, mirror.account or "", horizon, settings, now).mode for mode in SyncMode}
    is_young = NOON <= now < NOON + days * DAY
    assert asked[SyncMode.AUTO] is (SyncMode.INCREMENTAL if is_young else SyncMode.FULL)
    assert asked[SyncMode.INCREMENTAL] is SyncMode.INCREMENTAL
    assert asked[SyncMode.FULL] is SyncMode.FULL
