"""Schedules at local times, over days on which clocks change. On both databases."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import select, update

from routiq_gql.clock import utc_now
from routiq_gql.database.tables import SCHEDULE, SYNC
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.engines.scheduler import Scheduler
from routiq_gql.errors import BadInput, Forbidden
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, Viewer
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import run_sync

pytestmark = pytest.mark.both_databases

STEP = timedelta(minutes=30)
YEARS = timedelta(days=730)


async def started_at(settings: Settings, cliniko: Cliniko, zone: str, begin: date, days: int, **given) -> list[str]:
    """The local starts of syncs while a scheduler looks every half hour, and each sync ends before it looks again."""
    now = datetime.combine(begin, time(), ZoneInfo(zone)).astimezone(UTC)
    end = datetime.combine(begin + timedelta(days=days), time(), ZoneInfo(zone)).astimezone(UTC)
    with time_machine.travel(now, tick=False) as clock:
        async with open_runtime(settings, run_syncs=False) as runtime:
            await runtime.connections.connect(
                LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False
            )
            await runtime.schedules.begin_at(LOCAL_OPERATOR, ORGANIZATION, time_zone=zone, **given)
            scheduler = Scheduler(runtime.database, runtime.bus, runtime.audit)
            while now < end:
                clock.move_to(now)
                await scheduler.step(runtime.engine)
                async with runtime.database.writing() as connection:
                    await connection.execute(
                        update(SYNC).where(SYNC.c.completed_at.is_(None)).values(completed_at=now, status="completed")
                    )
                now += STEP
            async with runtime.database.reading() as connection:
                found = (await connection.execute(select(SYNC.c.started_at).order_by(SYNC.c.key))).scalars().all()
    return [f"{moment.astimezone(ZoneInfo(zone)):%a %H:%M %z}" for moment in found]


@pytest.mark.parametrize(
    ("zone", "begin", "expected"),
    [
        ("Australia/Sydney", date(2026, 10, 3), ["Sat 02:30 +1000", "Sun 03:30 +1100", "Mon 02:30 +1100"]),
        ("Australia/Sydney", date(2026, 4, 4), ["Sat 02:30 +1100", "Sun 02:30 +1100", "Mon 02:30 +1000"]),
        ("America/New_York", date(2026, 3, 7), ["Sat 02:30 -0500", "Sun 03:30 -0400", "Mon 02:30 -0400"]),
        ("America/New_York", date(2026, 10, 31), ["Sat 02:30 -0400", "Sun 02:30 -0500", "Mon 02:30 -0500"]),
        ("Europe/London", date(2026, 3, 28), ["Sat 01:30 +0000", "Sun 02:30 +0100", "Mon 01:30 +0100"]),
        ("Europe/London", date(2026, 10, 24), ["Sat 01:30 +0100", "Sun 01:30 +0100", "Mon 01:30 +0000"]),
    ],
)
async def test_a_time_that_clocks_skip_or_repeat_is_due_once(
    settings: Settings, cliniko: Cliniko, zone: str, begin: date, expected: list[str]
):
    """A sync at 02:30 runs once on each day: later where 02:30 is skipped, the first time where it comes twice."""
    at = ["01:30" if zone == "Europe/London" else "02:30"]
    assert await started_at(settings, cliniko, zone, begin, 3, at=at) == expected


async def test_only_the_chosen_days_have_syncs(settings: Settings, cliniko: Cliniko):
    """Before opening and after lunch, on working days, by the clinic's clocks."""
    begin = date(2026, 10, 2)  # a Friday; clocks change on Sunday
    starts = await started_at(
        settings, cliniko, "Australia/Sydney", begin, 4, at=["13:00", "06:00"], weekdays="mon-fri"
    )
    assert starts == ["Fri 06:00 +1000", "Fri 13:00 +1000", "Mon 06:00 +1100", "Mon 13:00 +1100"]


async def test_a_standstill_is_followed_by_a_single_sync(settings: Settings, cliniko: Cliniko):
    """A server that was off for days syncs once at its start, and then at the next local time."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        await runtime.schedules.begin_at(LOCAL_OPERATOR, ORGANIZATION, ["06:00"], time_zone="Australia/Sydney")
        async with runtime.database.writing() as connection:
            await connection.execute(update(SCHEDULE).values(next_at=utc_now() - timedelta(days=3)))
        scheduler = Scheduler(runtime.database, runtime.bus, runtime.audit)
        for _ in range(2):
            await scheduler.step(runtime.engine)
        assert (await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)).total_syncs == 1
        _, next_at = await runtime.schedules.show(LOCAL_OPERATOR, ORGANIZATION)
    assert next_at is not None
    assert utc_now() < next_at <= utc_now() + timedelta(hours=25)
    assert f"{next_at.astimezone(ZoneInfo('Australia/Sydney')):%H:%M}" == "06:00"


async def test_the_clinics_time_zone_is_the_default(runtime: Runtime):
    """After a sync, local times are those of the clinic. Before it, a zone must be given, and nothing is stored."""
    with pytest.raises(BadInput, match="--time-zone Australia/Sydney"):
        await runtime.schedules.begin_at(LOCAL_OPERATOR, ORGANIZATION, ["06:00"])
    with pytest.raises(BadInput, match="“” is not a time zone"):  # as a script gives it whose variable is not set
        await runtime.schedules.begin_at(LOCAL_OPERATOR, ORGANIZATION, ["06:00"], time_zone="")
    assert (await runtime.schedules.show(LOCAL_OPERATOR, ORGANIZATION)) == (None, None)
    await run_sync(runtime)
    await runtime.schedules.begin_at(LOCAL_OPERATOR, ORGANIZATION, ["06:00"])
    schedule, _ = await runtime.schedules.show(LOCAL_OPERATOR, ORGANIZATION)
    assert schedule is not None
    async with runtime.database.reading() as connection:
        zone = (await connection.execute(select(SYNC.c.time_zone))).scalar_one()
    assert (schedule.time_zone, schedule.times) == (zone, "06:00")


async def test_an_interval_replaces_local_times(runtime: Runtime):
    """The last schedule counts, whichever kind it has."""
    await runtime.schedules.begin_at(LOCAL_OPERATOR, ORGANIZATION, ["06:00"], "mon", "UTC")
    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, timedelta(hours=1))
    schedule, _ = await runtime.schedules.show(LOCAL_OPERATOR, ORGANIZATION)
    assert schedule is not None
    assert (schedule.local_times, schedule.weekdays, schedule.time_zone) == (None, None, None)
    assert schedule.every == timedelta(hours=1)


async def test_after_a_wrong_clock_the_next_local_time_counts(settings: Settings, cliniko: Cliniko):
    """A schedule that was made while the clock was years ahead is due at its next local time; people see it at once."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        with time_machine.travel(utc_now() + YEARS):
            await runtime.schedules.begin_at(LOCAL_OPERATOR, ORGANIZATION, ["06:00"], "mon", "UTC")
        (_, shown) = await runtime.schedules.show(LOCAL_OPERATOR, ORGANIZATION)
        await Scheduler(runtime.database, runtime.bus, runtime.audit).step(runtime.engine)
        schedule, next_at = await runtime.schedules.show(LOCAL_OPERATOR, ORGANIZATION)
    assert schedule is not None
    assert schedule.next_at == next_at == shown
    assert next_at is not None
    assert utc_now() < next_at <= utc_now() + timedelta(days=7)
    assert f"{next_at:%a %H:%M}" == "Mon 06:00"


async def test_another_organizations_schedule_is_not_shown_or_changed(runtime: Runtime):
    """A token of one organization reaches no schedule of another."""
    other = Viewer("org_else")
    with pytest.raises(Forbidden):
        await runtime.schedules.begin_at(other, ORGANIZATION, ["06:00"], time_zone="UTC")
    with pytest.raises(Forbidden):
        await runtime.schedules.show(other, ORGANIZATION)
    assert (await runtime.schedules.show(LOCAL_OPERATOR, ORGANIZATION)) == (None, None)


@pytest.mark.parametrize(
    "zone", ["UTC", "Australia/Sydney", "America/New_York", "Europe/London", "Australia/Lord_Howe"]
)
async def test_no_change_of_the_clocks_makes_a_schedule_late(settings: Settings, zone: str):
    """A schedule counts as late if its next time is further away than it ever is with right clocks."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        for number, (at, weekdays) in enumerate(product((["02:30"], ["00:00", "23:55"]), (None, "sun", "mon-fri"))):
            organization = f"org_{number}"
            await runtime.schedules.begin_at(LOCAL_OPERATOR, organization, at, weekdays, zone)
            schedule, _ = await runtime.schedules.show(LOCAL_OPERATOR, organization)
            assert schedule is not None
            moment = datetime(2026, 1, 1, tzinfo=UTC)
            while moment < datetime(2027, 1, 1, tzinfo=UTC):
                following = schedule.after(moment)
                assert timedelta(0) < following - moment <= schedule.every
                moment = following
