"""Periodic work: both engines do every chore on the list."""

import asyncio
from dataclasses import replace

import pytest

from routiq_gql.engines import chores
from routiq_gql.engines.chores import Chore, chores_of
from routiq_gql.engines.housekeeping import Housekeeping
from routiq_gql.engines.refreshing import Refreshes
from routiq_gql.engines.scheduler import Scheduler
from routiq_gql.engines.time_only import TimeOnlySyncs
from routiq_gql.runtime import open_runtime
from routiq_gql.settings import Settings
from routiq_gql.sync.engine import SyncEngine
from tests.waiting import LIMIT_SECONDS


@pytest.mark.both_databases
async def test_each_engine_does_every_chore(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """With either database schedules start and old rows are deleted, as does a chore that is added to the list."""
    done: dict[str, asyncio.Event] = {}

    def noted(chore: Chore) -> Chore:
        done[chore.name] = asyncio.Event()

        async def step(engine: SyncEngine) -> bool:
            has_more = await chore.step(engine)
            done[chore.name].set()
            return has_more

        return replace(chore, step=step)

    async def nothing(_engine: SyncEngine) -> bool:
        return False

    def with_a_new_chore(
        scheduler: Scheduler, housekeeping: Housekeeping, time_only: TimeOnlySyncs, refreshes: Refreshes
    ) -> tuple[Chore, ...]:
        usual = chores_of(scheduler, housekeeping, time_only, refreshes)
        return tuple(map(noted, (*usual, Chore("new chore", "", nothing))))

    monkeypatch.setattr(chores, "chores_of", with_a_new_chore)
    async with open_runtime(settings):
        assert {"scheduler", "housekeeping", "new chore"} <= done.keys()
        async with asyncio.timeout(LIMIT_SECONDS):
            for event in done.values():
                await event.wait()
