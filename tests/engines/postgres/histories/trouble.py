"""Trouble for a deployment: processes are killed, frozen and restarted, connections are cut, and PostgreSQL restarts.

A seed decides the plan. The moments differ between runs, since the processes are real.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from random import Random

import psycopg
from sqlalchemy import make_url

from tests.engines.postgres.histories.deployment import Deployment, Member
from tests.engines.postgres.processes import LIMIT_SECONDS
from tests.postgres import Cluster

KINDS = frozenset(
    {
        *("worker killed", "worker restarted", "worker frozen", "worker frozen longer than its heartbeat"),
        *("server killed", "server restarted", "server frozen", "connections cut", "database restarted"),
    }
)
SHORT_FREEZE_SECONDS = (0.5, 3.0)
LONG_FREEZE_SECONDS = (11.0, 14.0)
"""Longer than the 10 s without a heartbeat after which other workers continue the syncs of a worker."""
DOWN_SECONDS = (0.0, 2.0)


class Troublemaker:
    """Causes trouble.

    Args:
        pause_seconds: The shortest and the longest pause between two troubles.

    Attributes:
        caused: How often each kind of trouble was caused.
    """

    def __init__(
        self,
        deployment: Deployment,
        cluster: Cluster,
        database_url: str,
        seed: int,
        pause_seconds: tuple[float, float],
    ) -> None:
        self.caused: Counter[str] = Counter()
        self._deployment = deployment
        self._cluster = cluster
        self._url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._random = Random(f"trouble {seed}")
        self._pause_seconds = pause_seconds
        self._busy: set[str] = set()
        self._starting: dict[str, int] = {}
        """Processes that are starting again, and how often that was disturbed."""
        workers, servers = deployment.workers, deployment.servers
        self._methods: dict[str, Callable[[str], Coroutine[None, None, None]]] = {
            "worker killed": lambda kind: self._kill(kind, workers, signal.SIGKILL),
            "worker restarted": lambda kind: self._kill(kind, workers, signal.SIGTERM),
            "worker frozen": lambda kind: self._freeze(kind, workers, SHORT_FREEZE_SECONDS),
            "worker frozen longer than its heartbeat": lambda kind: self._freeze(kind, workers, LONG_FREEZE_SECONDS),
            "server killed": lambda kind: self._kill(kind, servers, signal.SIGKILL),
            "server restarted": lambda kind: self._kill(kind, servers, signal.SIGTERM),
            "server frozen": lambda kind: self._freeze(kind, servers, SHORT_FREEZE_SECONDS),
            "connections cut": self._cut,
            "database restarted": self._restart_database,
        }
        assert self._methods.keys() == KINDS

    async def run(self, kinds: Collection[str], enough: asyncio.Event) -> None:
        """Cause trouble of these kinds, in random order and all equally often, until the event is set.

        Returns when processes and the database are up again. Each kind is caused at least once.
        """
        left: list[str] = []
        async with asyncio.TaskGroup() as group:
            while not (enough.is_set() and self.caused.keys() >= set(kinds)):
                left = left or self._random.sample(sorted(kinds), len(kinds))
                kind = left.pop()
                group.create_task(self._methods[kind](kind))
                try:
                    async with asyncio.timeout(self._random.uniform(*self._pause_seconds)):
                        await enough.wait()
                        await asyncio.sleep(self._pause_seconds[0])
                except TimeoutError:
                    pass

    async def _kill(self, kind: str, members: Sequence[Member], number: signal.Signals) -> None:
        """End a process, and wait until it is ready again; its keeper restarts it."""
        with self._chosen(kind, members) as member:
            if member is not None:
                times, until = member.times_ready, time.monotonic() + LIMIT_SECONDS
                member.process.send(number)
                self._starting[member.name] = 0
                while member.times_ready == times:
                    if time.monotonic() > until:
                        member.process.send(signal.SIGUSR1)  # its stacks go to the log
                        await asyncio.sleep(1)
                        ended = member.process.codes
                        raise AssertionError(f"{member.name}: {kind}, and not ready after {LIMIT_SECONDS} s; {ended}")
                    await asyncio.sleep(0.05)
                del self._starting[member.name]

    async def _freeze(self, kind: str, members: Sequence[Member], seconds: tuple[float, float]) -> None:
        with self._chosen(kind, members) as member:
            if member is not None:
                member.process.send(signal.SIGSTOP)
                try:
                    await asyncio.sleep(self._random.uniform(*seconds))
                finally:
                    member.process.send(signal.SIGCONT)

    async def _cut(self, kind: str) -> None:
        """PostgreSQL ends some of the connections, as an idle firewall or an administrator would."""
        async with self._database(kind) as is_free:
            if not is_free:
                return
            share = self._random.choice((0.2, 0.5, 1.0))
            query = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < %s"
            )
            async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
                await connection.execute(query, (share,))

    async def _restart_database(self, kind: str) -> None:
        """Stop it as a power cut would, and start it again."""
        async with self._database(kind) as is_free:
            if not is_free:
                return
            await asyncio.to_thread(self._cluster.stop)
            try:
                await asyncio.sleep(self._random.uniform(*DOWN_SECONDS))
            finally:
                await asyncio.shield(asyncio.to_thread(self._cluster.start))

    @asynccontextmanager
    async def _database(self, kind: str) -> AsyncIterator[bool]:
        """Whether the database has no other trouble. Waits for processes whose start was already disturbed.

        On a slow machine a process would never start if each of its attempts met a database in trouble.
        """
        if "database" in self._busy:
            yield False
            return
        self._busy.add("database")
        while any(self._starting.values()):
            await asyncio.sleep(0.05)
        self._starting = {name: times + 1 for name, times in self._starting.items()}
        self.caused[kind] += 1
        try:
            yield True
        finally:
            self._busy.discard("database")

    @contextmanager
    def _chosen(self, kind: str, members: Sequence[Member]) -> Iterator[Member | None]:
        """A running process without other trouble; ``None`` if no other process of its kind would be left."""
        free = [member for member in members if member.name not in self._busy and member.process.is_running]
        if len(free) < 2:
            yield None
            return
        chosen = self._random.choice(free)
        self._busy.add(chosen.name)
        self.caused[kind] += 1
        try:
            yield chosen
        finally:
            self._busy.discard(chosen.name)
