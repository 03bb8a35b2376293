"""Cliniko's rate limit in the middle of looks, their syncs and comparisons, and syncs that need many requests."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import update

from routiq_gql.cliniko import Ration, rationing
from routiq_gql.cliniko.looking import NEWEST_ROWS
from routiq_gql.database.tables import REFRESH
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync import rationed
from routiq_gql.sync.looking import LOOK_REQUESTS
from routiq_gql.sync.model import SyncState
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import Looks, looks_of
from tests.organization import ORGANIZATION
from tests.syncs import run_sync, shown_rows

SHARE = 180
FEW = 18
WINDOW = 1.0
"""Seconds in place of a minute."""
PATIENT = "9"


@pytest.fixture
async def paced(settings: Settings, cliniko: Cliniko) -> AsyncIterator[Looks]:
    """The looks of an organization whose key has a pace of 1,800 requests a minute, and whose sync runs elsewhere."""
    async with open_runtime(settings) as unpaced:
        await unpaced.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        await run_sync(unpaced)
        await looks_of(unpaced).look()
    async with open_runtime(settings.model_copy(update={"cliniko_requests_per_minute": 10 * SHARE})) as runtime:
        yield looks_of(runtime, is_elsewhere=True)


async def allowance(looks: Looks) -> int | None:
    """The requests that a dashboard shows."""
    freshness = (await looks.runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).freshness
    assert freshness is not None
    return freshness.requests_per_minute


@pytest.mark.both_databases
@pytest.mark.parametrize(("resource", "above"), [("group_appointments", 0), ("patients", NEWEST_ROWS)])
async def test_the_rate_limit_in_a_look_or_its_sync_halves_the_share(
    paced: Looks, cliniko: Cliniko, resource: str, above: int, monkeypatch: pytest.MonkeyPatch
):
    """A look, or the sync that follows, waits and continues. The dashboard shows half of the share for ten minutes."""
    cliniko.emulator.clinic.rename(PATIENT, first_name="Zoë")
    limit = Fault(FaultKind.RATE_LIMIT, resource, seconds=0, only_above_per_page=above)
    cliniko.emulator.faults.add(limit)
    last = await paced.look()
    assert last is not None
    assert last.status is SyncState.COMPLETED, last.failure
    assert any(row[2] == "Zoë" for row in (await shown_rows(paced.runtime.database))["PATIENTS"])
    await paced.look()
    assert await allowance(paced) == SHARE // 2
    assert (await paced.stored()).allowance == SHARE // 2
    monkeypatch.setattr(rationed, "EASED_AFTER", timedelta(0))
    await paced.look()
    assert await allowance(paced) == SHARE


@pytest.mark.parametrize("part", range(4))
async def test_the_rate_limit_in_a_part_of_a_comparison_only_delays_it(paced: Looks, cliniko: Cliniko, part: int):
    """A part that meets the limit is made once, and the comparison ends as usual."""
    lists = ("patients", "individual_appointments", "attendees", "appointment_types")
    above = 0 if part == len(lists) - 1 else NEWEST_ROWS
    cliniko.emulator.faults.add(Fault(FaultKind.RATE_LIMIT, lists[part], seconds=0, only_above_per_page=above))
    syncs = await paced.compare()
    assert [one.status for one in syncs] == [SyncState.COMPLETED] * len(lists)
    assert await allowance(paced) == SHARE // 2


async def test_a_long_sync_of_a_look_keeps_to_the_share(
    paced: Looks, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """An import makes it read dozens of pages. It waits again and again, says so, and neither fails nor exceeds."""
    sent: list[float] = []
    note = Ration.note

    def noted(self: Ration, count: int = 1) -> None:
        sent.extend([time.time()] * count)
        note(self, count)

    monkeypatch.setattr(rationing, "WINDOW_SECONDS", WINDOW)
    monkeypatch.setattr(Ration, "note", noted)
    clinic, database = cliniko.emulator.clinic, paced.runtime.database
    for number in range(40 * NEWEST_ROWS):
        clinic.insert_patient(first_name=f"Mia {number}")
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_504, "patients", times=None, only_above_per_page=NEWEST_ROWS))
    await paced.row()
    async with database.writing() as connection:
        await connection.execute(update(REFRESH).values(allowance=FEW, spent=[]))
    before = len(cliniko.emulator.requests)
    last = await paced.look()
    assert last is not None
    assert last.status is SyncState.COMPLETED, last.failure
    asked = len(cliniko.emulator.requests) - before
    assert asked > 40 + LOOK_REQUESTS
    assert len(sent) == asked
    assert all(after - first >= WINDOW - 0.01 for first, after in zip(sent, sent[FEW:], strict=False))
    assert all(first <= after for first, after in pairwise(sent))
    assert len((await shown_rows(database))["PATIENTS"]) >= 40 * NEWEST_ROWS
