"""A child to compare with: ``python -m tests.bench.other_server strawberry`` or ``… websockets FRAME``.

``strawberry`` is plain Strawberry on plain uvicorn, with the product's type for a sync, so that the frames are alike;
its snapshots come from memory. ``websockets`` sends FRAME with another version to all clients and does nothing else.
Both make a snapshot for each line on standard input.
"""

import asyncio
import re
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime

import strawberry
import uvicorn
from strawberry.asgi import GraphQL
from strawberry.schema.config import StrawberryConfig
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websockets

from routiq_gql.api.graphql.scalars import DATE_TIME
from routiq_gql.api.graphql.types import SyncStatus
from routiq_gql.clock import utc_now
from routiq_gql.live.bus import InProcessBus
from routiq_gql.live.topics import SyncTopic
from routiq_gql.serving.server import listen_on_loopback
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState, SyncStep, percentage
from tests.bench.children import read_commands, tell
from tests.bench.fanout_server import ORGANIZATION, PATIENTS, page_shown, tell_snapshot

STEP = SyncStep.FETCHING_PATIENTS


class Syncs:
    """The only sync, in memory."""

    def __init__(self) -> None:
        self.bus = InProcessBus()
        now = utc_now()
        self.newest = SyncSnapshot(
            key=1,
            sync_id=f"sync_{ORGANIZATION}_{now:%Y%m%d_%H%M%S}",
            organization_id=ORGANIZATION,
            mode=SyncMode.FULL,
            status=SyncState.FETCHING_PATIENTS,
            step=STEP,
            progress_percentage=percentage(STEP, 0),
            current_step=STEP.opening_text,
            patients_found=0,
            appointments_found=0,
            active_patients_identified=0,
            active_patients_stored=0,
            started_at=now,
            completed_at=None,
            estimated_completion=None,
            resumes_at=None,
            failure=None,
            last_updated=now,
            version=1,
            last_log_seq=0,
        )

    def make_snapshot(self) -> None:
        """Make a snapshot, as after another page of patients."""
        version = self.newest.version + 1
        text, read = page_shown(version - 1)
        self.newest = replace(
            self.newest,
            version=version,
            current_step=text,
            patients_found=read,
            progress_percentage=percentage(STEP, read / PATIENTS),
            last_updated=utc_now(),
        )
        at = time.monotonic_ns()
        self.bus.publish(self.newest)
        tell_snapshot(version, at)


SYNCS = Syncs()


@strawberry.type
class Query:
    @strawberry.field
    def sync_status(self, sync_id: strawberry.ID) -> SyncStatus | None:
        return SyncStatus.of(SYNCS.newest) if sync_id == SYNCS.newest.sync_id else None


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def sync_progress(self, sync_id: strawberry.ID) -> AsyncGenerator[SyncStatus, None]:
        with SYNCS.bus.subscribe(SyncTopic.of(SYNCS.newest)) as news:
            yield SyncStatus.of(SYNCS.newest)
            while True:
                snapshot = await news.wait(60)
                if snapshot is not None:
                    yield SyncStatus.of(snapshot)


async def serve_strawberry() -> None:
    schema = strawberry.Schema(
        Query, subscription=Subscription, config=StrawberryConfig(scalar_map={datetime: DATE_TIME})
    )
    listener = listen_on_loopback("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(GraphQL(schema), http="h11", log_level="error", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=listener.sockets))
    tell(port=listener.port, sync_id=SYNCS.newest.sync_id)
    async for _ in read_commands():
        SYNCS.make_snapshot()
    server.should_exit = True
    await serving


async def serve_bare(frame: str) -> None:
    connections: set[ServerConnection] = set()

    async def keep(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()
        connections.discard(connection)

    version = 0
    async with serve_websockets(keep, "127.0.0.1", 0, compression=None) as server:
        tell(port=next(iter(server.sockets)).getsockname()[1], sync_id="")
        async for _ in read_commands():
            version += 1
            message = re.sub(r'("version": ?)\d+', rf"\g<1>{version}", frame)
            at = time.monotonic_ns()
            broadcast(connections, message)
            tell_snapshot(version, at)


if __name__ == "__main__":
    asyncio.run(serve_strawberry() if sys.argv[1] == "strawberry" else serve_bare(sys.argv[2]))
