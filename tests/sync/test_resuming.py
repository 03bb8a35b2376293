"""A sync that is interrupted behind each of its checkpoints says and stores the same as one that nothing disturbs."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.database.rows import SyncRow
from routiq_gql.database.syncs import sync_by_id
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind, generated_clinic
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync import pipeline
from routiq_gql.sync.checkpoint import Analyzing, Checkpoint, Comparing, Reading, Storing
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from routiq_gql.sync.receipt import Receipt
from routiq_gql.sync.run import SyncRun
from tests.emulated_cliniko import emulated_cliniko
from tests.organization import ORGANIZATION
from tests.sync.test_crashes import edit
from tests.syncs import run_sync, shown_rows

pytestmark = [pytest.mark.sqlite_only, pytest.mark.usefixtures("midday")]

KEPT = {"mode", "status", "step", "baseline", "recent_days", "upcoming_days", "seen_within_weeks"}
KEPT |= {"rules", "time_zone", "started_by", "changes", "patients_found", "appointments_found", "refresh"}
KEPT |= {"active_patients_identified", "active_patients_stored", "current_step", "progress_percentage"}
"""Columns of a sync that do not depend on when, and how often, it ran."""
SLICE = 50
"""Patients that are analyzed together."""
NOT_COMPARED = ("Continuing after an interruption", "This sync reads what has changed since ")
"""Lines that name an interruption or a time."""


class Interruptions:
    """Stops each run of a runtime once it has stored a new checkpoint."""

    def __init__(self, patch: pytest.MonkeyPatch, victim: Runtime) -> None:
        self.at: list[Checkpoint] = []
        advance = SyncRun._advance

        def and_stop(run: SyncRun, checkpoint: Checkpoint) -> None:
            advance(run, checkpoint)
            # Not by the notes of a comparison that begins again.
            if run._database is victim.database and checkpoint not in self.at:
                self.at.append(checkpoint)
                task = asyncio.current_task()
                assert task is not None
                task.cancel()

        patch.setattr(SyncRun, "_advance", and_stop)


async def said_and_stored(runtime: Runtime, last: SyncSnapshot) -> dict[str, Any]:
    """Everything that clients and later syncs get of a sync, without times; the costs of its requests by themselves."""
    async with runtime.database.reading() as connection:
        row = await sync_by_id(connection, last.sync_id)
    assert isinstance(row, SyncRow)
    lines = await runtime.syncs.log(LOCAL_OPERATOR, last.sync_id, after=0)
    return {
        "columns": {name: getattr(row, name) for name in sorted(KEPT)},
        "steps": [one.number for one in last.steps],
        "receipt": timeless(last.receipt),
        "costs": costs_of(last.receipt),
        "log": [line.message for line in lines if not line.message.startswith(NOT_COMPARED)],
        "rows": await shown_rows(runtime.database),
    }


def timeless(receipt: Receipt | None) -> Receipt:
    """The receipt without its times, and without the costs: a comparison that begins again reads some rows again."""
    assert receipt is not None
    lists = tuple(replace(one, requests=0, read=0, oldest_check=None) for one in receipt.lists)
    return replace(receipt, lists=lists, requests=0, waited_seconds=0.0, checked_at=datetime.max.replace(tzinfo=UTC))


def costs_of(receipt: Receipt | None) -> list[int]:
    """The requests and rows read, of the whole sync and of each list. Interruptions can only add to them."""
    assert receipt is not None
    return [receipt.requests, *(cost for one in receipt.lists for cost in (one.requests, one.read))]


async def test_a_sync_that_is_interrupted_behind_each_checkpoint_says_the_same(
    settings: Settings, new_database_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch
):
    """Figures, log, receipt and rows of a sync do not depend on interruptions, in either mode."""
    monkeypatch.setattr(pipeline, "SLICE_PATIENTS", SLICE)
    clinic = generated_clinic(130, utc_now())
    async with emulated_cliniko(clinic) as cliniko, AsyncExitStack() as stack:
        for resource in ("individual_appointments", "group_appointments"):
            fault = Fault(FaultKind.ROW_WITHOUT_START, resource, times=None, only_above_per_page=1)
            cliniko.emulator.faults.add(fault)
        runtimes = []
        for _ in range(2):
            one = settings.model_copy(update={"database_url": new_database_url()})
            runtimes.append(await stack.enter_async_context(open_runtime(one)))
            await runtimes[-1].connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        interruptions = Interruptions(monkeypatch, runtimes[1])
        for mode in (SyncMode.FULL, SyncMode.INCREMENTAL):
            interruptions.at.clear()
            calm, disturbed = [await said_and_stored(one, await run_sync(one, mode=mode)) for one in runtimes]
            assert calm["columns"]["status"] == SyncState.COMPLETED
            assert calm["columns"]["mode"] == mode
            assert len(calm["receipt"].unreadable_rows) >= 2
            costs = [one.pop("costs") for one in (calm, disturbed)]
            assert disturbed == calm
            assert all(more >= cost for cost, more in zip(*costs, strict=True)), "the requests before count"
            assert {type(one) for one in interruptions.at} == {Reading, Comparing, Analyzing, Storing}
            assert len(interruptions.at) > 10
            analyzed = [one.analyzed for one in interruptions.at if isinstance(one, Analyzing)]
            assert analyzed == [number * SLICE for number in range(len(analyzed))]
            assert len(analyzed) > 1 or mode is not SyncMode.FULL
            edit(clinic)
