"""Servers and workers as real processes on one PostgreSQL, with clocks that differ by minutes."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from routiq_gql.settings import Settings
from tests.engines.postgres.histories.clients import Server
from tests.engines.postgres.histories.followers import HEARTBEAT_SECONDS
from tests.engines.postgres.processes import Process
from tests.ports import free_port

CHILD = Path(__file__).parent / "child"
CLOCKS_SECONDS = (0, 0, -240, -90, 45, 180, 300)
"""How far the wall clock of a process may be ahead. Each start of a process draws one."""


@dataclass(frozen=True)
class Member:
    """A process of the deployment.

    Attributes:
        ready_text: A part of the line that it prints when it is ready for work.
    """

    name: str
    process: Process
    ready_text: str

    @property
    def times_ready(self) -> int:
        """How often it has become ready, after its first start and after restarts."""
        return sum(self.ready_text in line for line in self.process.lines)


@dataclass(frozen=True)
class Deployment:
    """Running servers and workers.

    Attributes:
        addresses: The servers, as clients know them.
        log: The log of all processes.
        clocks: How many processes were started with each wall clock.
    """

    servers: Sequence[Member]
    workers: Sequence[Member]
    addresses: Sequence[Server]
    log: Path
    clocks: Counter[int]


@asynccontextmanager
async def deployment(
    settings: Settings, folder: Path, seed: int, *, servers: int = 2, workers: int = 3, stale_seconds: float = 0
) -> AsyncIterator[Deployment]:
    """The processes, ready for requests.

    Args:
        stale_seconds: For how long the last server remembers what it has read from the database.
    """
    random = Random(f"clocks {seed}")
    clocks: Counter[int] = Counter()
    log = folder / "processes.log"

    def environment(stale: float = 0) -> dict[str, str]:
        seconds = random.choice(CLOCKS_SECONDS)
        clocks[seconds] += 1
        return {
            "PYTHONPATH": str(CHILD),
            "CHAOS_CLOCK_SECONDS": str(seconds),
            "CHAOS_STALE_SECONDS": str(stale),
            "ROUTIQ_STARTS_PER_MINUTE": "1000",
            "ROUTIQ_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
            "ROUTIQ_SHUTDOWN_GRACE_SECONDS": "2",
        }

    async with AsyncExitStack() as stack:
        serving, working, addresses = [], [], []
        for number in range(1, workers + 1):
            process = Process(settings, "worker", more=environment, log=log)
            working.append(Member(f"worker {number}", process, "Runs up to"))
        for number in range(1, servers + 1):
            port = free_port()
            more = partial(environment, stale_seconds if number == servers else 0)
            process = Process(settings, "serve", "--port", str(port), more=more, log=log)
            serving.append(Member(f"server {number}", process, "/graphql"))
            addresses.append(Server(f"server {number}", f"http://127.0.0.1:{port}"))
        for member in (*working, *serving):
            await stack.enter_async_context(member.process)
        for member in (*working, *serving):
            await member.process.until_printed(member.ready_text)
        yield Deployment(serving, working, addresses, log, clocks)
