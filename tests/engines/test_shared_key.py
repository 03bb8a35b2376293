"""Organizations with the same Cliniko key share one ration of requests, as Cliniko counts per key."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import update

from routiq_gql.database.tables import REFRESH
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.looking import LOOK_REQUESTS
from routiq_gql.sync.model import SyncState
from routiq_gql.sync.rationed import LookBooking, LookOvertaken
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import Looks, looks_of
from tests.organization import ORGANIZATION
from tests.syncs import follow, run_sync

OTHER = "org_branch"
SHARE = 18


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


async def claimed(looks: Looks) -> LookBooking:
    """The booking of a look that has begun, in a process of its own."""
    look = await looks.refreshes._claim(await looks.due())
    assert look is not None
    return LookBooking(looks.runtime.database, looks.organization_id, look.epoch, look.key_digest, look.ration)


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


async def test_a_look_repeats_nothing_while_the_other_syncs(both: tuple[Looks, Looks], cliniko: Cliniko):
    """Nor after another process has looked: the look ends, and the next one finds the same changes."""
    first, second = both
    for looks in both:
        await looks.look()
    await let_a_minute_pass(*both)
    booking = await claimed(second)
    cliniko.emulator.clinic.rename("9", first_name="Zoë")
    cliniko.gate.hold("patients", spares_looks=True)
    await first.refreshes.look(await first.due(), first.runtime.engine)
    await cliniko.gate.reached()
    with pytest.raises(LookOvertaken):
        await booking.book(1)
    cliniko.gate.open()
    await until_idle(first)
    await let_a_minute_pass(*both)
    assert await booking.book(1) == 0
    await claimed(second)
    with pytest.raises(LookOvertaken):
        await booking.book(1)


@pytest.mark.both_databases
async def test_only_one_of_them_syncs_at_a_time(both: tuple[Looks, Looks], cliniko: Cliniko):
    """While a look's sync of one runs, the other sends nothing: the requests of that sync are not known yet."""
    first, second = both
    for looks in both:
        await looks.look()
    await let_a_minute_pass(*both)
    cliniko.emulator.clinic.rename("9", first_name="Zoë")
    cliniko.gate.hold("patients", spares_looks=True)
    await first.refreshes.look(await first.due(), first.runtime.engine)
    await cliniko.gate.reached()
    sent = len(cliniko.emulator.requests)
    await second.refreshes.look(await second.due(), second.runtime.engine)
    assert len(cliniko.emulator.requests) == sent
    cliniko.gate.open()
    await until_idle(first)
    last = await second.look()
    assert last is not None
    assert last.status is SyncState.COMPLETED


async def test_a_stopped_sync_counts_with_all_that_it_may_have_sent(both: tuple[Looks, Looks], cliniko: Cliniko):
    """After a person has ended the look's sync of one, the other waits as if the whole share had been sent."""
    first, second = both
    for looks in both:
        await looks.look()
    await let_a_minute_pass(*both)
    cliniko.emulator.clinic.rename("9", first_name="Zoë")
    cliniko.gate.hold("patients", spares_looks=True)
    await first.refreshes.look(await first.due(), first.runtime.engine)
    await cliniko.gate.reached()
    running = await first.running()
    assert running is not None
    await first.runtime.syncs.cancel(LOCAL_OPERATOR, running)
    cliniko.gate.open()
    await second.refreshes.look(await second.due(), second.runtime.engine)
    assert await spent(second) == 0
    assert (await second.stored()).next_at.timestamp() > time.time() + 20


async def test_a_new_key_is_learned_by_the_next_look(both: tuple[Looks, Looks], cliniko: Cliniko):
    """Connecting again forgets whose requests count together, until the next look has read the key."""
    for looks in both:
        await looks.look()
    assert (await both[1].due()).is_shared
    await both[1].runtime.connections.connect(LOCAL_OPERATOR, OTHER, EMULATED_API_KEY, cliniko.base_url)
    assert not (await both[1].due()).is_shared
    await both[1].look()
    assert (await both[1].due()).is_shared
