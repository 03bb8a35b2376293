"""After kill -9 at any moment the same sync resumes by itself, without losses or repeated pages, and ends correctly."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Clinic, EmulatorServer, RecordedRequest, generated_clinic
from routiq_gql.emulator import Emulator as EmulatedCliniko
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from tests.forked import Started
from tests.forked import start as start_module
from tests.organization import ORGANIZATION
from tests.sync.pages import pages_of_lists, reads_last_list
from tests.syncs import ACTIVITY_COLUMNS, run_sync, shown_rows, start, stored_rows
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.sqlite_only  # with PostgreSQL other workers resume; see engines/postgres/test_chaos.py

ROOT = Path(__file__).parents[2]
PATIENTS = 450
"""Five pages of patients, more of appointments."""


def clinic_of(patients: int = PATIENTS) -> Clinic:
    return generated_clinic(patients, utc_now())


class Victims:
    """Processes that run syncs on a database, one after the other, each of them killed."""

    def __init__(self, settings: Settings, runtime: Runtime, emulator: EmulatedCliniko) -> None:
        self.runtime = runtime
        self.emulator = emulator
        self._environment = {
            **os.environ,
            "ROUTIQ_DATABASE_URL": settings.database_url,
            "ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE": "0",
            "ROUTIQ_CLINIKO_RETRY_SECONDS": "0.01",
            "ROUTIQ_STARTS_PER_MINUTE": "1000",
            "ROUTIQ_LOG_LEVEL": "ERROR",
        }
        self.snapshots: list[SyncSnapshot] = []
        self.pages: list[list[RecordedRequest]] = []
        self._compares = False

    def start_process(self, module: str, *arguments: str) -> Started:
        return start_module(*arguments, module=module, cwd=ROOT, env=self._environment)

    async def run(self, sync_id: str, module: str, *arguments: str, kill_after: float | None = None) -> bool:
        """Start a process and wait until it is killed; returns whether it was, or else ended all syncs."""
        already = len(self.emulator.requests)
        process = self.start_process(module, *arguments)
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                if kill_after is not None:
                    await self._until_requests_or_end(sync_id, already, process)
                    await asyncio.sleep(kill_after)
                    process.kill()
                code = await asyncio.to_thread(process.wait)
        finally:
            process.kill()
        assert code in {0, -signal.SIGKILL}
        self.snapshots.append(await self.runtime.syncs.status(LOCAL_OPERATOR, sync_id))
        requests = self.emulator.requests[already:]
        self.pages.append([] if self._compares else pages_of_lists(requests))
        self._compares = self._compares or any(reads_last_list(request) for request in requests)
        return code != 0

    async def _until_requests_or_end(self, sync_id: str, already: int, process: Started) -> None:
        """Wait for a request to Cliniko or the end of the sync. A server killed after the last page sends no further
        request, and does not end by itself.
        """
        while len(self.emulator.requests) == already and process.poll() is None:
            if (await self.runtime.syncs.status(LOCAL_OPERATOR, sync_id)).is_terminal:
                return
            await asyncio.sleep(0.01)

    async def check(self, sync_id: str, undisturbed: int) -> None:
        """Progress never decreased, the log has every line once, and only the unfinished page was read again; a whole
        sync reads ``undisturbed`` pages.
        """
        for before, after in pairwise(self.snapshots):
            assert after.version >= before.version
            assert after.progress_percentage >= before.progress_percentage
            assert after.last_log_seq >= before.last_log_seq
        last = self.snapshots[-1]
        assert (last.status, last.progress_percentage) == (SyncState.COMPLETED, 100)
        lines = await self.runtime.syncs.log(LOCAL_OPERATOR, sync_id, after=0, limit=100)
        assert [line.seq for line in lines] == list(range(1, len(lines) + 1))

        read: set[object] = set()
        in_flight: object = None
        again = 0
        for segment in self.pages:
            for number, request in enumerate(segment):
                page = (request.resource, request.parameters)
                if page in read:
                    assert number == 0
                    assert page == in_flight
                    again += 1
                read.add(page)
                in_flight = page
        assert len(read) == undisturbed
        assert again <= len(self.pages) - 1


@asynccontextmanager
async def prepared(settings: Settings, clinic: Clinic) -> AsyncIterator[tuple[Victims, int]]:
    """A connected database without a process that runs syncs, and the number of pages of a whole sync."""
    emulator = EmulatedCliniko(clinic)
    async with EmulatorServer(emulator) as server, open_runtime(settings, run_syncs=False) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, server.base_url, check=False)
        elsewhere = settings.model_copy(update={"database_url": settings.database_url + ".undisturbed"})
        async with open_runtime(elsewhere) as other:
            await other.connections.connect(
                LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, server.base_url, check=False
            )
            await run_sync(other)
            expected = dict(await shown_rows(other.database))
        pages = len(pages_of_lists(emulator.requests))
        assert pages > 5
        yield Victims(settings, runtime, emulator), pages
        ended = dict(await shown_rows(runtime.database))
        place = ACTIVITY_COLUMNS.index("is_active")
        for rows in (ended, expected):  # a patient of an earlier sync may have been active, or may become active
            rows["active_patients"] = [row for row in rows["active_patients"] if row[place]]
        assert ended == expected
        assert clinic.expected is not None
        stats = (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).patient_stats
        assert stats.active_patients == len(clinic.expected.recent | clinic.expected.upcoming)


def _at_a_commit(chance: random.Random, kills: int) -> tuple[str, ...]:
    """Arguments of a process that kills itself at a commit: later each time, as a comparison starts over."""
    number = chance.randint(4, 12) + 2 * kills
    return "tests.sync.killed_process", chance.choice(["before", "after"]), str(number)


async def kill_at_commits(settings: Settings, seed: int) -> int:
    """Kill at random commits, before or after, until a sync is complete; returns how often."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    async with prepared(settings, clinic_of()) as (victims, pages):
        sync_id = await start(victims.runtime)
        kills = 0
        while await victims.run(sync_id, *_at_a_commit(chance, kills)):
            kills += 1
        await victims.check(sync_id, pages)
    return kills


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_commits(settings: Settings, seed: int):
    """Killed repeatedly just before or after a commit, the sync ends like an undisturbed sync."""
    assert await kill_at_commits(settings, seed) >= 3


@pytest.mark.parametrize("seed", [1, 2])
async def test_an_incremental_sync_killed_at_commits(settings: Settings, seed: int):
    """Killed repeatedly just before or after a commit, an incremental sync still finds every change."""
    chance = random.Random(seed)
    clinic = clinic_of(150)
    emulator = EmulatedCliniko(clinic)
    async with EmulatorServer(emulator) as server, open_runtime(settings, run_syncs=False) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, server.base_url, check=False)
        victims = Victims(settings, runtime, emulator)
        async with open_runtime(settings) as earlier:
            await run_sync(earlier)
        before = await shown_rows(victims.runtime.database)
        edit(clinic)
        sync_id = await start(victims.runtime, mode=SyncMode.INCREMENTAL)
        kills = 0
        while await victims.run(sync_id, *_at_a_commit(chance, kills)):
            kills += 1
        assert kills >= 3
        last = victims.snapshots[-1]
        assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.INCREMENTAL)
        assert last.receipt is not None
        assert last.receipt.agrees
        found = await shown_rows(victims.runtime.database)
        assert found != before
        async with open_runtime(settings) as later:
            await run_sync(later)
            assert await shown_rows(later.database) == found


def edit(clinic: Clinic) -> None:
    """Changes of every list, among them a merge and a class with old attendees."""
    patients = [str(one) for one in clinic.patients.ids()]
    for patient in patients[:120]:
        clinic.rename(patient, first_name="Zoë")
    clinic.merge(patients[0], patients[1])
    made = clinic.insert_class(utc_now() + timedelta(days=2))
    clinic.insert_attendee(made, patients[2], at=utc_now() - timedelta(days=50))
    clinic.remove("individual_appointments", str(clinic.individual_appointments.ids()[0]))


@pytest.mark.soak
async def test_killed_at_commits_many_times(tmp_path: Path, settings: Settings):
    """The same with other random numbers each time."""
    for number in range(20):
        seed = random.randrange(10**9)
        database_url = f"sqlite+aiosqlite:///{tmp_path}/{number}.db"
        await kill_at_commits(settings.model_copy(update={"database_url": database_url}), seed)


async def test_killed_inside_the_storing_transaction(settings: Settings):
    """After a kill during publication, readers still see the previous result, and then the new result."""
    async with prepared(settings, clinic_of()) as (victims, pages):
        victims.emulator.clinic = clinic_of(120)
        async with open_runtime(settings) as earlier:
            await run_sync(earlier)
        before = await stored_rows(victims.runtime.database)
        victims.emulator.clinic = clinic_of()
        sync_id = await start(victims.runtime)
        assert await victims.run(sync_id, "tests.sync.killed_process", "storing", "0")
        assert victims.snapshots[-1].status is SyncState.STORING
        assert await stored_rows(victims.runtime.database) == before
        assert not await victims.run(sync_id, "tests.sync.killed_process", "after", "0")
        assert victims.pages[1] == [], "all pages were stored already"
        await victims.check(sync_id, pages)


async def kill_at_any_time(settings: Settings, seed: int) -> int:
    """Kill a real server at random moments, until a sync is complete; returns how often."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    async with prepared(settings, clinic_of()) as (victims, pages):
        victims.emulator.latency_seconds = 0.02
        sync_id = await start(victims.runtime)
        kills = 0
        while not (await victims.runtime.syncs.status(LOCAL_OPERATOR, sync_id)).is_terminal:
            arguments = ("routiq_gql", "serve", "--port", "0")
            await victims.run(sync_id, *arguments, kill_after=chance.uniform(0, 0.3) + 0.1 * kills)
            kills += 1
        await victims.check(sync_id, pages)
    return kills


async def test_a_server_killed_at_any_time(settings: Settings):
    """A server that loses its power repeatedly still completes the sync."""
    assert await kill_at_any_time(settings, 3) >= 3


@pytest.mark.soak
async def test_a_server_killed_at_any_time_many_times(tmp_path: Path, settings: Settings):
    """The same with other random numbers each time."""
    for number in range(12):
        database_url = f"sqlite+aiosqlite:///{tmp_path}/{number}.db"
        await kill_at_any_time(settings.model_copy(update={"database_url": database_url}), random.randrange(10**9))


async def test_after_sigterm_the_next_server_resumes_the_sync(settings: Settings):
    """After SIGTERM the server exits within its grace period, and the next server resumes the sync."""
    async with prepared(settings, clinic_of()) as (victims, _pages):
        victims.emulator.latency_seconds = 0.05
        already = len(victims.emulator.requests)
        sync_id = await start(victims.runtime)
        process = victims.start_process("routiq_gql", "serve", "--port", "0")
        async with asyncio.timeout(LIMIT_SECONDS):
            while not pages_of_lists(victims.emulator.requests[already:]):
                await asyncio.sleep(0.01)
            process.terminate()
            assert await asyncio.to_thread(process.wait) == 0
        left = await victims.runtime.syncs.status(LOCAL_OPERATOR, sync_id)
        assert not left.is_terminal
        victims.emulator.latency_seconds = 0
        victims.snapshots.append(left)
        assert not await victims.run(sync_id, "tests.sync.killed_process", "after", "0")
        assert victims.snapshots[-1].status is SyncState.COMPLETED
