"""Looks that fail: a dashboard shows how rare they have become, and looks have their interval again afterwards."""

import asyncio
from contextlib import aclosing

import pytest

from routiq_gql.emulator import Fault, FaultKind
from routiq_gql.organizations.dashboard import Dashboard
from routiq_gql.organizations.freshness import FreshnessMode
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import looks_of
from tests.organization import ORGANIZATION
from tests.syncs import run_sync
from tests.waiting import until

INTERVAL = 15


@pytest.mark.both_databases
async def test_a_watched_dashboard_shows_the_waits_between_looks_that_fail(runtime: Runtime, cliniko: Cliniko):
    """Each failure doubles the seconds that it shows; a success ends that.

    The data does not count as fresh for longer because of it.
    """
    await run_sync(runtime)
    looks, shown = looks_of(runtime), list[Dashboard]()
    await looks.look()

    def interval() -> int | None:
        freshness = shown[-1].freshness
        assert freshness is not None
        assert freshness.mode is FreshnessMode.LIVE
        return freshness.look_interval_seconds

    async def watch() -> None:
        async with aclosing(runtime.syncs.watch_dashboard(LOCAL_OPERATOR, ORGANIZATION)) as dashboards:
            async for dashboard in dashboards:
                shown.append(dashboard)

    watching = asyncio.create_task(watch())
    await until(lambda: bool(shown) and interval() == INTERVAL)
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_500, times=None))
    for failures in (1, 2):
        await looks.look()
        await until(lambda: interval() == INTERVAL * 2**failures)  # noqa: B023 — awaited here
    cliniko.emulator.faults.clear()
    await looks.look()
    await until(lambda: interval() == INTERVAL)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert len({one.freshness.fresh_until for one in shown if one.freshness is not None}) == 1
