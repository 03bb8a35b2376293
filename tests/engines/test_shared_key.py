"""Organizations with the same Cliniko key share one ration of requests, as Cliniko counts per key."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import update

from routiq_gql.cli import schedule
from routiq_gql.database.tables import REFRESH
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.looking import LOOK_REQUESTS
from routiq_gql.sync.model import SyncState
from routiq_gql.sync.rationed import LookOvertaken, RefreshBooking, look_booking
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import Looks, looks_of
from tests.organization import ORGANIZATION
from tests.syncs import LIMIT_SECONDS, follow, run_sync

OTHER = "org_branch"
SHARE = 18
OWN = REFRESH.c.organization_id == ORGANIZATION


@pytest.fixture
async def both(settings: Settings, cliniko: Cliniko) -> AsyncIterator[tuple[Looks, Looks]]:
    """The looks at two organizations with the same key, at a pace of 180 requests a minute."""
    async with open_runtime(settings) as unpaced:
        for organization_id in (ORGANIZATION, OTHER):
            await unpaced.connections.connect(LOCAL_OPERATOR, organization_id, EMULATED_API_KEY, cliniko.base_url)
            await run_sync(unpaced, organization_id)
    async with open_runtime(settings.model_copy(update={"cliniko_requests_per_minute": 180})) as runtime:
        yield looks_of(runtime, ORGANIZATION, is_elsewhere=True), looks_of(runtime, OTHER, is_elsewhere=True)


async def let_a_minute_pass(*all_looks: Looks) -> None:
    """Make the requests of all of them older than a minute."""
    for looks in all_looks:
        async with looks.runtime.database.writing() as connection:
            await connection.execute(update(REFRESH).values(spent=[]))


async def until_idle(looks: Looks) -> None:
    """Return when no sync of the organization runs."""
    running = await looks.running()
    if running is not None:
        await follow(looks.runtime, running)


async def spent(looks: Looks) -> int:
    """Requests of the last minute, as stored."""
    return len((await looks.stored()).spent)


@pytest.mark.both_databases
async def test_two_organizations_with_a_key_send_no_more_than_one(both: tuple[Looks, Looks], cliniko: Cliniko):
    """Together their looks and syncs stay within the share of the key; the next look waits for the minute's end."""
    before = len(cliniko.emulator.requests)
    for _ in range(4):
        for looks in both:
            await looks.look()
    assert len(cliniko.emulator.requests) - before <= SHARE
    assert await spent(both[0]) + await spent(both[1]) <= SHARE
    last = await both[1].due()
    assert last.is_shared
    sent = len(cliniko.emulator.requests)
    await both[1].refreshes.look(last, both[1].runtime.engine)
    assert len(cliniko.emulator.requests) == sent
    assert (await both[1].stored()).next_at.timestamp() > time.time() + 20


@pytest.mark.parametrize("times", [2, None])
async def test_repeated_requests_of_a_look_count(both: tuple[Looks, Looks], cliniko: Cliniko, times: int | None):
    """While Cliniko fails now and then, looks still keep to their share."""
    looks, _ = both
    await looks.look()
    await let_a_minute_pass(looks)
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_500, resource="group_appointments", times=times))
    before = len(cliniko.emulator.requests)
    await looks.refreshes.look(await looks.due(), looks.runtime.engine)
    assert await spent(looks) >= len(cliniko.emulator.requests) - before > LOOK_REQUESTS


async def claimed(looks: Looks) -> RefreshBooking:
    """The booking of a look that has begun, in a process of its own."""
    look = await looks.refreshes._claim(await looks.due())
    assert look is not None
    database, settings = looks.runtime.database, looks.runtime.settings
    return look_booking(database, settings, look.ration, look.due.refresh, look.epoch, look.key_digest)


@pytest.mark.both_databases
async def test_looks_at_the_same_time_repeat_requests_within_the_share(both: tuple[Looks, Looks]):
    """While the network is interrupted, both looks repeat requests; together they stay within the share of the key."""
    for looks in both:
        await looks.look()
    await let_a_minute_pass(*both)
    bookings = [await claimed(looks) for looks in both]
    repeats, waits = 0, [0.0, 0.0]
    for _ in range(SHARE):
        waits = list(await asyncio.gather(*(one.book(1) for one in bookings)))
        repeats += waits.count(0)
    assert 2 * LOOK_REQUESTS + repeats == SHARE
    assert await spent(both[0]) + await spent(both[1]) == SHARE
    assert min(waits) > 20


async def test_a_look_that_was_overtaken_repeats_nothing(both: tuple[Looks, Looks]):
    """After another process has looked, the look ends; the next one finds the same changes."""
    _, second = both
    for looks in both:
        await looks.look()
    await let_a_minute_pass(*both)
    booking = await claimed(second)
    assert await booking.book(1) == 0
    await claimed(second)
    with pytest.raises(LookOvertaken):
        await booking.book(1)


async def held_sync(looks: Looks, cliniko: Cliniko) -> str:
    """Has a look started a sync, whose first request Cliniko holds back; the sync's id."""
    cliniko.emulator.clinic.rename("9", first_name="Zoë")
    cliniko.gate.hold("patients", spares_looks=True)
    await looks.refreshes.look(await looks.due(), looks.runtime.engine)
    await cliniko.gate.reached()
    running = await looks.running()
    assert running is not None
    return running


@pytest.mark.both_databases
async def test_one_looks_while_the_other_syncs(both: tuple[Looks, Looks], cliniko: Cliniko):
    """A request of a sync counts before it is sent, so that the other shows its changes meanwhile, within the share."""
    first, second = both
    for looks in both:
        await looks.look()
    await let_a_minute_pass(*both)
    running = await held_sync(first, cliniko)
    assert await spent(first) == LOOK_REQUESTS + 1
    await second.refreshes.look(await second.due(), second.runtime.engine)
    cliniko.gate.open()
    await until_idle(second)
    assert (await follow(first.runtime, running))[-1].status is SyncState.COMPLETED
    assert 2 * LOOK_REQUESTS < await spent(first) + await spent(second) <= SHARE


@pytest.mark.both_databases
async def test_a_stopped_sync_counts_with_what_it_has_sent(both: tuple[Looks, Looks], cliniko: Cliniko):
    """After a person has ended the look's sync of one, the other looks at once, and can send the remainder."""
    first, second = both
    for looks in both:
        await looks.look()
    await let_a_minute_pass(*both)
    running = await held_sync(first, cliniko)
    await first.runtime.syncs.cancel(LOCAL_OPERATOR, running)
    cliniko.gate.open()
    booking = await claimed(second)
    while await booking.book(1) == 0:
        pass
    assert await spent(first) == LOOK_REQUESTS + 1
    assert await spent(second) == SHARE - LOOK_REQUESTS - 1


@pytest.mark.both_databases
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_look_begins_only_with_room_in_the_share_of_the_key(both: tuple[Looks, Looks], is_known: bool):
    """What another organization with the key has sent counts from the first look on, before that has read the key."""
    first, second = both
    for looks in both:
        await looks.look()
    await let_a_minute_pass(*both)
    booking = await claimed(second)
    while await booking.book(1) == 0:
        pass
    if not is_known:
        async with first.runtime.database.writing() as connection:
            await connection.execute(update(REFRESH).where(OWN).values(key_digest=None))
    assert await first.refreshes._claim(await first.due()) is None
    stored = await first.stored()
    assert stored.next_at.timestamp() > time.time() + 20
    assert (stored.spent, stored.key_digest) == ([], (await second.stored()).key_digest)


async def test_a_new_key_is_learned_by_the_next_look(both: tuple[Looks, Looks], cliniko: Cliniko):
    """Connecting again forgets whose requests count together, until the next look has read the key."""
    for looks in both:
        await looks.look()
    assert (await both[1].due()).is_shared
    await both[1].runtime.connections.connect(LOCAL_OPERATOR, OTHER, EMULATED_API_KEY, cliniko.base_url)
    assert not (await both[1].due()).is_shared
    await both[1].look()
    assert (await both[1].due()).is_shared


@pytest.mark.both_databases
async def test_a_watched_dashboard_shows_the_turns_of_the_key(both: tuple[Looks, Looks]):
    """As soon as a second clinic with the key is kept live, and when Cliniko's rate limit leaves it fewer requests."""
    first, second = both
    runtime = first.runtime
    await first.look()

    async def until_shown(figures: tuple[int, int]) -> None:
        async for dashboard in runtime.syncs.watch_dashboard(LOCAL_OPERATOR, ORGANIZATION):
            shown = dashboard.freshness
            if shown is not None and (shown.look_interval_seconds, shown.requests_per_minute) == figures:
                return

    async with asyncio.timeout(LIMIT_SECONDS):
        watching = asyncio.create_task(until_shown((31, SHARE)))
        await until_shown((15, SHARE))
        await second.look()
        await watching
        watching = asyncio.create_task(until_shown((62, SHARE // 2)))
        await until_shown((31, SHARE))
        async with runtime.database.writing() as connection:
            own = REFRESH.c.organization_id == OTHER
            await connection.execute(update(REFRESH).where(own).values(allowance=SHARE // 2))
        await watching


async def test_the_command_shows_the_turns_of_the_key(both: tuple[Looks, Looks]):
    """``routiq-gql schedule`` says the same as the page, and that looks are rarer while no client reads the clinic."""
    runtime = both[0].runtime
    for looks, sentence in zip(both, ("every 15 s.", "every 31 s."), strict=True):
        await looks.look()
        shown = await schedule._live(runtime, runtime.settings, ORGANIZATION)
        assert shown == f"{ORGANIZATION} is kept live: a look at Cliniko {sentence}"
    await both[0].note_unwatched()
    shown = await schedule._live(runtime, runtime.settings, ORGANIZATION)
    assert shown.endswith("every 60 s, as no client reads it.")
