"""The product, with syncs that make progress on command: ``python -m tests.bench.live.routiq_server PORT SYNCS``.

It is the product with its API, engine and database. Only the eight steps are replaced, and heartbeats are left out, so
that a sync changes on command only. ``publish`` publishes made-up states to the bus, as after a commit; ``commit``
stores a checkpoint as after a page of patients. Commits are not part of a saturated run, as the disk would limit it.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Engine, event

from routiq_gql.app import create_app
from routiq_gql.cliniko import Horizon
from routiq_gql.clock import utc_now
from routiq_gql.database.syncs import insert_sync
from routiq_gql.engines import opening
from routiq_gql.live.bus import InProcessBus
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.serving.open_files import raise_limit
from routiq_gql.serving.server import listen_on_loopback, serve
from routiq_gql.settings import Settings
from routiq_gql.sync import runner
from routiq_gql.sync.checkpoint import Reading
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import Progress, SyncMode, SyncSnapshot
from routiq_gql.sync.place import Counts, Place
from routiq_gql.sync.plan import Plan
from routiq_gql.sync.run import SyncRun
from tests.bench.live.control import Answer, collect, obey, usage
from tests.bench.live.publishing import Publisher
from tests.bench.live.states import PATIENTS, STEP, organization, page_shown
from tests.bench.replacing import replace

NOW = utc_now()
PLAN = Plan(
    mode=SyncMode.FULL,
    mark=NOW,
    taken_at=NOW,
    since=None,
    horizon=Horizon(NOW),
    history_days=730,
    is_baseline=True,
    account="",
)
"""Of any full sync; it is part of each checkpoint."""


class TimedBus(InProcessBus):
    """Remembers when it was given its newest snapshot."""

    published_at = 0

    def publish(self, snapshot: SyncSnapshot) -> None:
        TimedBus.published_at = time.monotonic_ns()
        super().publish(snapshot)


class WaitingPipeline:
    """Replaces the eight steps: begins to read patients, and waits for commands."""

    runs: dict[str, SyncRun] = {}  # noqa: RUF012 - of the only pipeline
    have_begun = asyncio.Condition()

    def __init__(self, *_parts: Any) -> None: ...

    async def run(self, run: SyncRun) -> None:
        await run.begin_step(STEP)
        async with self.have_begun:
            self.runs[run.snapshot.organization_id] = run
            self.have_begun.notify_all()
        await asyncio.Event().wait()  # until the engine is closed


class NoHeartbeat:
    """Replaces heartbeats, which would store a new state of each sync once a second."""

    def __init__(self, *_parts: Any) -> None: ...

    @asynccontextmanager
    async def keep(self, _run: SyncRun) -> AsyncIterator[None]:
        yield


class Statements:
    """Counts the statements of this process to any database."""

    def __init__(self) -> None:
        self.count = 0
        event.listen(Engine, "before_cursor_execute", self._note)

    def usage(self) -> Answer:
        return {**usage(), "statements": self.count}

    def collect(self) -> Answer:
        return {**collect(), "statements": self.count}

    def _note(self, *_arguments: Any) -> None:
        self.count += 1


async def start_syncs(runtime: Runtime, count: int) -> list[SyncRun]:
    """Syncs of so many organizations, which all wait for commands."""
    async with runtime.database.writing() as connection:
        for number in range(count):
            await insert_sync(connection, organization(number), first_values(SyncMode.FULL, utc_now()))
    async with WaitingPipeline.have_begun:
        await WaitingPipeline.have_begun.wait_for(lambda: len(WaitingPipeline.runs) == count)
    return [WaitingPipeline.runs[organization(number)] for number in range(count)]


async def commit_page(run: SyncRun) -> Answer:
    """Returns the version, and when the bus got it, which is right after the commit."""
    text, read = page_shown(run.snapshot.version)
    place = Place(last_id=str(run.snapshot.version), counts=Counts(read=read, listed=read))
    progress = Progress(fraction=read / PATIENTS, text=text, patients_found=read)
    await run.commit(Reading(PLAN, "patients", place=place), progress)
    return {"version": run.snapshot.version, "at": TimedBus.published_at}


async def serve_syncs(port: int, count: int, send_timeout: float) -> None:
    statements = Statements()
    with tempfile.TemporaryDirectory(prefix="routiq-bench-") as folder:
        settings = Settings(
            database_url=f"sqlite+aiosqlite:///{folder}/routiq.db",
            max_subscriptions=100_000,
            send_timeout=send_timeout,
        )
        configure_logging(settings)
        raise_limit()
        async with open_runtime(settings) as runtime:
            runs = await start_syncs(runtime, count)
            publisher = Publisher([run.snapshot for run in runs], runtime.bus.publish)
            commands = {
                **publisher.commands,
                "commit": lambda: commit_page(runs[0]),
                "usage": statements.usage,
                "collect": statements.collect,
            }
            listener = listen_on_loopback("127.0.0.1", 0)

            async def obey_benchmark() -> None:
                await obey(
                    port,
                    commands,
                    port=listener.port,
                    sync_ids=[run.snapshot.sync_id for run in runs],
                    version=runs[0].snapshot.version,
                )

            await serve(create_app(settings, runtime=runtime), listener, grace_seconds=1, alongside=obey_benchmark)


if __name__ == "__main__":
    replace(opening, InProcessBus=TimedBus, Pipeline=WaitingPipeline)
    replace(runner, Heartbeat=NoHeartbeat)
    asyncio.run(serve_syncs(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) if sys.argv[3:] else 30))
