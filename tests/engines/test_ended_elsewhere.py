"""Runs whose sync has ended: one that is just ending ends by itself, one that another process has ended is stopped."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.engines.embedded import EmbeddedEngine
from routiq_gql.supervision import Supervisor
from routiq_gql.sync.pauses import Pauses

pytestmark = pytest.mark.sqlite_only
ENDED = 5


@pytest.fixture
async def engine(database_url: str, tmp_path: Path) -> AsyncIterator[EmbeddedEngine]:
    """An engine with a run whose sync is no longer active."""
    database = Database(database_url)
    await upgrade(database)

    async def release() -> None:
        """There is nothing to release."""

    runner: Any = SimpleNamespace(pauses=Pauses(), release=release)
    chores: Any = SimpleNamespace()
    made = EmbeddedEngine(database, runner, chores, tmp_path / "engine.lock", Supervisor())
    assert made.try_lock()
    yield made
    await made.close(timedelta(seconds=5))
    await database.close()


async def test_a_run_has_time_to_publish_the_end_of_its_sync(engine: EmbeddedEngine):
    """The end is committed before it is published: only a second look that finds it over stops a run."""
    may_end = asyncio.Event()

    async def run() -> Any:
        await may_end.wait()

    task = engine._tasks[ENDED] = asyncio.create_task(run())
    await engine._look()
    may_end.set()
    await asyncio.wait([task])
    assert not task.cancelled()
    task = engine._tasks[ENDED] = asyncio.create_task(asyncio.Event().wait())
    for _ in range(2):
        await engine._look()
    await asyncio.wait([task])
    assert task.cancelled()
    del engine._tasks[ENDED]
