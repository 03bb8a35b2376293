"""The course of a simulation: its rounds, its life, and the calm at the end."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from routiq_gql.sync.model import SyncMode
from tests.simulation.aftermath import check_pruning
from tests.simulation.conduct import kept_by
from tests.simulation.feed_followers import DashboardFollower, FeedFollower, ProgressFollower
from tests.simulation.process import Process, runtime_of
from tests.simulation.scenario import ALL_FAULTS, Round
from tests.simulation.sync_story import Violated
from tests.simulation.template import NAMES
from tests.simulation.watchers import Watcher
from tests.sync.histories.world import Organization

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

HOUSEKEEPING_SECONDS = 120.0
"""Housekeeping removes the versions of an ended sync within this virtual time, even on a slow disk."""


class Course:
    """The course of a simulation from its first process to its last."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation

    async def run(self) -> None:
        simulation = self._simulation
        await simulation.start_process()
        for number, one in enumerate(simulation.scenario.rounds, 1):
            simulation.story.tell(f"round {number}: {one.mode.value} of {NAMES[one.organization]}")
            await self._round(one)
        if simulation.living is not None:
            await simulation.living.play()
        await self._settle()
        for process in [one for one in simulation.processes if one.is_serving]:
            await process.stop()
            if process.error is not None:
                raise process.error
        for process in simulation.processes:
            await process.ended()

    async def _round(self, one: Round) -> None:
        simulation = self._simulation
        organization = simulation.organizations[one.organization]
        for edit in one.edits:
            simulation.edit(organization, edit)
        if one.passes:
            self._let_pass(one.passes)
        if one.waits:
            await self._wait_for_time(one)
        for name, resource in one.faults:
            organization.emulator.faults.add(replace(ALL_FAULTS[name], resource=resource))
            simulation.story.tell(f"fault of {organization.name}: {name} at {resource}")
        for happening in one.happenings:
            simulation.troubles.arm(happening, organization)
        if one.has_company:
            simulation.agent(simulation.start(simulation.organizations[1 - one.organization], SyncMode.AUTO))
        started = await simulation.start(organization, one.mode)
        watchers = [
            Watcher(watching, simulation.viewer(organization), started.sync_id, simulation.ledger, simulation.serving)
            for watching in one.watchings
        ]
        watching = [simulation.agent(watcher.watch()) for watcher in watchers]
        followers = self._followers(organization, started.sync_id)
        watching += [simulation.agent(follower.follow()) for follower in followers]
        await simulation.until_ended()
        simulation.troubles.disarm()
        await asyncio.sleep(0.5)  # so that some troubles come right after the end
        simulation.loop.forget_steps()
        await simulation.until_ended()
        await simulation.agents_ended()
        if any(watcher.resumed for watcher in watchers):
            simulation.rare.reach("a watcher that connects again")
        if any(watcher.has_skipped for watcher in watchers):
            simulation.rare.reach("a watcher that skips versions")
        if any(follower.has_joined for follower in followers):
            simulation.rare.reach("a follower that joins an open feed")
        del watching
        for known in simulation.organizations:
            known.emulator.faults.clear()

    def _followers(self, organization: Organization, sync_id: str) -> list[FeedFollower[Any]]:
        """Followers of feeds: any number up to four, so that some share a feed and some come and leave alone."""
        simulation = self._simulation
        kinds = simulation.chance.choices(
            (ProgressFollower, DashboardFollower), k=simulation.chance.choice((0, 1, 2, 4))
        )
        viewer = simulation.viewer(organization)
        return [kind(viewer, sync_id, simulation.ledger, simulation.serving, simulation.chance) for kind in kinds]

    def _let_pass(self, time: timedelta) -> None:
        simulation = self._simulation
        simulation.loop.now += time.total_seconds()
        simulation.story.tell(f"{time} pass")

    async def _wait_for_time(self, one: Round) -> None:
        """Let the engine publish what time has changed, and kill its process meanwhile."""
        simulation = self._simulation
        simulation.time_only.kills_after, simulation.time_only.slow_steps = one.kills_after, one.slow_steps
        await asyncio.sleep(one.waits)
        simulation.time_only.kills_after = simulation.time_only.slow_steps = 0

    async def _settle(self) -> None:
        """Give housekeeping the time to remove the versions of failed syncs."""
        simulation = self._simulation
        await simulation.serving()
        await asyncio.sleep(2.5)
        asked_at = simulation.loop.time()
        while left := simulation.ledger.reader.left_versions():
            if simulation.loop.time() - asked_at > HOUSEKEEPING_SECONDS:
                raise Violated("leak", f"versions of syncs without a result are left: {left[:3]}")
            await asyncio.sleep(1)
        await check_pruning(simulation.ledger, self._let_pass)
        for process in [one for one in simulation.processes if one.is_serving]:
            await self._until_unused(process)

    async def _until_unused(self, process: Process) -> None:
        """Wait until an idle process uses no connection to its database."""
        pool = runtime_of(process).database._engine.pool
        for _ in range(1_000):
            if process.is_dead or not (pool.checkedout() or kept_by(runtime_of(process))):
                return
            await asyncio.sleep(0.05)
        if kept := kept_by(runtime_of(process)):
            raise Violated("leak", f"{process} keeps {kept} although it is idle")
        raise Violated("leak", f"{process} keeps {pool.checkedout()} connections although it is idle")
