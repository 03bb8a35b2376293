"""Observes a simulation for its ledger, for the rare states, and for troubles that wait for an event."""

from typing import TYPE_CHECKING, Any

import pytest

from routiq_gql.live.bus import InProcessBus
from routiq_gql.live.sync_feeds import SyncFeeds
from routiq_gql.organizations.dashboard import Reading
from routiq_gql.organizations.dashboard_feeds import DashboardFeed
from routiq_gql.sync.model import SyncSnapshot, SyncStep
from routiq_gql.sync.reconcile import bisecting
from routiq_gql.sync.run import SyncRun
from routiq_gql.sync.runner import Outcome, SyncRunner
from tests.simulation.looks import is_look
from tests.simulation.process import Process, current
from tests.simulation.scenario import Event
from tests.simulation.sync_story import SyncStory
from tests.simulation.transport import FIRST_PORT
from tests.sync.histories.world import Organization

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


class Observer:
    """The observer of a simulation."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation

    def observe(self, patch: pytest.MonkeyPatch) -> None:
        """Observe it until the patches end."""
        simulation = self._simulation
        simulation.ledger.is_honest = self._is_honest
        simulation.ledger.on_change = self._note_change
        self._observe_publications(patch)
        self._observe_rare_states(patch)
        self._observe_requests()
        simulation.machine.network.on_response = self._note_response
        if simulation.living is not None:
            simulation.machine.network.on_send = self._note_sent
        simulation.loop.set_exception_handler(self._note_unhandled)

    def _note_response(self, port: int, status: int) -> None:
        simulation = self._simulation
        simulation.conduct.note_response(port, status)
        if status == 429 and is_look():
            simulation.rare.reach("a rate limit during a look")

    def _note_sent(self, port: int) -> None:
        simulation = self._simulation
        if simulation.living is not None:
            simulation.living.looks.note_sent(simulation.organizations[port - FIRST_PORT])

    def _note_change(self, known: SyncStory, _process: Process | None, before: tuple[Any, ...] | None) -> None:
        simulation = self._simulation
        simulation.troubles.count(Event.COMMIT)
        if before is None and known.is_refresh:
            simulation.troubles.count(Event.FOUND)
        if known["waiting_for"] is not None:
            simulation.troubles.count(Event.WAIT)
            if simulation.living is not None:
                simulation.living.looks.changed(known)
        if known["step"] >= SyncStep.ANALYZING:
            simulation.troubles.count(Event.LATE)
        simulation.rare.change(known, before, sum(one.is_active for one in simulation.ledger.syncs.values()))
        if sum(one.is_serving for one in simulation.processes) > 1:
            simulation.rare.reach("two processes at the same time")
        if not known.is_active:
            simulation.changed.set()

    def _is_honest(self, organization: Organization) -> bool:
        return not organization.emulator.faults.listed() and not self._simulation.machine.network.is_cut

    def _observe_publications(self, patch: pytest.MonkeyPatch) -> None:
        simulation = self._simulation
        publish = InProcessBus.publish

        def observed(bus: InProcessBus, snapshot: SyncSnapshot) -> None:
            simulation.ledger.note_published(snapshot)
            published = simulation.rare.published
            published[snapshot.key] = max(snapshot.version, published.get(snapshot.key, 0))
            publish(bus, snapshot)

        patch.setattr(InProcessBus, "publish", observed)
        take, reread = DashboardFeed.take, SyncFeeds.reread

        def observed_take(feed: DashboardFeed, reading: Reading) -> None:
            take(feed, reading)
            if feed.is_behind:
                simulation.rare.reach("a dashboard that changes while it is read")

        async def observed_reread(feeds: SyncFeeds, also: Any) -> None:
            known = {feed: feed.value.version for feed in feeds}
            await reread(feeds, also)
            if any(feed.value.version > version for feed, version in known.items()):
                simulation.rare.reach("a state that a feed finds in the database")

        patch.setattr(DashboardFeed, "take", observed_take)
        patch.setattr(SyncFeeds, "reread", observed_reread)

    def _observe_rare_states(self, patch: pytest.MonkeyPatch) -> None:
        simulation = self._simulation
        rare, run, search = simulation.rare, SyncRunner.run, bisecting._search

        async def observed_run(runner: SyncRunner, one: SyncRun) -> Outcome:
            outcome = await run(runner, one)
            if outcome is Outcome.NOT_OURS:
                rare.reach("a run that has lost its claim")
            elif outcome is Outcome.PAUSED:
                rare.reach("a run that pauses for the database")
            return outcome

        async def observed_search(*arguments: Any) -> Any:
            rare.reach("a bisection")
            rare.bisections += 1
            try:
                return await search(*arguments)
            finally:
                rare.bisections -= 1

        def note_flight(change: int) -> None:
            rare.in_flight[current()] = rare.in_flight.get(current(), 0) + change

        patch.setattr(SyncRunner, "run", observed_run)
        patch.setattr(bisecting, "_search", observed_search)
        simulation.machine.network.on_flight = note_flight
        simulation.machine.disk.on_rare = rare.reach

    def _observe_requests(self) -> None:
        simulation = self._simulation
        for organization in simulation.organizations:
            name = organization.name

            def before(request: Any, name: str = name, organization: Organization = organization) -> None:
                simulation.conduct.note_request(organization, current())
                simulation.ledger.note_request(organization, request, current())
                simulation.story.tell(
                    f"{name}: {request.resource} {' '.join(f'{key}={value}' for key, value in request.parameters)}"
                )
                simulation.troubles.count(Event.LOOK if is_look() else Event.REQUEST)

            organization.emulator.before_request = before

    def _note_unhandled(self, _loop: Any, context: dict[str, Any]) -> None:
        simulation = self._simulation
        error = context.get("exception")
        owner = next((one for one in simulation.processes if context.get("task") in one.tasks), None)
        if owner is not None and owner.is_dead:
            return
        if any(one.is_dead for one in simulation.processes) and isinstance(error, Exception):
            return
        simulation.ledger.fail("leak", f"an error that nobody handles: {context.get('message')} {error!r}")
