"""Each sync says who or what started it, and who ended it before its time."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from routiq_gql.clock import utc_now
from routiq_gql.database.tables import SCHEDULE, SYNC
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, Viewer
from routiq_gql.sync.actors import ActorKind, SyncActor
from routiq_gql.sync.model import SyncState
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import follow, run_sync
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.both_databases

ANNA = Viewer(ORGANIZATION, subject="user_anna")
BEN = Viewer(ORGANIZATION, subject="user_ben")
NAMELESS = Viewer(address="127.0.0.1")


@pytest.mark.parametrize(
    ("viewer", "actor"),
    [
        (ANNA, SyncActor(ActorKind.PERSON, "user_anna")),
        (NAMELESS, SyncActor(ActorKind.PERSON)),
        (LOCAL_OPERATOR, SyncActor(ActorKind.TERMINAL)),
        (Viewer(ORGANIZATION, subject="command line"), SyncActor(ActorKind.PERSON, "command line")),
    ],
)
async def test_a_sync_names_who_started_and_who_cancelled_it(
    runtime: Runtime, cliniko: Cliniko, viewer: Viewer, actor: SyncActor
):
    """A person is named as in the token, the terminal has no name, and a start during a sync changes nothing."""
    cliniko.gate.hold("patients")
    sync = (await runtime.syncs.start(viewer, ORGANIZATION)).sync
    assert (sync.started_by, sync.cancelled_by) == (actor, None)
    again = await runtime.syncs.start(BEN, ORGANIZATION)
    assert (again.created, again.sync.started_by) == (False, actor)
    ended = (await runtime.syncs.cancel(viewer, sync.sync_id)).sync
    assert (ended.started_by, ended.cancelled_by) == (actor, actor)
    late = (await runtime.syncs.cancel(BEN, sync.sync_id)).sync
    assert (late.cancelled_by, late) == (actor, ended)


async def test_another_person_may_cancel(runtime: Runtime, cliniko: Cliniko):
    """The one who cancels need not be the one who started."""
    cliniko.gate.hold("patients")
    sync = (await runtime.syncs.start(ANNA, ORGANIZATION)).sync
    ended = (await runtime.syncs.cancel(BEN, sync.sync_id)).sync
    assert (ended.started_by, ended.cancelled_by) == (ANNA.actor, BEN.actor)


@pytest.mark.parametrize("viewer", [ANNA, LOCAL_OPERATOR])
async def test_a_disconnect_names_who_ended_the_sync(runtime: Runtime, cliniko: Cliniko, viewer: Viewer):
    """A person who disconnects the clinic has ended its sync."""
    cliniko.gate.hold("patients")
    sync = (await runtime.syncs.start(BEN, ORGANIZATION)).sync
    await runtime.connections.disconnect(viewer, ORGANIZATION)
    ended = await runtime.syncs.status(LOCAL_OPERATOR, sync.sync_id)
    assert (ended.status, ended.started_by, ended.cancelled_by) == (SyncState.FAILED, BEN.actor, viewer.actor)


async def test_a_schedule_starts_syncs_by_itself(runtime: Runtime):
    """A scheduled sync names the schedule, and no canceller."""
    await runtime.schedules.begin(ANNA, ORGANIZATION, timedelta(hours=1))
    async with runtime.database.writing() as connection:
        await connection.execute(update(SCHEDULE).values(next_at=utc_now() - timedelta(seconds=1)))
    async with asyncio.timeout(LIMIT_SECONDS):
        while not (found := (await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)).recent_syncs):
            await asyncio.sleep(0.05)
    last = (await follow(runtime, found[0].sync_id))[-1]
    assert (last.status, last.started_by) == (SyncState.COMPLETED, SyncActor(ActorKind.SCHEDULE))
    assert last.cancelled_by is None


async def test_a_failed_or_completed_sync_was_cancelled_by_nobody(runtime: Runtime):
    """A sync that ends by itself has no canceller."""
    assert (await run_sync(runtime)).cancelled_by is None
    await runtime.connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)
    last = await run_sync(runtime)
    assert (last.status, last.cancelled_by) == (SyncState.FAILED, None)


async def test_an_erased_organization_leaves_no_name(runtime: Runtime, cliniko: Cliniko):
    """The names of staff are deleted with the organization."""
    cliniko.gate.hold("patients")
    await runtime.syncs.start(ANNA, ORGANIZATION)
    await runtime.connections.erase(BEN, ORGANIZATION)
    async with runtime.database.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(SYNC))).scalar_one() == 0
