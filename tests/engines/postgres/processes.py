"""Worker and API processes on one PostgreSQL, restarted when they exit, as a service manager does."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Clinic, Emulator, EmulatorServer, generated_clinic
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncSnapshot, SyncState
from tests.forked import Started, start

ROOT = Path(__file__).parents[3]
LIMIT_SECONDS = 100
"""Far more than any step takes, so that only a real fault exceeds it."""


def environment(settings: Settings) -> dict[str, str]:
    """The environment for a process that works on the same database."""
    return {
        **os.environ,
        "ROUTIQ_DATABASE_URL": settings.database_url,
        "ROUTIQ_ENCRYPTION_KEYS": settings.encryption_keys,
        "ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE": str(settings.cliniko_requests_per_minute),
        "ROUTIQ_CLINIKO_RETRY_SECONDS": "0.05",
        "ROUTIQ_WORKER_MAX_SYNCS": str(settings.worker_max_syncs),
        "ROUTIQ_LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
    }


class Process:
    """A ``routiq-gql`` process. With ``is_kept``, it is restarted when it exits without a signal from the test.

    Args:
        more: Further environment variables, called at each start.
        log: A file for its log. Without it, the log is part of the test's output.
    """

    def __init__(
        self,
        settings: Settings,
        *arguments: str,
        is_kept: bool = True,
        more: Callable[[], Mapping[str, str]] = dict,
        log: Path | None = None,
    ) -> None:
        self._arguments = arguments
        self._environment = environment(settings)
        self._more = more
        self._log = log
        self._is_kept = is_kept
        self._keeper: asyncio.Task[None] | None = None
        self._process: Started
        self.lines: list[str] = []
        self.codes: list[int] = []

    async def __aenter__(self) -> Self:
        await self._start()
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._is_kept = False
        self.send(signal.SIGKILL)
        if self._keeper is not None:
            await self._keeper

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        if self.is_running:
            self._process.send_signal(number)

    async def leave(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code; the process is not restarted."""
        self._is_kept = False
        self.send(number)
        async with asyncio.timeout(LIMIT_SECONDS):
            return await self._ended()

    async def until_printed(self, text: str) -> str:
        """The first line with ``text``."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                for line in self.lines:
                    if text in line:
                        return line
                await asyncio.sleep(0.02)

    async def _start(self) -> None:
        with self._log.open("ab") if self._log is not None else nullcontext() as log:
            self._process = start(
                *self._arguments,
                cwd=ROOT,
                env={**self._environment, **self._more()},
                stdout=subprocess.PIPE,
                stderr=None if log is None else log.fileno(),
            )

    async def _keep(self) -> None:
        while True:
            await self._read_lines()
            self.codes.append(await self._ended())
            if not self._is_kept:
                return
            await self._start()

    async def _read_lines(self) -> None:
        """Until the process closes its output."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._process.stdout
        )
        try:
            async for line in reader:
                self.lines.append(line.decode().rstrip())
        finally:
            transport.close()

    async def _ended(self) -> int:
        """The exit code."""
        while (code := self._process.poll()) is None:
            await asyncio.sleep(0.02)
        return code


def worker(settings: Settings, *, is_kept: bool = True) -> Process:
    return Process(settings, "worker", is_kept=is_kept)


class Clinics:
    """Many organizations connected to an emulated clinic, and their syncs."""

    def __init__(self, runtime: Runtime, emulator: Emulator, organizations: list[str]) -> None:
        self.runtime = runtime
        self.emulator = emulator
        self.organizations = organizations
        self.sync_ids: list[str] = []

    async def start(self) -> None:
        for organization in self.organizations:
            started = await self.runtime.syncs.start(LOCAL_OPERATOR, organization)
            assert started.created
            self.sync_ids.append(started.sync.sync_id)

    async def snapshots(self) -> list[SyncSnapshot]:
        return [await self.runtime.syncs.status(LOCAL_OPERATOR, sync_id) for sync_id in self.sync_ids]

    async def until(self, condition: Callable[[list[SyncSnapshot]], bool]) -> list[SyncSnapshot]:
        """The first matching snapshots."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                snapshots = await self.snapshots()
                if condition(snapshots):
                    return snapshots
                await asyncio.sleep(0.05)

    async def until_all_read(self) -> None:
        """Every sync has stored some patients and none has ended, so there is work to lose."""
        reached = await self.until(lambda all_of: all(one.patients_found > 0 for one in all_of))
        assert not any(one.is_terminal for one in reached)

    async def until_ended(self) -> None:
        """Every sync has ended correctly: exact figures, a complete log, a single row in each history."""
        async with asyncio.timeout(LIMIT_SECONDS):
            for sync_id in self.sync_ids:
                seen = [one async for one in self.runtime.syncs.watch(LOCAL_OPERATOR, sync_id)]
                assert seen[-1].status is SyncState.COMPLETED, seen[-1].failure
        expected = self.emulator.clinic.expected
        assert expected is not None
        for organization, last in zip(self.organizations, await self.snapshots(), strict=True):
            assert last.patients_found == expected.patients_found
            assert last.appointments_found == expected.appointments_found
            assert last.active_patients_stored == len(expected.active)
            lines = await self.runtime.syncs.log(LOCAL_OPERATOR, last.sync_id, after=0)
            assert [line.seq for line in lines] == list(range(1, last.last_log_seq + 1))
            assert sum(line.message.startswith("Stored ") for line in lines) == 1
            history = await self.runtime.syncs.history(LOCAL_OPERATOR, organization)
            assert (history.total_syncs, history.successful_syncs) == (1, 1)
            stats = (await self.runtime.syncs.dashboard(LOCAL_OPERATOR, organization)).patient_stats
            assert stats.active_patients == len(expected.active)
            assert stats.total_patients == len(expected.active)


@asynccontextmanager
async def clinics(
    settings: Settings, number: int, patients: int = 450, *, latency_seconds: float
) -> AsyncIterator[Clinics]:
    """Connected organizations, and a process that starts and watches syncs but runs none."""
    clinic: Clinic = generated_clinic(patients, utc_now())
    emulator = Emulator(clinic, latency_seconds=latency_seconds)
    async with EmulatorServer(emulator) as server, open_runtime(settings, run_syncs=False) as runtime:
        organizations = [f"org_{one}" for one in range(number)]
        for organization in organizations:
            await runtime.connections.connect(
                LOCAL_OPERATOR, organization, EMULATED_API_KEY, server.base_url, check=False
            )
        yield Clinics(runtime, emulator, organizations)
