"""A child in which the product serves a sync to many watchers: ``python -m tests.bench.fanout_server``.

It is the product with its API, engine and database; only the eight steps are replaced. Each line on standard input
makes a checkpoint, and the time right after its commit is reported.
"""

import asyncio
import signal
import tempfile
import time
from typing import Any

from routiq_gql.app import create_app
from routiq_gql.cliniko import Horizon
from routiq_gql.clock import utc_now
from routiq_gql.engines import opening
from routiq_gql.live.bus import InProcessBus
from routiq_gql.logs import configure_logging
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.serving.server import listen_on_loopback, serve
from routiq_gql.settings import Settings
from routiq_gql.sync.checkpoint import Reading
from routiq_gql.sync.model import Progress, SyncMode, SyncSnapshot, SyncStep
from routiq_gql.sync.place import Counts, Place
from routiq_gql.sync.plan import Plan
from routiq_gql.sync.run import SyncRun
from tests.bench.children import read_commands, tell
from tests.bench.replacing import replace

ORGANIZATION = "org_bench"
PATIENTS = 100_000
ROWS_PER_PAGE = 100
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


def tell_snapshot(version: int, at: int) -> None:
    """Report the time ``at`` from which a snapshot could be sent, and the processor time of this process so far."""
    tell(version=version, at=at, cpu=time.process_time())


def page_shown(number: int) -> tuple[str, int]:
    """The progress of a sync after a page of patients: the text and the patients found."""
    read = number * ROWS_PER_PAGE
    return f"{read} of {PATIENTS} patients", read


class TimedBus(InProcessBus):
    """Remembers when it was given its newest snapshot."""

    published_at = 0

    def publish(self, snapshot: SyncSnapshot) -> None:
        TimedBus.published_at = time.monotonic_ns()
        super().publish(snapshot)


class CommandedPipeline:
    """Replaces the eight steps: a checkpoint for each command, as after a page of patients."""

    def __init__(self, *_parts: Any) -> None: ...

    async def run(self, run: SyncRun) -> None:
        await run.begin_step(SyncStep.FETCHING_PATIENTS)
        number = 0
        async for _ in read_commands():
            number += 1
            text, read = page_shown(number)
            place = Place(last_id=str(number), counts=Counts(read=read, listed=read))
            progress = Progress(fraction=read / PATIENTS, text=text, patients_found=read)
            await run.commit(Reading(PLAN, "patients", place=place), progress)
            tell_snapshot(run.snapshot.version, TimedBus.published_at)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.Event().wait()  # until the engine is closed


async def serve_one_sync() -> None:
    with tempfile.TemporaryDirectory(prefix="routiq-bench-") as folder:
        settings = Settings(database_url=f"sqlite+aiosqlite:///{folder}/routiq.db")
        configure_logging(settings, quiet=True)
        app = create_app(settings)
        listener = listen_on_loopback("127.0.0.1", 0)

        async def start_sync() -> None:
            started = await app.state.parts.runtime.syncs.start(LOCAL_OPERATOR, ORGANIZATION)
            tell(port=listener.port, sync_id=started.sync.sync_id)

        await serve(app, listener, grace_seconds=1, alongside=start_sync)


if __name__ == "__main__":
    replace(opening, InProcessBus=TimedBus, Pipeline=CommandedPipeline)
    asyncio.run(serve_one_sync())
