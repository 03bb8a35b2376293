"""Plays a life: clinics that are kept live by looks, with people who edit them, clients, and trouble.

At its end all is calm. Then looks must show every edit and compare the mirror, and a person's full sync must agree.
"""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from routiq_gql.errors import RateLimited, RoutiqError
from routiq_gql.organizations import freshness, interest
from routiq_gql.organizations.dashboard import Dashboard
from routiq_gql.organizations.freshness import FreshnessMode
from routiq_gql.sync import look_times, plan
from routiq_gql.sync.look_times import LookTimes
from routiq_gql.sync.model import SyncMode
from tests.simulation.life import Life, Moment
from tests.simulation.looks import TROUBLED_SECONDS, LooksLedger
from tests.simulation.process import Process
from tests.simulation.scenario import ALL_FAULTS, Event, Happening, Trouble
from tests.simulation.sync_story import SyncStory, Violated
from tests.sync.histories.world import Organization

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

WATCHED_FOR = timedelta(seconds=60)
"""In the place of minutes, so that a life has times without clients."""
ROUND_SECONDS = 2.0
"""Between two checks of what must happen in time."""
LATE_SECONDS = 30.0
"""A client is shown a published sync within this time, unless its process is disturbed."""
FAULT_TIMES = 10
"""A fault lasts so many times as long as other trouble."""
_FREEZES = {Trouble.FREEZE, Trouble.OVERTAKE, Trouble.JUMP}


class Living:
    """The life of a simulation.

    Attributes:
        looks: The promises about looks.
    """

    def __init__(self, simulation: "Simulation", life: Life, share: int) -> None:
        self._simulation = simulation
        self._life = life
        self.looks = LooksLedger(simulation.ledger, simulation.organizations, life, share, simulation.rare)
        self._is_over = False

    def tune(self, patch: pytest.MonkeyPatch) -> None:
        """Make the times of a life shorter until the patches end."""
        for module in (plan, freshness):
            patch.setattr(module, "COMPARE_EVERY", timedelta(seconds=self._life.compare_seconds))
        for module in (look_times, interest):
            patch.setattr(module, "WATCHED_FOR", WATCHED_FOR)
        after, rare = LookTimes.after, self._simulation.rare

        def observed(times: LookTimes, now: Any, failures: int = 0, **options: Any) -> Any:
            if failures:
                rare.reach("a look that waits longer after failures")
            return after(times, now, failures, **options)

        patch.setattr(LookTimes, "after", observed)

    async def play(self) -> None:
        """Play the life to its end."""
        simulation = self._simulation
        for one in simulation.organizations:
            await simulation.start(one, SyncMode.AUTO)
        await simulation.until_ended()
        first = simulation.organizations[0]
        if not self._life.is_everywhere:
            await simulation.ask(lambda process: _begin_live(simulation, process, first))
        agents = [simulation.agent(self._watch(first, *one)) for one in self._life.clients]
        agents.append(simulation.agent(self._inspect()))
        for moment in self._life.moments:
            await asyncio.sleep(moment.after)
            self._begin(moment)
        await self._calm()
        self._is_over = True
        await asyncio.wait(agents)
        await self._end_looks()
        for one in simulation.organizations:
            await simulation.start(one, SyncMode.FULL)
        await simulation.until_ended()
        await simulation.agents_ended()

    def _begin(self, moment: Moment) -> None:
        simulation, organization = self._simulation, self._simulation.organizations[moment.organization]
        if moment.what == "fault":
            self._fail(organization, moment)
            return
        happening = Happening(
            Trouble(moment.what),
            Event.FOUND if moment.at_sync else Event.LOOK,
            max(moment.at_request, 1),
            moment.steps_later,
            moment.seconds,
            moment.edits,
        )
        if moment.at_request:
            simulation.troubles.arm(happening, organization)
        else:
            simulation.troubles.happen(happening, organization)

    def _fail(self, organization: Organization, moment: Moment) -> None:
        simulation, (name, resource) = self._simulation, moment.fault
        organization.emulator.faults.add(replace(ALL_FAULTS[name], resource=resource))
        seconds = FAULT_TIMES * moment.seconds
        simulation.story.tell(f"fault of {organization.name} for {seconds:g} s: {name} at {resource}")
        self.looks.troubled_at = max(self.looks.troubled_at, simulation.loop.now + seconds)
        known = simulation.ledger.active_of(organization)
        if known is not None:
            known.was_honest = False
        simulation.loop.call_later(seconds, organization.emulator.faults.clear)

    def note(self, happening: Happening) -> None:
        """Note trouble that excuses looks for a while."""
        if happening.trouble in {Trouble.EDIT, Trouble.START}:
            return
        until = self._simulation.loop.now + max(happening.seconds, 0.0)
        self.looks.troubled_at = max(self.looks.troubled_at, until)
        if happening.trouble in _FREEZES:
            self.looks.jumped_at = max(self.looks.jumped_at, until)

    def ended(self, known: SyncStory) -> None:
        """Check a sync that has completed."""
        self.looks.ended(known, self._simulation.ledger.reader.sync(known["key"]))

    async def _inspect(self) -> None:
        while not self._is_over:
            self.looks.check()
            await asyncio.sleep(ROUND_SECONDS)

    async def _calm(self) -> None:
        """Wait until the looks have shown every edit, and have compared the mirror."""
        simulation = self._simulation
        simulation.troubles.disarm()
        for one in simulation.organizations:
            one.emulator.faults.clear()
        live = simulation.organizations if self._life.is_everywhere else simulation.organizations[:1]
        compared = dict(self.looks.comparisons)
        began = simulation.loop.now
        while not all(
            self.looks.is_fresh(one) and self.looks.comparisons[one.name] > compared[one.name] for one in live
        ):
            if simulation.loop.now - began > 2 * TROUBLED_SECONDS:
                raise Violated("fresh", f"half an hour without trouble has not sufficed for {live}")
            await asyncio.sleep(ROUND_SECONDS)

    async def _end_looks(self) -> None:
        """Have all processes restarted without looks, as an operator would."""
        simulation = self._simulation
        if not self._life.is_everywhere:
            first = simulation.organizations[0]
            await simulation.ask(lambda process: _end_live(simulation, process, first))
        simulation.keep_live(0)
        for process in [one for one in simulation.processes if one.is_serving]:
            await process.stop()
        await simulation.start_process()
        await simulation.until_ended()

    # Clients

    async def _watch(self, organization: Organization, at: float, stay: float) -> None:
        """Watch the dashboard for a while, in any number of processes."""
        await asyncio.sleep(at)
        loop = self._simulation.loop
        until = loop.now + stay
        self.looks.came_at[organization.name] = loop.now
        while loop.now < until and not self._is_over:
            process = await self._simulation.serving()
            client = _Client(self._simulation, self.looks, organization, process)
            session = process.run(client.watch())
            while not session.done() and loop.now < until and not self._is_over:
                await asyncio.wait([session], timeout=ROUND_SECONDS)
                client.check()
            session.cancel()
            await asyncio.wait([session])
            if not session.cancelled() and (error := session.exception()) is not None:
                is_away = isinstance(error, RoutiqError) and not process.is_serving
                if not (process.is_dead or is_away or isinstance(error, RateLimited)):
                    raise error
            await asyncio.sleep(0.1)


class _Client:
    """A page that shows the dashboard of an organization, connected to a process."""

    def __init__(
        self, simulation: "Simulation", looks: LooksLedger, organization: Organization, process: Process
    ) -> None:
        self._simulation = simulation
        self._looks = looks
        self._organization = organization
        self._process = process
        self._shown = 0
        self._began = simulation.loop.now

    async def watch(self) -> None:
        assert self._process.runtime is not None
        name = self._organization.name
        syncs = self._process.runtime.syncs
        async with aclosing(syncs.watch_dashboard(self._simulation.viewer(self._organization), name)) as dashboards:
            async for dashboard in dashboards:
                self._note(dashboard)

    def _note(self, dashboard: Dashboard) -> None:
        ledger, name = self._simulation.ledger, self._organization.name
        completed, running, stats = dashboard.last_successful_sync, dashboard.current_sync, dashboard.patient_stats
        for one in (completed, running, dashboard.last_sync):
            if one is not None:
                ledger.note_published(one)
                if one.organization_id != name or dashboard.organization_id != name:
                    ledger.fail("others", f"a page of {name} shows {one.sync_id}")
        if running is not None and running.is_in_background:
            ledger.fail("person", f"a page shows {running.sync_id}, during which a person may start another")
        if completed is not None:
            is_right = stats.active_patients in ledger.active_since(completed.key)
            if not is_right or stats.last_sync_time != completed.completed_at or completed.key < self._shown:
                ledger.fail("back", f"a page shows {stats} and {completed.sync_id}, after sync {self._shown}")
            self._shown = completed.key
        fresh = dashboard.freshness
        if fresh is not None and fresh.mode in {FreshnessMode.LIVE, FreshnessMode.UNWATCHED}:
            self._looks.check_mode(name, fresh.look_interval_seconds or 0)

    def check(self) -> None:
        """Check that the page shows the newest completed sync in time."""
        ledger, now = self._simulation.ledger, self._simulation.loop.now
        keys = [key for key in self._organization.shown if ledger.syncs[key].reads_cliniko]
        newest = ledger.syncs[max(keys)]
        since = max(newest.times[newest["version"]], self._began)
        is_disturbed = any(one.is_frozen or one.disturbed_at >= since - LATE_SECONDS for one in ledger.processes)
        if self._shown < newest["key"] and not is_disturbed and now - since > LATE_SECONDS:
            ledger.fail("stuck", f"a page shows sync {self._shown} {now - since:.0f} s after sync {newest['key']}")


async def _begin_live(simulation: "Simulation", process: Process, organization: Organization) -> bool:
    assert process.runtime is not None
    return await process.runtime.schedules.begin_live(simulation.viewer(organization), organization.name)


async def _end_live(simulation: "Simulation", process: Process, organization: Organization) -> bool:
    assert process.runtime is not None
    return await process.runtime.schedules.end_live(simulation.viewer(organization), organization.name)
