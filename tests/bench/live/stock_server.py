"""Strawberry as it comes, on uvicorn as it comes: ``python -m tests.bench.live.stock_server PORT SYNCS [caches]``.

With ``caches``, its extensions for parsed and validated documents are on. It has the product's type for a sync, so that
frames are alike. Its states come from memory: each subscriber gets the newest, and no queue.
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator
from datetime import datetime

import strawberry
import uvicorn
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, SchemaExtension, ValidationCache
from strawberry.schema.config import StrawberryConfig

from routiq_gql.api.graphql.scalars import DATE_TIME
from routiq_gql.api.graphql.types import SyncStatus
from routiq_gql.serving.open_files import raise_limit
from routiq_gql.serving.server import listen_on_loopback
from routiq_gql.sync.model import SyncSnapshot
from tests.bench.live.control import obey
from tests.bench.live.publishing import Publisher
from tests.bench.live.states import FIRST_VERSION, first_state

NEWEST: dict[str, SyncSnapshot] = {}
"""By the id of the sync."""
WAITING: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
"""An event for each subscriber, by the id of the sync."""


def show(snapshot: SyncSnapshot) -> None:
    NEWEST[snapshot.sync_id] = snapshot
    for changed in WAITING[snapshot.sync_id]:
        changed.set()


@strawberry.type
class Query:
    @strawberry.field
    def sync_status(self, sync_id: strawberry.ID) -> SyncStatus | None:
        found = NEWEST.get(sync_id)
        return SyncStatus.of(found) if found is not None else None


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def sync_progress(self, sync_id: strawberry.ID) -> AsyncGenerator[SyncStatus, None]:
        changed = asyncio.Event()
        WAITING[sync_id].add(changed)
        try:
            while True:
                yield SyncStatus.of(NEWEST[sync_id])
                await changed.wait()
                changed.clear()
        finally:
            WAITING[sync_id].discard(changed)


async def serve_strawberry(port: int, count: int, *, with_caches: bool) -> None:
    raise_limit()
    for number in range(count):
        show(first_state(number))
    extensions: list[type[SchemaExtension]] = [ParserCache, ValidationCache] if with_caches else []
    schema = strawberry.Schema(
        Query,
        subscription=Subscription,
        extensions=extensions,
        config=StrawberryConfig(scalar_map={datetime: DATE_TIME}),
    )
    listener = listen_on_loopback("127.0.0.1", 0)
    # No pings: after a pause, its library ends sockets before it reads their pongs.
    config = uvicorn.Config(GraphQL(schema), log_level="error", timeout_graceful_shutdown=1, ws_ping_interval=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=listener.sockets))
    while not server.started:
        await asyncio.sleep(0.01)
    publisher = Publisher(list(NEWEST.values()), show)
    await obey(port, publisher.commands, port=listener.port, sync_ids=list(NEWEST), version=FIRST_VERSION)
    await serving


if __name__ == "__main__":
    asyncio.run(serve_strawberry(int(sys.argv[1]), int(sys.argv[2]), with_caches="caches" in sys.argv[3:]))
