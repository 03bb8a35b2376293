"""Freshness: as of when the published data is, and until when it counts as fresh."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from routiq_gql.clock import utc_now
from routiq_gql.connections.state import ConnectionState
from routiq_gql.database.organization_facts import MODES, CompletedSync, LookedAtToo, OrganizationFacts
from routiq_gql.database.rows import MirrorRow, ScheduleRow
from routiq_gql.database.schedules import bring_forward, late_schedules, save_schedule
from routiq_gql.database.tables import CONNECTION, SCHEDULE, SYNC
from routiq_gql.emulator import Fault, FaultKind
from routiq_gql.engines.scheduler import Scheduler
from routiq_gql.organizations.freshness import GRACE, USUAL_TIMES, Freshness, FreshnessMode, freshness_of
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.engine import SyncEngine
from routiq_gql.sync.model import SyncMode, SyncState
from routiq_gql.sync.plan import MIRROR_FORMAT
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import follow, run_sync, start

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SETTINGS = Settings(history_days=730, full_sync_days=7)
SECONDS = {"incremental": [8.0, 10.0, 60.0], "full": [400.0]}
MIRROR = MirrorRow(
    number=1,
    organization_id=ORGANIZATION,
    sync=5,
    oldest_kept=5,
    writing=None,
    keeps_window=False,
    published_at=NOON,
    patients_in_cliniko=641,
    mark=NOON,
    full_at=NOON - DAY,
    horizon_from=NOON - 730 * DAY,
    horizon_to=None,
    horizon_days=730,
    account="an account",
    format=MIRROR_FORMAT,
    erased_at=None,
    compared_at=None,
)


def facts(
    completed_at: datetime | None = NOON,
    schedule: ScheduleRow | None = None,
    state: str | None = "connected",
    mirror: MirrorRow | None = MIRROR,
    seconds: Mapping[str, Sequence[float]] = SECONDS,
) -> OrganizationFacts:
    """An organization whose last sync ended at noon."""
    completed = CompletedSync(completed_at, None) if completed_at is not None else None
    return OrganizationFacts(ORGANIZATION, state, "Harbour Street Physio", schedule, None, completed, mirror, seconds)


def hourly(next_at: datetime, first_at: datetime | None = None, every: timedelta = HOUR) -> ScheduleRow:
    return ScheduleRow(ORGANIZATION, int(every.total_seconds()), next_at, first_at)


def due_of(one: OrganizationFacts, usual_seconds: float = 10.0) -> datetime:
    """The due time behind ``fresh_until``."""
    freshness = freshness_of(one, SETTINGS, NOON)
    assert freshness is not None
    assert freshness.fresh_until is not None
    return freshness.fresh_until - GRACE - timedelta(seconds=USUAL_TIMES * usual_seconds)


def test_every_mode_of_a_completed_sync_has_durations():
    """The durations that are read cover all modes in which a sync can ask Cliniko."""
    assert set(MODES) == {mode.value for mode in SyncMode} - {SyncMode.AUTO.value, SyncMode.TIME_ONLY.value}


def test_there_is_no_freshness_without_published_data():
    """Before the first completed sync, and after a switch to another account, nothing is called fresh."""
    assert freshness_of(facts(completed_at=None, mirror=None), SETTINGS, NOON) is None
    assert freshness_of(facts(mirror=replace(MIRROR, sync=0)), SETTINGS, NOON) is None


@pytest.mark.parametrize("state", [None, ConnectionState.DISABLED.value])
def test_data_without_a_schedule_is_never_late(state: str | None):
    """Without a schedule, and while the connection is switched off, no sync is expected at any time."""
    assert freshness_of(facts(), SETTINGS, NOON) == Freshness(NOON, None)
    assert freshness_of(facts(schedule=hourly(NOON), state=state), SETTINGS, NOON) == Freshness(NOON, None)


def test_the_data_is_as_of_the_comparison_with_cliniko():
    """The receipt of the sync says when the data was compared; the sync itself ends a little later."""
    one = replace(facts(), completed=CompletedSync(NOON, (NOON - MINUTE).isoformat()))
    assert freshness_of(one, SETTINGS, NOON) == Freshness(NOON - MINUTE, None)


@pytest.mark.parametrize("state", ["connected", "needs_attention"])
def test_it_is_fresh_until_the_next_sync_should_have_completed(state: str):
    """The next sync is due at 12:40 and usually takes 10 seconds."""
    assert due_of(facts(schedule=hourly(NOON + 40 * MINUTE), state=state)) == NOON + 40 * MINUTE


def test_failed_syncs_do_not_make_old_data_fresh():
    """The syncs due at 12:40, 13:40 and 14:40 failed: the data is late since 12:40, whatever is due next."""
    assert due_of(facts(schedule=hourly(NOON + 3 * HOUR + 40 * MINUTE))) == NOON + 40 * MINUTE


def test_a_sync_that_ends_exactly_at_a_due_time_counts_as_the_one_before():
    """The schedule skips a time at which a sync still runs, so the next time counts."""
    assert due_of(facts(schedule=hourly(NOON))) == NOON + HOUR
    assert due_of(facts(schedule=hourly(NOON + 5 * HOUR))) == NOON + HOUR


def test_a_sync_by_hand_is_fresh_although_the_schedule_stands_still():
    """The scheduler has been away since 9:40, but a person synced at noon: the next time is 12:40."""
    assert due_of(facts(schedule=hourly(NOON - 140 * MINUTE))) == NOON + 40 * MINUTE


def test_a_new_schedule_does_not_call_data_late_before_it_is_due():
    """The last sync was days ago; a schedule that is first due at 12:40 makes the data late after that time only."""
    first = NOON + 3 * DAY + 40 * MINUTE
    assert due_of(facts(schedule=hourly(first, first))) == first
    assert due_of(facts(schedule=hourly(first + 2 * HOUR, first))) == first, "two syncs have failed since"


def test_local_times_skip_the_weekend():
    """The last sync was on Friday at noon: its data is fresh until Monday morning, by clocks that change on Sunday."""
    friday = datetime(2026, 10, 2, 2, tzinfo=UTC)  # noon in Sydney
    times = ScheduleRow(ORGANIZATION, 0, friday + 9 * DAY, None, "06:00", "mon,tue,wed,thu,fri", "Australia/Sydney")
    monday = datetime(2026, 10, 4, 19, tzinfo=UTC)  # 06:00 in Sydney, an hour earlier than before
    of_today = replace(MIRROR, full_at=friday)
    assert due_of(facts(completed_at=friday, schedule=times, mirror=of_today)) == monday


def test_a_due_full_sync_may_take_longer():
    """The next sync will be a full one, which usually takes 400 seconds, so the data is late only after these."""
    week_old = replace(MIRROR, full_at=NOON - 7 * DAY)
    assert due_of(facts(schedule=hourly(NOON + MINUTE), mirror=week_old), 400.0) == NOON + MINUTE
    without = facts(schedule=hourly(NOON + MINUTE), mirror=week_old, seconds={"incremental": [10.0], "full": []})
    assert due_of(without, 10.0) == NOON + MINUTE, "the other mode is the best guess"


@pytest.fixture
def no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedules start no sync, and a time that is further ahead than the interval stays as it is."""

    async def step(_scheduler: Scheduler, _engine: SyncEngine) -> bool:
        return False

    monkeypatch.setattr(Scheduler, "step", step)


async def _freshness(runtime: Runtime) -> Freshness | None:
    shown = (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).freshness
    (listed,) = (await runtime.syncs.organizations(LOCAL_OPERATOR)).organizations
    assert listed.freshness == shown, "the list and the dashboard agree"
    return shown


@pytest.mark.both_databases
async def test_a_clinic_sees_its_freshness_through_success_failure_and_repair(
    no_scheduler: None, runtime: Runtime, cliniko: Cliniko
):
    """The data stays as of the last success during a sync, after a failure and while the connection needs attention."""
    assert await _freshness(runtime) is None
    first = await run_sync(runtime)
    assert first.receipt is not None
    assert await _freshness(runtime) == Freshness(first.receipt.checked_at, None)
    next_at = await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, HOUR)
    shown = await _freshness(runtime)
    assert shown is not None
    assert shown.fresh_until is not None
    assert next_at is not None
    assert next_at + GRACE <= shown.fresh_until <= next_at + 2 * GRACE
    cliniko.gate.hold("patients")
    running = await start(runtime)
    await cliniko.gate.reached()
    assert await _freshness(runtime) == shown
    cliniko.gate.open()
    second = (await follow(runtime, running))[-1]
    assert second.receipt is not None
    later = await _freshness(runtime)
    assert later is not None
    assert later.checked_at == second.receipt.checked_at > shown.checked_at
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    failed = await run_sync(runtime)
    assert failed.status is SyncState.FAILED
    assert await _freshness(runtime) == later
    async with runtime.database.writing() as connection:
        state = (await connection.execute(select(CONNECTION.c.state))).scalar_one()
        await connection.execute(update(SCHEDULE).values(next_at=next_at + 5 * HOUR))  # as five failures would
    assert state == "needs_attention"
    assert await _freshness(runtime) == later
    await runtime.connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)
    assert await _freshness(runtime) == Freshness(later.checked_at, None)


@pytest.mark.both_databases
@pytest.mark.parametrize("days", [30, 30_000])
async def test_a_sync_that_took_months_breaks_no_page(runtime: Runtime, days: int):
    """A sync that was paused for a month, or began by a wrong clock, ends: the dashboard and the history still open."""
    done = await run_sync(runtime)
    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, HOUR)
    async with runtime.database.writing() as connection:
        began = SYNC.c.key == done.key
        await connection.execute(update(SYNC).where(began).values(started_at=done.started_at - days * DAY))
    assert await _freshness(runtime) is not None
    history = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)
    assert history.average_sync_duration_seconds is not None
    assert history.average_sync_duration_seconds >= days * DAY.total_seconds()
    await runtime.schedules.end(LOCAL_OPERATOR, ORGANIZATION)
    assert (await run_sync(runtime)).status is SyncState.COMPLETED, "its estimate reads the durations too"


@pytest.mark.both_databases
async def test_a_schedule_from_a_wrong_clock_does_not_hide_late_data(runtime: Runtime):
    """A schedule made while the clock was a year ahead is corrected, and data is late at the corrected time."""
    await run_sync(runtime)
    ahead = utc_now() + 365 * DAY
    async with runtime.database.writing() as connection:
        await save_schedule(connection, hourly(ahead, ahead))
        (schedule,) = await late_schedules(connection, utc_now(), 10)
        await bring_forward(connection, schedule, utc_now())
    shown = await _freshness(runtime)
    assert shown is not None
    assert shown.fresh_until is not None
    assert shown.fresh_until <= utc_now() + HOUR + 2 * GRACE


@pytest.mark.both_databases
async def test_an_idle_dashboard_is_not_read_for_its_freshness(runtime: Runtime, readings: list[str]):
    """Watchers of an idle dashboard have its freshness, and no time that passes makes it another one."""
    await run_sync(runtime)
    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, HOUR)
    async with aclosing(runtime.syncs.watch_dashboard(LOCAL_OPERATOR, ORGANIZATION)) as dashboards:
        shown = await anext(dashboards)
        assert shown.freshness is not None
        assert shown.freshness.fresh_until is not None
        before = len(readings)
        (feed,) = runtime.syncs.feeds.dashboards
        for _ in range(3):
            feed.note_time()
            await runtime.syncs.feeds.reread()
        assert feed.value is shown
    assert len(readings) == before


@pytest.mark.parametrize(
    ("allowance", "requests", "seconds"), [(None, 18, 15), (18, 18, 15), (9, 9, 31), (4, 4, 62), (1, 1, 62)]
)
def test_looks_are_rarer_after_the_rate_limit_was_reached(allowance: int | None, requests: int, seconds: int):
    """A look takes four requests, so that fewer requests a minute make fewer looks, and the dashboard says so."""
    one = replace(facts(), is_live_asked=True, allowance=allowance, watched_at=NOON)
    found = freshness_of(one, SETTINGS, NOON)
    assert found is not None
    assert (found.requests_per_minute, found.look_interval_seconds) == (requests, seconds)


@pytest.mark.parametrize(
    ("watched", "unwatched", "allowance", "seconds"),
    [(0, 0, None, 15), (1, 0, None, 31), (3, 0, None, 62), (0, 1, None, 21), (0, 3, None, 62), (1, 0, 9, 62)],
)
def test_organizations_with_a_key_take_turns(watched: int, unwatched: int, allowance: int | None, seconds: int):
    """Four looks fit into the share of a minute, so that further clinics with a key make the looks at each rarer."""
    others = [LookedAtToo(True, NOON)] * watched + [LookedAtToo(True, NOON - HOUR)] * unwatched
    others += [LookedAtToo(False, NOON)] * 5  # not kept live
    one = replace(facts(), is_live_asked=True, watched_at=NOON, allowance=allowance, sharers=others)
    found = freshness_of(one, SETTINGS, NOON)
    assert found is not None
    assert found.look_interval_seconds == seconds


def test_an_organization_without_readers_keeps_its_rare_looks_beside_others():
    """Its looks do not become more frequent than once a minute, and less frequent only with many others."""
    for others, seconds in ((0, 60), (1, 60), (2, 60), (3, 62), (9, 155)):
        sharers = [LookedAtToo(True, NOON)] * others
        found = freshness_of(replace(facts(), is_live_asked=True, sharers=sharers), SETTINGS, NOON)
        assert found is not None
        assert (found.look_interval_seconds, found.mode) == (seconds, FreshnessMode.UNWATCHED)


def test_looks_that_fail_become_rare_but_never_stop():
    """The wait doubles up to a quarter of an hour, with readers and without; the data is late at the same time."""
    found = [
        freshness_of(
            replace(facts(), is_live_asked=True, look_failures=failures, watched_at=watched_at), SETTINGS, NOON
        )
        for watched_at in (NOON, NOON - HOUR)
        for failures in (0, 1, 3, 6, 100)
    ]
    waits = [one.look_interval_seconds for one in found if one is not None]
    assert waits == [15, 30, 120, 900, 900, 60, 60, 120, 900, 900]
    assert len({one.fresh_until for one in found[:5] if one is not None}) == 1
