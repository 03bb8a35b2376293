"""A page that stays open all day costs nothing while nothing changes."""

import asyncio
import time
from contextlib import AsyncExitStack, aclosing

import pytest

from routiq_gql.organizations import feeds
from routiq_gql.organizations.feeds import Feeds
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.live.followers import statements
from tests.syncs import start
from tests.waiting import LIMIT_SECONDS, until

pytestmark = pytest.mark.both_databases

ORGANIZATIONS = [f"org_{number}" for number in range(40)]
WATCHERS = 4
"""Of each sync, each log and each dashboard."""
INTERVAL_SECONDS = 0.2


async def _watch_everything(runtime: Runtime, stack: AsyncExitStack) -> int:
    """Watch every sync, log and dashboard, and return the number of watchers once all have their first value."""
    waiting = []
    for organization in ORGANIZATIONS:
        sync_id = await start(runtime, organization)
        for _ in range(WATCHERS):
            for stream in (
                runtime.syncs.watch(LOCAL_OPERATOR, sync_id),
                runtime.syncs.follow(LOCAL_OPERATOR, sync_id),
                runtime.syncs.watch_dashboard(LOCAL_OPERATOR, organization),
            ):
                await stack.enter_async_context(aclosing(stream))
                await anext(stream)
                waiting.append(asyncio.ensure_future(anext(stream)))
    stack.push_async_callback(_cancel, waiting)
    return len(waiting)


async def _cancel(waiting: list[asyncio.Future[object]]) -> None:
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_idle_watchers_cost_no_statements(
    settings: Settings, database_kind: str, monkeypatch: pytest.MonkeyPatch
):
    """Hundreds of open pages cost no statement with SQLite, and one per kind and interval with PostgreSQL."""
    monkeypatch.setattr(feeds, "REREAD_SECONDS_ELSEWHERE", INTERVAL_SECONDS)
    looks = 0
    reread = Feeds.reread

    async def counted(one: Feeds) -> None:
        nonlocal looks
        await reread(one)
        looks += 1

    monkeypatch.setattr(Feeds, "reread", counted)
    quick = settings.model_copy(update={"reread_seconds": INTERVAL_SECONDS})
    async with (
        asyncio.timeout(LIMIT_SECONDS),
        open_runtime(quick, run_syncs=False) as runtime,
        AsyncExitStack() as stack,
    ):
        watchers = await _watch_everything(runtime, stack)
        tasks = [task for task in asyncio.all_tasks() if task.get_name() in {"feeds", "dashboard feed", "sync feed"}]
        assert (watchers, len(runtime.syncs.feeds), len(tasks)) == (480, 80, 1)
        await asyncio.sleep(2 * INTERVAL_SECONDS)
        await until(lambda: not runtime.syncs.feeds.dashboards.is_behind)
        with statements(runtime.database) as executed:
            looks = 0
            began = time.monotonic()
            await until(lambda: looks >= 5)
        assert time.monotonic() - began > 4 * INTERVAL_SECONDS
        if database_kind == "postgres":
            assert abs(len(executed) - 2 * looks) <= 2, "a look may be under way at both ends"
            return
        assert executed == []
        with statements(runtime.database) as executed:
            await start(runtime, "org_new")
            looks = 0
            await until(lambda: looks >= 4)
        assert sum("json_each" in one for one in executed) == 2, "a commit costs one statement per kind, once"
