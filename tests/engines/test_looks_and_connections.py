"""A connection that changes during a look or its sync: no row of the account before is written afterwards."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Access, Fault, FaultKind, awkward_clinic
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import SyncMode, SyncState
from tests.emulated_cliniko import Cliniko, emulated_cliniko
from tests.engines.refreshing import looks_of
from tests.organization import ORGANIZATION
from tests.syncs import run_sync, shown_rows

PATIENT = "9"


@pytest.fixture
async def other() -> AsyncIterator[Cliniko]:
    """Another account in Cliniko, with a clinic of its own."""
    clinic = awkward_clinic(utc_now())
    clinic.name, clinic.subdomain = "Somebody Else", "else"
    clinic.rename(PATIENT, first_name="Else")
    async with emulated_cliniko(clinic, Access(user_id="514810976034364002")) as cliniko:
        yield cliniko


async def switch(runtime: Runtime, other: Cliniko, *, check: bool = True) -> None:
    """Connect the other account in place of the first."""
    connect = runtime.connections.connect
    await connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, other.base_url, check=check, replace=True)


async def names(runtime: Runtime) -> set[object]:
    """The first names that readers see."""
    return {row[2] for row in (await shown_rows(runtime.database)).get("PATIENTS", [])}


async def listed(runtime: Runtime) -> list[str]:
    """The syncs of the history."""
    return [sync.sync_id for sync in (await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)).recent_syncs]


@pytest.mark.both_databases
@pytest.mark.parametrize("is_switched", [True, False])
async def test_a_look_of_a_connection_that_has_ended_starts_nothing(
    runtime: Runtime, cliniko: Cliniko, other: Cliniko, is_switched: bool
):
    """The answers of a look that is under way are dropped: no sync follows, not even one that fails."""
    await run_sync(runtime)
    looks, before = looks_of(runtime), await listed(runtime)
    await looks.look()
    due = await looks.due()
    cliniko.emulator.clinic.rename(PATIENT, first_name="Zoë")
    cliniko.gate.hold("attendees")
    looking = asyncio.create_task(looks.refreshes.look(due, runtime.engine))
    await cliniko.gate.reached()  # the patients are read
    if is_switched:
        await switch(runtime, other)
    else:
        await runtime.connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)
    cliniko.gate.open()
    await looking
    assert await looks.running() is None
    assert await listed(runtime) == before
    assert (await looks.stored()).sync == due.refresh.sync
    assert "Zoë" not in await names(runtime)
    if is_switched:
        await run_sync(runtime)
        await looks.look()
        assert "Else" in await names(runtime)
        assert "Zoë" not in await names(runtime)


@pytest.mark.both_databases
async def test_the_sync_of_a_look_ends_with_its_connection(runtime: Runtime, cliniko: Cliniko, other: Cliniko):
    """A switch to another account ends it. The rows that it has read are not shown, then or later."""
    await run_sync(runtime)
    looks = looks_of(runtime, is_elsewhere=True)
    await looks.look()
    due = await looks.due()
    clinic = cliniko.emulator.clinic
    clinic.rename(PATIENT, first_name="Zoë")
    clinic.insert_class(utc_now())
    cliniko.gate.hold("group_appointments", spares_looks=True)
    await looks.refreshes.look(due, runtime.engine)
    await cliniko.gate.reached()  # the patients are stored in the draft
    await switch(runtime, other)
    cliniko.gate.open()
    last = await looks.followed(due)
    assert last is not None
    assert last.status is SyncState.FAILED
    assert last.failure is not None
    assert last.failure.message == "The connection was replaced."
    first = await run_sync(runtime)
    assert first.mode is SyncMode.FULL
    await looks.look()
    assert "Else" in await names(runtime)
    assert "Zoë" not in await names(runtime)


@pytest.mark.both_databases
@pytest.mark.parametrize("failures", [0, 2])
async def test_another_account_behind_an_unchecked_key_is_noticed_by_the_first_look(
    runtime: Runtime, cliniko: Cliniko, other: Cliniko, failures: int
):
    """A key that was stored without a check may be of another clinic. Two clinics are never mixed.

    Looks that have failed meanwhile have not checked it.
    """
    await run_sync(runtime)
    looks = looks_of(runtime)
    await looks.look()
    other.emulator.clinic.insert_patient(first_name="Zoë")
    await switch(runtime, other, check=False)
    other.emulator.faults.add(Fault(FaultKind.STATUS_500, "user", times=None))
    for _ in range(failures):
        assert await looks.look() is None
    other.emulator.faults.clear()
    last = await looks.look()
    assert last is not None
    assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.FULL), last.failure
    assert {"Zoë", "Else"} <= await names(runtime)
    before = len(other.emulator.requests)
    await looks.look()
    assert [one.resource for one in other.emulator.requests[before:]].count("user") == 0
