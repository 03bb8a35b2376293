"""The history shows consecutive syncs of looks as one entry, beside the syncs that it lists."""

import pytest

from routiq_gql.organizations.live_updates import LiveUpdates
from routiq_gql.paging import PageArguments
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import Looks, looks_of
from tests.organization import ORGANIZATION
from tests.syncs import run_sync

PATIENTS = ("9", "514810976034364378", "514810976034364383")


async def rename(looks: Looks, cliniko: Cliniko, *patients: str) -> list[SyncSnapshot]:
    """Rename each of these patients in Cliniko, and look after each."""
    syncs = []
    for patient in patients:
        cliniko.emulator.clinic.rename(patient, first_name=f"Zoë{len(cliniko.emulator.requests)}")
        last = await looks.look()
        assert last is not None
        assert last.status is SyncState.COMPLETED
        syncs.append(last)
    return syncs


def entry(after: SyncSnapshot, syncs: list[SyncSnapshot]) -> LiveUpdates:
    """The entry of these syncs."""
    changes = sum(sync.changes.patients for sync in syncs if sync.changes is not None)
    assert syncs[-1].completed_at is not None
    return LiveUpdates(after.sync_id, len(syncs), syncs[0].started_at, syncs[-1].completed_at, changes)


@pytest.mark.both_databases
async def test_consecutive_syncs_of_looks_are_one_entry(runtime: Runtime, cliniko: Cliniko):
    """The entry names the sync before them, their number and time, and how many patients changed."""
    first = await run_sync(runtime)
    looks = looks_of(runtime)
    early = await rename(looks, cliniko, *PATIENTS)
    second = await run_sync(runtime)
    late = await rename(looks, cliniko, PATIENTS[0])
    history = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)
    assert [sync.sync_id for sync in history.recent_syncs] == [second.sync_id, first.sync_id]
    assert history.live_updates == [entry(second, late), entry(first, early)]
    assert history.live_updates[1].patient_changes >= len(PATIENTS)
    assert history.total_syncs == 2
    page = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION, limit=1)
    assert page.live_updates == [entry(second, late)]
    older = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION, limit=1, after=page.next_cursor)
    assert older.live_updates == [entry(first, early)]
    newest = PageArguments(first=1)
    connection = await runtime.syncs.history_page(LOCAL_OPERATOR, ORGANIZATION, newest, live_updates=True)
    assert connection.live_updates == [entry(second, late)]


async def test_the_last_sync_of_the_dashboard_is_in_the_history(runtime: Runtime, cliniko: Cliniko):
    """Clients that compare both find no sync that the history leaves out. The figures are those of the newest sync."""
    first = await run_sync(runtime)
    (update,) = await rename(looks_of(runtime), cliniko, PATIENTS[0])
    dashboard = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert dashboard.last_sync is not None
    assert dashboard.last_sync.sync_id == first.sync_id
    assert dashboard.last_successful_sync is not None
    assert dashboard.last_successful_sync.sync_id == update.sync_id
    assert dashboard.patient_stats.last_sync_time == update.completed_at


@pytest.mark.both_databases
async def test_estimates_go_by_the_syncs_of_people(runtime: Runtime, cliniko: Cliniko):
    """A look's sync reads one list. It does not make the next sync of a person look as short."""
    await run_sync(runtime)
    await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    before = (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).next_sync
    await rename(looks_of(runtime), cliniko, *PATIENTS)
    after = (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).next_sync
    assert before is not None
    assert after == before
