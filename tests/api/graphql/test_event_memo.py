"""A subscription that lasts for hours keeps no memory per event."""

import gc
import tracemalloc
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from graphql.execution import Executor
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import ExecutionResult

from routiq_gql.api.admission import Admission
from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.executor import LimitedExecutor
from routiq_gql.api.graphql.schema import make_schema
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.cli.test_progress import SNAPSHOT

WARM_UP = 200
EVENTS = 1_000
FEW_EVENTS = 300
"""Enough where each event keeps kilobytes."""
QUERY = (
    "subscription ($id: ID!) { syncProgress(syncId: $id) { id version failure { code } receipt { lists { read } } } }"
)


@dataclass
class _Syncs:
    """A sync whose state changes all the time."""

    subscriptions: Any = None

    def require_room(self, _organization_id: str) -> None:
        pass

    async def status(self, *_: Any) -> Any:
        self.subscriptions = self
        return SNAPSHOT

    async def watch(self, *_: Any) -> AsyncGenerator[Any, None]:
        for version in count(1):
            yield replace(SNAPSHOT, version=version)


@dataclass
class _Session:
    viewer = LOCAL_OPERATOR

    def current_viewer(self) -> Any:
        return LOCAL_OPERATOR


async def _bytes_per_event(settings: Settings, executor: type[Executor], events: int) -> float:
    """The bytes that stay allocated per event of an open subscription through our schema."""
    schema = make_schema()
    schema.execution_context_class = executor  # type: ignore[assignment]
    syncs: Any = _Syncs()
    session: Any = _Session()
    context = Context(
        syncs, syncs, syncs, syncs, syncs, syncs, session, connection_params={}, admission=Admission(settings)
    )
    results = await schema.stream(QUERY, {"id": SNAPSHOT.sync_id}, context)
    before = seen = 0
    tracemalloc.start(1)
    try:
        async for result in results:
            assert isinstance(result, ExecutionResult)
            assert result.errors is None
            seen += 1
            if seen == WARM_UP:
                gc.collect()
                before, _ = tracemalloc.get_traced_memory()
            elif seen == WARM_UP + events:
                gc.collect()
                after, _ = tracemalloc.get_traced_memory()
                return (after - before) / events
    finally:
        tracemalloc.stop()
    raise AssertionError("The subscription ended early.")


async def test_an_open_subscription_keeps_no_memory_per_event(settings: Settings):
    """A page that stays open for days costs the server no more memory than on its first day."""
    assert await _bytes_per_event(settings, LimitedExecutor, EVENTS) < 20


async def test_graphql_core_still_keeps_memory_per_event(settings: Settings):
    """The cure is needed: without it, an open page costs kilobytes per change. If this fails, remove the cure."""
    assert await _bytes_per_event(settings, StrawberryGraphQLCoreExecutionContext, FEW_EVENTS) > 500
