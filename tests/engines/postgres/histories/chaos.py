"""A run of a deployment in trouble, with clients whose history is checked afterwards."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, generated_clinic
from routiq_gql.emulator.expected import Expected
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.engines.postgres.histories.checker import report, violations
from tests.engines.postgres.histories.clients import PATIENCE_SECONDS, Operator, Reader, Scene, Server
from tests.engines.postgres.histories.deployment import Deployment
from tests.engines.postgres.histories.followers import Page, StreamReader
from tests.engines.postgres.histories.records import Answer, History, Sync, SyncList

Cast = Sequence[tuple[type[Operator | Reader | Page | StreamReader], str]]
FEW: Cast = (
    (Operator, "operator a"),
    (Operator, "operator b"),
    (Reader, "reader"),
    (Page, "page"),
    (StreamReader, "program"),
)
MANY: Cast = (*FEW, (Reader, "other reader"), (Page, "other page"))
"""The clients of each organization. Its two operators start syncs at the same time."""
ORGANIZATIONS = ("org_1", "org_2")
PATIENTS = 250
LATENCY_SECONDS = 0.04
"""A sync of the clinic takes about two seconds without trouble."""
END_SECONDS = 90
"""Within so long after the last trouble all syncs have ended, and all clients have seen it."""


@asynccontextmanager
async def connected_clinic(settings: Settings) -> AsyncIterator[Expected]:
    """An emulated clinic to which all organizations are connected. Nothing in it changes."""
    clinic = generated_clinic(PATIENTS, utc_now())
    assert clinic.expected is not None
    async with EmulatorServer(Emulator(clinic, latency_seconds=LATENCY_SECONDS)) as server:
        async with open_runtime(settings, run_syncs=False) as runtime:
            for organization in ORGANIZATIONS:
                await runtime.connections.connect(
                    LOCAL_OPERATOR, organization, EMULATED_API_KEY, server.base_url, check=False
                )
        yield clinic.expected


@dataclass
class Play:
    """The clients of a deployment, and their history."""

    deployment: Deployment
    seed: int
    cast: Cast = FEW
    history: History = field(default_factory=History)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def clients(self) -> AsyncIterator[Scene]:
        """All clients at work, until the end of the block."""
        timeout = httpx.Timeout(PATIENCE_SECONDS)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        async with httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=False) as http:
            scene = Scene(self.history, self.deployment.addresses, http)
            tasks: list[asyncio.Task[None]] = []
            for organization in ORGANIZATIONS:
                for kind, name in self.cast:
                    client = kind(f"{name} of {organization}", organization, scene, self.seed)
                    tasks.append(asyncio.create_task(client.run(), name=client.name))
            self._tasks = tasks
            try:
                yield scene
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.result()

    async def see_the_end(self, scene: Scene) -> None:
        """Start no further syncs, and wait until all syncs have ended and all clients have seen that.

        Raises:
            AssertionError: That takes longer than ``END_SECONDS``.
        """
        scene.is_over.set()
        late = set(self._tasks)
        async with asyncio.timeout(END_SECONDS * 2):
            operators = [task for task in self._tasks if task.get_name().startswith("operator")]
            await asyncio.wait(operators)
            until = time.monotonic() + END_SECONDS
            while late and time.monotonic() < until:
                # Again and again, as a start that was not answered may have its effect later.
                for organization in ORGANIZATIONS:
                    reader = Reader(f"last reader of {organization}", organization, scene, self.seed)
                    scene.newest[organization] = await _newest_when_all_have_ended(reader)
                _, late = await asyncio.wait(self._tasks, timeout=2)
        assert not late, f"{', '.join(sorted(one.get_name() for one in late))} never saw the end"
        await self._read_all(scene)

    async def _read_all(self, scene: Scene) -> None:
        """Every server shows the end of every sync, its log, its place in the list, and the dashboard."""
        for organization in ORGANIZATIONS:
            reader = Reader(f"last reader of {organization}", organization, scene, self.seed)
            for server in scene.servers:
                reader.server = server
                async with asyncio.timeout(END_SECONDS):
                    shown = await _answered(reader, server, reader.read_list)
                    assert isinstance(shown, SyncList)
                    await _answered(reader, server, reader.read_dashboard)
                    for sync in shown.syncs:
                        await _answered(reader, server, partial(reader.read_state, sync.sync_id))
                        await _answered(reader, server, partial(reader.read_log, sync.sync_id))


async def _newest_when_all_have_ended(reader: Reader) -> str:
    """The newest sync of an organization whose operators have left."""
    while True:
        shown = await reader.read_list()
        if isinstance(shown, SyncList) and all(sync.has_ended for sync in shown.syncs):
            return shown.syncs[0].sync_id
        await asyncio.sleep(0.1)


async def _answered(reader: Reader, server: Server, ask: Callable[[], Awaitable[Answer | None]]) -> Answer:
    """The server's answer; it may only just be starting again."""
    while True:
        reader.server = server
        if (answer := await ask()) is not None:
            return answer


def ends_of(history: History) -> dict[str, Sync]:
    """The final state of each sync."""
    return {
        sync.sync_id: sync
        for operation in history.operations
        for sync in operation.syncs()
        if sync.has_ended and sync.version is not None
    }


def summary(history: History, more: Counter[str]) -> str:
    """The numbers of a run, in a few lines."""
    kinds = Counter(str(one.what) for one in history.operations if one.answer is not None)
    failures = Counter(one.error for one in history.operations if one.error)
    ends = Counter(sync.status.lower() for sync in ends_of(history).values())
    seconds = history.operations[-1].returned_at if history.operations else 0
    return "\n".join(
        f"{name}: {', '.join(f'{count:,} {kind}' for kind, count in sorted(counts.items()))}"
        for name, counts in {
            f"{seconds:.0f} s, {len(history.operations):,} operations": kinds,
            "not answered": failures,
            "syncs": ends,
            "trouble": more,
        }.items()
    )


def check(history: History, expected: Expected, folder: Path, seed: int) -> None:
    """Every promise holds, every completed sync shows the clinic's figures, and no server had an error of its own."""
    began = time.monotonic()
    found = report(violations(history))
    figures = {
        "patientsFound": expected.patients_found,
        "appointmentsFound": expected.appointments_found,
        "activePatientsStored": len(expected.active),
    }
    for sync in ends_of(history).values():
        shown = {name: sync.figures[name] for name in figures}
        if sync.status == "FAILED" or (sync.status == "COMPLETED" and shown != figures):
            found += f"\n{sync.sync_id} is {sync.status} with {dict(sync.figures)}; the clinic has {figures}."
    for operation in history.operations:
        if operation.error and operation.error not in UNAVAILABLE:
            found += f"\nA server answers with an error: {operation}"
    print(f"checked in {time.monotonic() - began:.1f} s")
    if found:
        path = history.write(folder / "history.jsonl")
        raise AssertionError(f"{found.strip()}\nseed {seed}; the history: {path}; to judge it again: {AGAIN} {path}")


UNAVAILABLE = frozenset(
    {
        "DATABASE_AWAY",
        "TOO_SLOW",
        *("ConnectError", "ConnectTimeout", "ReadError", "ReadTimeout", "WriteError", "WriteTimeout"),
        *("RemoteProtocolError", "PoolTimeout"),
    }
)
"""Failures that clients must expect while processes end, the database is down, or the machine is overloaded."""
AGAIN = "python -m tests.engines.postgres.histories"
