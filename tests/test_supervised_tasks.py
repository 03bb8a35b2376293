"""Every task that lives as long as the process survives any error, is reported meanwhile, and is registered."""

import asyncio
import errno
import itertools
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout
from structlog.testing import capture_logs

import routiq_gql
from routiq_gql import supervision
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.engines import embedded, file_watch
from routiq_gql.engines.postgres import bus, patrol, watchdog
from routiq_gql.errors import Forbidden
from routiq_gql.security import flushing, jwks
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import LOCAL_OPERATOR, Viewer
from routiq_gql.settings import Settings
from routiq_gql.supervision import SupervisedTask
from routiq_gql.webhooks import delivering
from tests.descriptors import no_descriptors
from tests.emulated_cliniko import Cliniko
from tests.issuing import OURS, issuing, jwt_settings, use_token
from tests.server import Server
from tests.waiting import LIMIT_SECONDS

PACKAGE = str(Path(routiq_gql.__file__).parent)
NOT_LASTING = {"readiness", "sync_"}
"""Beginnings of the names of tasks that end with their request or sync."""
ERRORS: list[Callable[[], Exception]] = [
    lambda: OSError(errno.EMFILE, "Too many open files"),
    lambda: PoolTimeout("QueuePool limit reached"),
    lambda: RuntimeError("can't start new thread"),
    lambda: sqlite3.OperationalError("unable to open database file"),
]


class Breaker:
    """Makes attempts of a long-lived task fail, including the running attempt."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken: str | None = None
        self._errors = itertools.cycle(ERRORS)
        attempt, attempt_blocking = SupervisedTask.attempt, SupervisedTask.attempt_blocking
        breaker = self

        async def breakable(task: SupervisedTask, step: Callable[[], Awaitable[Any]]) -> Any:
            async def watched() -> Any:
                running = asyncio.ensure_future(step())
                try:
                    while not running.done():
                        breaker._raise_if_broken(task)
                        await asyncio.wait({running}, timeout=0.02)
                    breaker._raise_if_broken(task)
                    return running.result()
                finally:
                    if not running.done():
                        running.cancel()
                        await asyncio.wait({running})

            return await attempt(task, watched)

        def breakable_blocking(task: SupervisedTask, step: Callable[[], Any]) -> Any:
            def watched() -> Any:
                breaker._raise_if_broken(task)
                return step()

            return attempt_blocking(task, watched)

        monkeypatch.setattr(SupervisedTask, "attempt", breakable)
        monkeypatch.setattr(SupervisedTask, "attempt_blocking", breakable_blocking)

    def _raise_if_broken(self, task: SupervisedTask) -> None:
        if task.name == self.broken:
            raise next(self._errors)()


async def _ready(server: Server) -> tuple[int, str]:
    answer = await server.http.get("/readyz")
    return answer.status_code, answer.json().get("detail", "")


async def _until_ready_says(server: Server, status: int, text: str = "") -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            found, detail = await _ready(server)
            if found == status and text in detail:
                return
            await asyncio.sleep(0.02)


def _names_of_ours() -> set[str]:
    """The asyncio tasks of our code, and our threads."""
    tasks = {
        task.get_name()
        for task in asyncio.all_tasks()
        if (code := getattr(task.get_coro(), "cr_code", None)) is not None and code.co_filename.startswith(PACKAGE)
    }
    threads = {thread.name for thread in threading.enumerate() if thread.name == "watchdog"}
    return {name for name in tasks | threads if not name.startswith(tuple(NOT_LASTING))}


async def _write_to(audit: Audit, viewer: Viewer) -> None:
    """Give the tasks of the audit log something to write."""
    audit.refused(Forbidden("no"), Action.READ, viewer)
    await audit.read(viewer, Action.PATIENTS, OURS, count=1)


@pytest.fixture
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(flushing, "FLUSH_SECONDS", 0.05)
    for module in (watchdog, patrol, file_watch, delivering):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(bus, "SIGN_OF_LIFE_SECONDS", 0.2)
    monkeypatch.setattr(embedded, "LOOK_INTERVAL_SECONDS", 0.05)


@pytest.mark.both_databases
@pytest.mark.usefixtures("_short_waits")
async def test_each_lasting_task_survives_any_error_and_is_reported_meanwhile(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """After any error in the background, the probe names the effect, and recovers by itself."""
    breaker = Breaker(monkeypatch)
    cliniko.gate.hold("patients")
    async with Server(settings.model_copy(update={"reread_seconds": 0.05})) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        sync_id = await server.start_sync()
        await cliniko.gate.reached()
        await _until_ready_says(server, 200)
        names = {task.name for task in server.runtime.supervisor}
        assert {"sync engine", "scheduler", "housekeeping", "signs of life", "audit log", "audit of reads"} <= names
        for name in names:
            breaker.broken = name
            viewer = Viewer(subject=name, address="192.0.2.1")
            await _write_to(server.runtime.audit, viewer)
            if name == "file watch" and server.runtime.database.path is None:
                continue
            with capture_logs() as logged:
                await _until_ready_says(server, 503, f"“{name}”")
                (task,) = (one for one in server.runtime.supervisor if one.name == name)
                async with asyncio.timeout(LIMIT_SECONDS):
                    while task.attempts_failed < 4:  # once with each error
                        await _write_to(server.runtime.audit, viewer)
                        await asyncio.sleep(0.02)
                breaker.broken = None
                await _until_ready_says(server, 200)
            told = [line for line in logged if line["event"] == "task_failing" and line["task"] == name]
            assert 1 <= len(told) <= 4, f"{name}: one line for each different failure"
        cliniko.gate.open()
        assert (await server.until_ended(sync_id))["status"] == "completed"


@pytest.mark.both_databases
@pytest.mark.usefixtures("_short_waits")
async def test_no_lasting_task_is_forgotten(settings: Settings, cliniko: Cliniko):
    """Each long-lived task is registered; otherwise its failure would not be reported."""
    before = _names_of_ours()
    cliniko.gate.hold("patients")
    async with Server(settings) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        sync_id = await server.start_sync()
        await cliniko.gate.reached()
        await _write_to(server.runtime.audit, LOCAL_OPERATOR)
        known = {task.name for task in server.runtime.supervisor}
        found = _names_of_ours() - before - {"MainThread"}
        found = {name for name in found if not name.startswith("Task-")}  # those of uvicorn and the test
        assert found, "a server has lasting tasks"
        assert found <= known
        expected = {"sync engine", "webhooks", "signs of life", "audit log", "audit of reads"}
        if server.runtime.database.path is None:
            expected |= {"patrol", "watchdog", "bus sender", "bus listener", "bus reader"}
        else:
            expected |= {"file watch"}
        assert expected <= found
        cliniko.gate.open()
        await server.until_ended(sync_id)


@pytest.mark.sqlite_only
@pytest.mark.usefixtures("_short_waits")
async def test_a_process_that_ran_out_of_files_takes_over_afterwards(settings: Settings, cliniko: Cliniko):
    """After a shortage of descriptors, a waiting process can still take over the syncs."""
    async with Server(settings) as holder, Server(settings) as waiting:
        assert not waiting.runtime.engine.runs_here
        with capture_logs() as logged, no_descriptors():
            async with asyncio.timeout(LIMIT_SECONDS):
                while not any(line["event"] == "task_failing" for line in logged):
                    await asyncio.sleep(0.01)
        assert any("ulimit -n" in line["reason"] for line in logged if line["event"] == "task_failing")
        await _until_ready_says(waiting, 200)
        await holder.stop()
        await waiting.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        assert (await waiting.until_ended(await waiting.start_sync()))["status"] == "completed"


@pytest.mark.usefixtures("_short_waits")
async def test_public_keys_are_fetched_again_after_any_error(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """An error while fetching keys affects no valid token, is reported, and passes."""
    monkeypatch.setattr(jwks, "REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(jwks, "UNKNOWN_KEY_SECONDS", 0.0)
    is_broken = False
    download = jwks.KeySet._download

    async def broken(keys: jwks.KeySet) -> bytes:
        if is_broken:
            raise OSError(errno.EMFILE, "Too many open files")
        return await download(keys)

    monkeypatch.setattr(jwks.KeySet, "_download", broken)
    async with issuing() as issuer_server:
        issuer = issuer_server.issuer
        async with Server(jwt_settings(settings, issuer, auth_grace_seconds=60)) as server:
            use_token(server, issuer.token(OURS, lifetime_seconds=600))
            dashboard = f"/api/v1/sync/dashboard/{OURS}"
            assert (await server.http.get(dashboard)).status_code == 200
            is_broken = True
            assert (await server.http.get(dashboard)).status_code == 200
            await _until_ready_says(server, 503, "“public keys”")
            assert (await server.http.get(dashboard)).status_code == 200
            is_broken = False
            await _until_ready_says(server, 200)
