"""Simultaneous requests for a dashboard share one read, which is never older than the requests."""

import asyncio
import gc
from typing import Any

import pytest

from routiq_gql.errors import DatabaseAway
from routiq_gql.organizations import dashboard as dashboard_module
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import SyncState
from tests.organization import ORGANIZATION
from tests.syncs import follow, start
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.both_databases


async def test_many_ask_and_it_is_read_once(runtime: Runtime, readings: list[str]):
    """Each organization's dashboard is read once for all simultaneous requests, and again for later requests."""
    names = [ORGANIZATION, "org_other"] * 20
    shown = await asyncio.gather(*(runtime.syncs.dashboard(LOCAL_OPERATOR, name) for name in names))
    assert sorted(readings) == [ORGANIZATION, "org_other"]
    assert [one.organization_id for one in shown] == names
    await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert len(readings) == 3


async def test_a_read_begun_before_a_request_is_not_shared_with_it(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    """A request made after a sync started does not share an earlier, unfinished read."""
    read, has_begun, may_end = dashboard_module.read_dashboard, asyncio.Event(), asyncio.Event()

    async def slow(connection: Any, organization_id: str) -> Any:
        dashboard = await read(connection, organization_id)
        has_begun.set()
        await may_end.wait()
        return dashboard

    with monkeypatch.context() as patched:
        patched.setattr(dashboard_module, "read_dashboard", slow)
        before = asyncio.create_task(runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION))
        await has_begun.wait()
    sync_id = await start(runtime)
    async with asyncio.timeout(LIMIT_SECONDS):
        after = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert (after.current_sync or after.last_sync).sync_id == sync_id
    may_end.set()
    assert (await before).status is SyncState.IDLE
    await follow(runtime, sync_id)


async def test_a_cancelled_request_does_not_affect_others(runtime: Runtime):
    """The first of two requests is cancelled, and the second still gets its result."""
    first = asyncio.create_task(runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION))
    second = asyncio.create_task(runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).organization_id == ORGANIZATION
    assert first.cancelled()


async def test_watchers_share_the_cost_of_a_change(runtime: Runtime, readings: list[str]):
    """While thirty watch a syncing organization, its dashboard is read about once per change, not thirty times."""
    seen = 0

    async def watch() -> None:
        nonlocal seen
        async for dashboard in runtime.syncs.watch_dashboard(LOCAL_OPERATOR, ORGANIZATION):
            seen += 1
            if dashboard.last_successful_sync is not None:
                return

    async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as group:
        for _ in range(30):
            group.create_task(watch())
        await asyncio.sleep(0.1)
        await start(runtime)
    assert seen >= 60
    assert len(readings) < seen / 4


async def test_a_failed_read_without_callers_logs_no_traceback(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    """If the database fails after the page was closed, no statement of it is written to the log."""
    logged: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: logged.append(context["message"]))
    failed = asyncio.Event()

    async def fail(_connection: Any, _organization_id: str) -> Any:
        failed.set()
        raise DatabaseAway("The database can't be reached at the moment.")

    monkeypatch.setattr(dashboard_module, "read_dashboard", fail)
    page = asyncio.create_task(runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION))
    await asyncio.sleep(0)
    page.cancel()
    del page  # its traceback refers to the read
    async with asyncio.timeout(LIMIT_SECONDS):
        await failed.wait()
        while any(task.get_name() == "dashboard" for task in asyncio.all_tasks()):
            await asyncio.sleep(0)
    gc.collect()
    assert logged == []
