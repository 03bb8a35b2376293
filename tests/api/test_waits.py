"""Clients see why a sync waits, and the notice is gone as soon as the wait ends in any way."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from routiq_gql.clock import utc_now
from routiq_gql.database.tables import SYNC
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind, generated_clinic
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync import pauses
from tests.emulated_cliniko import Cliniko
from tests.full_disk import full_disk
from tests.graphql_documents import PROGRESS, STATUS
from tests.organization import ORGANIZATION
from tests.server import Server, open_socket
from tests.waiting import LIMIT_SECONDS

ROOT = Path(__file__).parents[2]
OVERVIEW = """subscription ($id: ID!) { dashboardUpdated(organizationId: $id) {
  currentSync { waitingFor resumesAt currentStep } } }"""
PROCESS_SECONDS = 60
"""More than another process takes to start on a busy machine."""
WAITING_TEXTS = ("Waiting for", "trying again in")

Status = dict[str, Any]


def failing(kind: FaultKind, **options: Any) -> Fault:
    """A fault of the first page of patients."""
    return Fault(kind, "patients", only_above_per_page=1, seconds=2, **options)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routiq_gql.cliniko.retries.Backoff.growing", lambda _self, _failures: 1.3)
    monkeypatch.setattr(pauses, "FIRST_PAUSE_SECONDS", 2.0)


async def until_waiting(server: Server, sync_id: str, reason: str) -> Status:
    async with asyncio.timeout(LIMIT_SECONDS):
        while (status := await server.status(sync_id))["waiting_for"] != reason:
            assert not status["completed_at"], status
            await asyncio.sleep(0.01)
    return status


@asynccontextmanager
async def watched(server: Server, sync_id: str) -> AsyncIterator[dict[str, list[Status]]]:
    """Follow the sync over every transport; after the block, all states until its end."""
    seen: dict[str, list[Status]] = {"sse": [], "socket": [], "dashboard": []}

    async def follow_stream() -> None:
        async with server.stream(sync_id) as events:
            seen["sse"] += [event.json async for event in events if event.name == ""]

    async def follow_socket() -> None:
        async with open_socket(server) as socket:
            await socket.subscribe(PROGRESS, id=sync_id)
            states = [payload["data"]["syncProgress"] for payload in await socket.results()]
        seen["socket"] += [{**one, "waiting_for": one["waitingFor"], "resumes_at": one["resumesAt"],
                            "current_step": one["currentStep"]} for one in states]  # fmt: skip

    async def follow_dashboard() -> None:
        async with open_socket(server) as socket:
            await socket.subscribe(OVERVIEW, id=ORGANIZATION)
            while (now := (await socket.receive())["payload"]["data"]["dashboardUpdated"]["currentSync"]) is not None:
                seen["dashboard"].append({"waiting_for": now["waitingFor"], "resumes_at": now["resumesAt"],
                                          "current_step": now["currentStep"]})  # fmt: skip

    async with asyncio.TaskGroup() as tasks:
        for follow in (follow_stream, follow_socket, follow_dashboard):
            tasks.create_task(follow())
        yield seen


def check(states: list[Status], *reasons: str) -> None:
    """Check these waits, each with its time and text; a state without a wait has neither, nor has the last."""
    assert [reason for reason, _ in groupby(one["waiting_for"] for one in states) if reason] == list(reasons)
    for state in states:
        is_waiting = state["waiting_for"] is not None
        assert is_waiting == (state["resumes_at"] is not None), state
        assert is_waiting == any(text in state["current_step"] for text in WAITING_TEXTS), state
    assert states[-1]["waiting_for"] is None
    assert all(before["version"] < after["version"] for before, after in pairwise(states) if "version" in before)


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("kind", "reason"), [(FaultKind.RATE_LIMIT, "RATE_LIMIT"), (FaultKind.STATUS_503, "CLINIKO_RETRY")]
)
async def test_a_wait_is_shown_on_every_transport_until_the_request_is_sent(
    server: Server, cliniko: Cliniko, kind: FaultKind, reason: str
):
    """Users read why the sync waits and until when; during the next request no countdown is shown."""
    cliniko.emulator.faults.add(failing(kind))
    sync_id = await server.start_sync()
    async with watched(server, sync_id) as seen:
        waiting = await until_waiting(server, sync_id, reason)
        assert list(waiting)[-7:-4] == ["waiting_for", "estimated_completion_range", "receipt"]
        assert (await server.ask(STATUS, id=sync_id))["data"]["syncStatus"]["waitingFor"] == reason
        overview = (await server.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json()
        assert overview["current_sync"]["waiting_for"] == reason
        cliniko.gate.hold("patients")
        await cliniko.gate.reached()
        resumed = await server.status(sync_id)
        assert (resumed["waiting_for"], resumed["resumes_at"]) == (None, None)
        assert resumed["current_step"] == "Fetching patients…"
        assert resumed["version"] > waiting["version"]
        assert datetime.fromisoformat(resumed["last_updated"]) >= datetime.fromisoformat(waiting["resumes_at"])
        cliniko.gate.open()
    for states in seen.values():
        check(states, reason)
    assert seen["sse"][-1]["status"] == "completed"


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.HANG, FaultKind.CUT_JSON, FaultKind.STATUS_403])
async def test_whatever_failed_the_repetition_is_a_retry(settings: Settings, cliniko: Cliniko, kind: FaultKind):
    """A lost connection, a timeout, half a response and a temporary refusal are all shown as a retry."""
    cliniko.emulator.faults.add(failing(kind))
    async with Server(settings.model_copy(update={"cliniko_read_timeout_seconds": 0.5})) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        sync_id = await server.start_sync()
        await until_waiting(server, sync_id, "CLINIKO_RETRY")
        final = await server.until_ended(sync_id)
        assert (final["status"], final["waiting_for"], final["resumes_at"]) == ("completed", None, None)


async def test_a_wait_for_our_own_pace_is_a_wait_for_the_rate_limit(settings: Settings, cliniko: Cliniko):
    """A wait that keeps below Cliniko's limit in advance is shown, too."""
    async with Server(settings.model_copy(update={"cliniko_requests_per_minute": 30})) as server:
        connections = server.runtime.connections
        await connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        sync_id = await server.start_sync()
        waiting = await until_waiting(server, sync_id, "RATE_LIMIT")
        assert waiting["current_step"].startswith("Waiting for Cliniko's rate limit, resuming in")
        await server.http.delete(f"/api/v1/sync/cancel/{sync_id}")


@pytest.mark.parametrize("first", [FaultKind.RATE_LIMIT, FaultKind.STATUS_503])
async def test_two_waits_in_a_row_are_shown_as_two(server: Server, cliniko: Cliniko, first: FaultKind):
    """After the second of two waits the sync shows the same as before the first."""
    reasons = {FaultKind.RATE_LIMIT: "RATE_LIMIT", FaultKind.STATUS_503: "CLINIKO_RETRY"}
    second = next(kind for kind in reasons if kind is not first)
    cliniko.emulator.faults.add(failing(first), failing(second, request_number=2))
    sync_id = await server.start_sync()
    async with watched(server, sync_id) as seen:
        await until_waiting(server, sync_id, reasons[first])
        await until_waiting(server, sync_id, reasons[second])
        cliniko.gate.hold("patients")
        await cliniko.gate.reached()
        assert (await server.status(sync_id))["current_step"] == "Fetching patients…"
        cliniko.gate.open()
    check(seen["sse"], reasons[first], reasons[second])
    check(seen["socket"], reasons[first], reasons[second])


@pytest.mark.both_databases
async def test_a_wait_for_the_database_is_shown_and_ends(server: Server, cliniko: Cliniko):
    """A full disk is shown as a wait for the database; with space again the sync continues without it."""
    cliniko.emulator.clinic = generated_clinic(600, utc_now())
    async with full_disk(server.runtime):
        sync_id = await server.start_sync()
        waiting = await until_waiting(server, sync_id, "DATABASE")
    async with watched(server, sync_id) as seen:
        pass
    assert waiting["current_step"] == "Waiting for the database…"
    for name in ("sse", "socket"):
        check(seen[name], "DATABASE")
        assert seen[name][0]["waiting_for"] == "DATABASE"
    assert seen["sse"][-1]["status"] == "completed"


@pytest.mark.parametrize("reason", ["RATE_LIMIT", "CLINIKO_RETRY", "DATABASE"])
async def test_a_sync_that_is_cancelled_in_a_wait_waits_no_more(server: Server, cliniko: Cliniko, reason: str):
    """The final state has no wait."""
    if reason == "DATABASE":
        cliniko.emulator.clinic = generated_clinic(600, utc_now())
    else:
        kind = FaultKind.RATE_LIMIT if reason == "RATE_LIMIT" else FaultKind.STATUS_503
        cliniko.emulator.faults.add(failing(kind, times=None))
    async with full_disk(server.runtime) if reason == "DATABASE" else asyncio.timeout(None):
        sync_id = await server.start_sync()
        async with watched(server, sync_id) as seen:
            await until_waiting(server, sync_id, reason)
            assert (await server.http.delete(f"/api/v1/sync/cancel/{sync_id}")).status_code == 200
    for name in ("sse", "socket"):
        check(seen[name], reason)
    assert seen["sse"][-1]["failure"]["code"] == "CANCELLED"


async def test_a_sync_that_fails_after_waits_waits_no_more(server: Server, cliniko: Cliniko):
    """A failed sync shows its failure and no wait."""
    cliniko.emulator.faults.add(failing(FaultKind.STATUS_503), failing(FaultKind.STATUS_401, request_number=2))
    sync_id = await server.start_sync()
    async with watched(server, sync_id) as seen:
        pass
    check(seen["sse"], "CLINIKO_RETRY")
    assert seen["sse"][-1]["failure"]["code"] == "KEY_REFUSED"


@pytest.mark.both_databases
async def test_a_server_that_is_stopped_leaves_no_wait_behind(settings: Settings, cliniko: Cliniko):
    """After a stop of the server, no client shows an expired countdown."""
    cliniko.emulator.faults.add(failing(FaultKind.RATE_LIMIT, times=None))
    async with Server(settings) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        sync_id = await server.start_sync()
        waiting = await until_waiting(server, sync_id, "RATE_LIMIT")
        await server.stop()
        async with open_runtime(settings, run_syncs=False) as idle:
            left = await idle.syncs.status(LOCAL_OPERATOR, sync_id)
        assert (left.waiting_for, left.resumes_at, left.current_step) == (None, None, "Fetching patients…")
        assert left.version > waiting["version"]


@pytest.mark.both_databases
async def test_a_wait_that_was_left_behind_is_over_when_the_sync_is_taken_up(settings: Settings, cliniko: Cliniko):
    """After a power cut in a wait, the next process shows no old wait."""
    async with open_runtime(settings, run_syncs=False) as idle:
        await idle.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        sync_id = (await idle.syncs.start(LOCAL_OPERATOR, ORGANIZATION)).sync.sync_id
        left = {"waiting_for": "rate_limit", "current_step": "Waiting for Cliniko's rate limit, resuming in 9 s"}
        async with idle.database.writing() as connection:
            await connection.execute(update(SYNC).values(resumes_at=utc_now(), claimed_by="a dead process", **left))
    cliniko.gate.hold("patients")
    async with Server(settings) as server:
        await cliniko.gate.reached()
        status = await server.status(sync_id)
        assert (status["waiting_for"], status["resumes_at"]) == (None, None)
        async with watched(server, sync_id) as seen:
            cliniko.gate.open()
        check(seen["sse"])


@pytest.mark.sqlite_only
async def test_a_process_that_is_killed_in_a_wait_leaves_none_to_the_next(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """After kill -9 in a minute's wait, the restarted server resumes reading and shows no countdown."""
    cliniko.emulator.faults.add(Fault(FaultKind.RATE_LIMIT, "patients", only_above_per_page=1, seconds=60))
    monkeypatch.setenv("ROUTIQ_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE", "0")
    async with open_runtime(settings, run_syncs=False) as idle:
        await idle.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        sync_id = (await idle.syncs.start(LOCAL_OPERATOR, ORGANIZATION)).sync.sync_id
    async with open_runtime(settings, run_syncs=False) as idle:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.sync.killed_process", "before", "1000000"), cwd=ROOT, env=os.environ
        )
        try:
            async with asyncio.timeout(PROCESS_SECONDS):
                while (await idle.syncs.status(LOCAL_OPERATOR, sync_id)).waiting_for is None:
                    await asyncio.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()
    cliniko.gate.hold("patients")
    async with Server(settings) as server:
        await cliniko.gate.reached()
        async with watched(server, sync_id) as seen:
            cliniko.gate.open()
        check(seen["sse"])
        assert seen["sse"][-1]["status"] == "completed"
