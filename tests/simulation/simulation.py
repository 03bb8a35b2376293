"""Plays the scenario of a seed: a process, its clients, an emulated Cliniko, and everything that goes wrong.

Every choice comes from generators of the seed. ``Simulation.run`` returns the story, and raises nothing: a violation
is part of the result.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

from routiq_gql.cliniko import lists
from routiq_gql.emulator import Emulator
from routiq_gql.engines import embedded
from routiq_gql.errors import RoutiqError, StorageError
from routiq_gql.live.bus import InProcessBus
from routiq_gql.live.sync_feeds import SyncFeeds
from routiq_gql.organizations.dashboard import Reading
from routiq_gql.organizations.dashboard_feeds import DashboardFeed
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync import drafting, pipeline, preparing, source
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncStep
from routiq_gql.sync.reconcile import bisecting, classes
from routiq_gql.sync.run import SyncRun
from routiq_gql.sync.runner import Outcome, SyncRunner
from tests.simulation.aftermath import check_pruning
from tests.simulation.conduct import Conduct, kept_by
from tests.simulation.feed_followers import DashboardFollower, FeedFollower, ProgressFollower
from tests.simulation.invariants import Ledger, SyncStory, Violated
from tests.simulation.living import Living
from tests.simulation.looks import is_look
from tests.simulation.loop import Deadlock, Endless
from tests.simulation.machine import BEGINNING, Machine, TrueClock, collect, prepare
from tests.simulation.process import Process, current
from tests.simulation.rare import RareStates
from tests.simulation.reader import Reader
from tests.simulation.scenario import ALL_FAULTS, Event, Happening, Round, Scenario, Trouble, draw
from tests.simulation.story import Story
from tests.simulation.template import NAMES, Template, settings_at
from tests.simulation.time_only import TimeOnlyObserver
from tests.simulation.transport import FIRST_PORT
from tests.simulation.watchers import Watcher
from tests.sync.histories.edits import carry_out, make_clinic
from tests.sync.histories.oracle import content_of
from tests.sync.histories.steps import Edit
from tests.sync.histories.world import Organization

T = TypeVar("T")
SILENT_SECONDS = 2.5
"""A running sync is written to at least so often, while its process is not disturbed and the disk is fast."""
SLOW_CALLS = 20
"""So many calls to a slow disk may come before a heartbeat."""
PATIENCE_SECONDS = 900.0
"""A sync without a fault ends within this virtual time; with the faults of a scenario it may take half of it."""

HOUSEKEEPING_SECONDS = 120.0
"""Housekeeping removes the versions of an ended sync within this virtual time, even on a slow disk."""

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a simulation.

    Attributes:
        error: What was violated, or the error that ended the simulation; ``None`` if all is well.
        completed: How many syncs have completed, of those that ``started``.
    """

    seed: int
    story: Story
    error: BaseException | None
    started: int
    completed: int
    steps: int
    seconds: float
    reached: frozenset[str] = frozenset()


class Simulation:
    """The simulation of a seed on a copy of the template."""

    def __init__(self, seed: int, template: Template, folder: Path, *, scenario: Scenario | None = None) -> None:
        self.scenario = scenario or draw(seed)
        self._path = folder / f"routiq-{next(_NUMBERS)}.db"  # connections of an earlier simulation may still be open
        template.copy_to(self._path)
        emulators = [Emulator(make_clinic(size, BEGINNING)) for size in self.scenario.sizes]
        self.machine = Machine(seed, emulators)
        self.loop = self.machine.loop
        ahead, date_ahead = self.scenario.clocks
        for emulator in emulators:
            emulator.clinic.clock = TrueClock(self.machine, timedelta(minutes=ahead))
            emulator.date_skew_seconds = date_ahead * 60
        self.organizations = [Organization(name, one) for name, one in zip(NAMES, emulators, strict=True)]
        self.story = Story(lambda: (self.loop.now, self.loop.steps))
        self.processes: list[Process] = []
        life = self.scenario.life
        self.keep_live(life.interval if life is not None and life.is_everywhere else 0)
        self.living: Living | None = None
        self._agents: dict[asyncio.Task[Any], None] = {}
        self.waiting: dict[Event, list[tuple[int, Happening, Callable[[], None]]]] = {one: [] for one in Event}
        self.rare = RareStates()
        self._counts = dict.fromkeys(Event, 0)
        self._changed = asyncio.Event()
        self._steps_since = 0
        chance, self._chance = Random(f"latency {seed}").random, Random(f"chance {seed}")
        scenario_ = self.scenario

        def network_latency() -> float:
            return scenario_.latency * chance() * 2 if scenario_.latency else 0.0

        def disk_latency() -> float:
            return scenario_.disk_seconds * chance() if chance() < scenario_.disk_share else 0.0

        self.machine.network.latency = network_latency
        self.machine.disk.latency = disk_latency
        self.machine.disk.is_instant = lambda: chance() < scenario_.instant_share

    def keep_live(self, seconds: int) -> None:
        """Have later processes look at all organizations at this interval; 0 for those with a schedule only."""
        changes = {"cliniko_requests_per_minute": self.scenario.pace, "refresh_seconds": seconds}
        self._settings = settings_at(self._path, changes)

    def run(self) -> Result:
        """Play the scenario to its end."""
        error: BaseException | None = None
        was_collecting = gc.isenabled()
        gc.disable()
        try:
            with pytest.MonkeyPatch.context() as patch, self.machine.installed():
                prepare()
                self._tune(patch)
                self.ledger = Ledger(Reader(self._path), self.organizations, self.story)
                self.ledger.on_violation = self.loop.stop
                self.ledger.processes = self.processes
                # A run that was interrupted continues when its engine looks again.
                silence = SILENT_SECONDS + SLOW_CALLS * self.scenario.disk_seconds + self.scenario.look_seconds
                self.ledger.longest_silence = silence
                self.conduct = Conduct(self.ledger)
                self.ledger.is_honest = self._is_honest
                self.ledger.on_change = self._note_change
                self.machine.disk.on_commit = self.ledger.note_commit
                self._observe_publications(patch)
                self._observe_rare_states(patch)
                self.time_only = TimeOnlyObserver(self.rare, self._kill_soon, self._start_now)
                self.time_only.observe(patch)
                if self.scenario.life is not None:
                    self.living = Living(self, self.scenario.life, self._settings.refresh_share)
                    self.living.tune(patch)
                    self.ledger.on_completed = self.living.ended
                    self.ledger.states_since_look = self.living.looks.states_since_look
                    self.machine.network.on_send = self._note_sent
                self._observe_requests()
                self.loop.set_exception_handler(self._note_unhandled)
                asyncio.set_event_loop(self.loop)
                try:
                    self.loop.run_until_complete(self._play())
                except (Deadlock, Endless) as stuck:
                    error = Violated("stuck", f"{stuck} Unfinished: {self._unfinished()}")
                except RuntimeError as stopped:
                    error = self.ledger.failed or stopped
                except Exception as other:
                    error = other
                error = self.ledger.failed or error
                if error is None:
                    error = self._leaks()
                self.ledger.reader.close()
                self._abandon()
        finally:
            asyncio.set_event_loop(None)
            if was_collecting:
                collect()
                gc.enable()
        counts = (len(self.ledger.syncs), self.ledger.completed, self.loop.steps, self.loop.now)
        return Result(self.scenario.seed, self.story, error, *counts, frozenset(self.rare.reached))

    # The play

    async def _play(self) -> None:
        await self.start_process()
        for number, one in enumerate(self.scenario.rounds, 1):
            self.story.tell(f"round {number}: {one.mode.value} of {NAMES[one.organization]}")
            await self._play_round(one)
        if self.living is not None:
            await self.living.play()
        await self._settle()
        for process in [one for one in self.processes if one.is_serving]:
            await process.stop()
            if process.error is not None:
                raise process.error
        for process in self.processes:
            await process.ended()

    async def _play_round(self, one: Round) -> None:
        organization = self.organizations[one.organization]
        for edit in one.edits:
            self.edit(organization, edit)
        if one.passes:
            self._let_pass(one.passes)
        if one.waits:
            await self._wait_for_time(one)
        for name, resource in one.faults:
            organization.emulator.faults.add(replace(ALL_FAULTS[name], resource=resource))
            self.story.tell(f"fault of {organization.name}: {name} at {resource}")
        for happening in one.happenings:
            self.arm(happening, organization)
        if one.has_company:
            self.agent(self.start(self.organizations[1 - one.organization], SyncMode.AUTO))
        started = await self.start(organization, one.mode)
        watchers = [
            Watcher(watching, self.viewer(organization), started.sync_id, self.ledger, self.serving)
            for watching in one.watchings
        ]
        watching = [self.agent(watcher.watch()) for watcher in watchers]
        followers = self._followers(organization, started.sync_id)
        watching += [self.agent(follower.follow()) for follower in followers]
        await self.until_ended()
        for armed in self.waiting.values():
            armed.clear()
        await asyncio.sleep(0.5)  # so that some troubles come right after the end
        self.loop.forget_steps()
        await self.until_ended()
        await self.agents_ended()
        if any(watcher.resumed for watcher in watchers):
            self.rare.reach("a watcher that connects again")
        if any(watcher.has_skipped for watcher in watchers):
            self.rare.reach("a watcher that skips versions")
        if any(follower.has_joined for follower in followers):
            self.rare.reach("a follower that joins an open feed")
        del watching
        for known in self.organizations:
            known.emulator.faults.clear()

    async def agents_ended(self) -> None:
        """Wait until all clients and troubles have ended, and the syncs that they have started."""
        while self._agents:
            running = list(self._agents)
            done, late = await asyncio.wait(running, timeout=PATIENCE_SECONDS)
            if late:
                raise Violated("stuck", f"{len(late)} clients do not end. Unfinished: {self._unfinished()}")
            for task in done:
                task.result()
            await self.until_ended()

    def _followers(self, organization: Organization, sync_id: str) -> list[FeedFollower[Any]]:
        """Followers of feeds: any number up to four, so that some share a feed and some come and leave alone."""
        kinds = self._chance.choices((ProgressFollower, DashboardFollower), k=self._chance.choice((0, 1, 2, 4)))
        viewer = self.viewer(organization)
        return [kind(viewer, sync_id, self.ledger, self.serving, self._chance) for kind in kinds]

    def _let_pass(self, time: timedelta) -> None:
        self.loop.now += time.total_seconds()
        self.story.tell(f"{time} pass")

    async def _wait_for_time(self, one: Round) -> None:
        """Let the engine publish what time has changed, and kill its process meanwhile."""
        self.time_only.kills_after, self.time_only.slow_steps = one.kills_after, one.slow_steps
        await asyncio.sleep(one.waits)
        self.time_only.kills_after = self.time_only.slow_steps = 0

    async def until_ended(self) -> None:
        """Wait until no organization has an active sync, and a process is there to run the next."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while any(self.ledger.active_of(one) for one in self.organizations):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            active = [one for each in self.organizations if (one := self.ledger.active_of(each))]
            what = ", ".join(f"sync {one['key']} at “{one['current_step']}”" for one in active)
            raise Violated("stuck", f"{what} has not ended within {PATIENCE_SECONDS:.0f} s") from None

    async def _settle(self) -> None:
        """Give housekeeping the time to remove the versions of failed syncs."""
        await self.serving()
        await asyncio.sleep(2.5)
        asked_at = self.loop.time()
        while left := self.ledger.reader.left_versions():
            if self.loop.time() - asked_at > HOUSEKEEPING_SECONDS:
                raise Violated("leak", f"versions of syncs without a result are left: {left[:3]}")
            await asyncio.sleep(1)
        await check_pruning(self.ledger, self._let_pass)
        for process in [one for one in self.processes if one.is_serving]:
            await self._until_unused(process)

    async def _until_unused(self, process: Process) -> None:
        """Wait until an idle process uses no connection to its database."""
        pool = _runtime(process).database._engine.pool
        for _ in range(1_000):
            if process.is_dead or not (pool.checkedout() or kept_by(_runtime(process))):
                return
            await asyncio.sleep(0.05)
        if kept := kept_by(_runtime(process)):
            raise Violated("leak", f"{process} keeps {kept} although it is idle")
        raise Violated("leak", f"{process} keeps {pool.checkedout()} connections although it is idle")

    async def start(self, organization: Organization, mode: SyncMode) -> SyncSnapshot:
        self.ledger.starting.append(organization.name)
        started = await self.ask(
            lambda process: _runtime(process).syncs.start(self.viewer(organization), organization.name, mode)
        )
        self.ledger.starting.remove(organization.name)
        if self.ledger.syncs[started.sync.key].is_refresh:
            raise Violated("person", f"a person gets sync {started.sync.key}, which a look has started")
        self.story.tell(
            f"{organization.name}: sync {started.sync.key} {'starts' if started.created else 'runs already'}"
        )
        if not started.created:
            self.rare.reach("a start of a sync that runs")
        return started.sync

    async def ask(self, request: Callable[[Process], Coroutine[Any, Any, T]]) -> T:
        """The response of a process to a client, who tries again when the process dies."""
        while True:
            process = await self.serving()
            task = process.run(request(process))
            await asyncio.wait([task])
            if not task.cancelled():
                error = task.exception()
                if error is None:
                    return task.result()
                if not process.is_dead and not isinstance(error, RoutiqError):
                    raise error
                self.story.tell(f"{process} refuses: {error}")
            await asyncio.sleep(0.2)

    async def serving(self) -> Process:
        """A process that clients reach, once there is one."""
        for _ in range(100_000):
            if serving := [one for one in self.processes if one.is_serving]:
                return serving[0] if len(serving) == 1 else self._chance.choice(serving)
            await asyncio.sleep(0.1)
        raise Violated("stuck", "no process serves")

    async def start_process(self) -> Process:
        process = Process(f"p{len(self.processes) + 1}", self.loop, self.machine.disk, self._settings)
        self.processes.append(process)
        await process.start()
        self.story.tell(
            f"{process} is open" if process.runtime is not None else f"{process} did not open: {process.error!r}"
        )
        if isinstance(process.error, StorageError) and self.machine.disk.is_full:
            await asyncio.sleep(1)  # as its supervisor would
            return await self.start_process()
        if process.error is not None:
            raise process.error
        return process

    # What happens

    def arm(self, happening: Happening, organization: Organization) -> None:
        def happen() -> None:
            self.story.tell(f"{happening.trouble.value} {happening.seconds:g}")
            self.happen(happening, organization)

        def soon() -> None:
            if happening.steps_later:
                self.loop.at_step(self.loop.steps + happening.steps_later, happen)
            else:
                happen()

        if happening.event is Event.STEP:
            self.loop.at_step(self.loop.steps + happening.number, lambda: None if self._is_idle() else happen())
            return
        due = self._counts[happening.event] + happening.number
        self.waiting[happening.event].append((due, happening, lambda: self.loop.at_step(self.loop.steps + 1, soon)))

    def _is_idle(self) -> bool:
        return not any(self.ledger.active_of(one) for one in self.organizations)

    def _count(self, event: Event) -> None:
        self._counts[event] += 1
        for entry in [one for one in self.waiting[event] if one[0] <= self._counts[event]]:
            self.waiting[event].remove(entry)
            entry[2]()

    def happen(self, happening: Happening, organization: Organization) -> None:
        process = next((one for one in self.processes if one.is_serving), None)
        known = self.ledger.active_of(organization)
        if self.living is not None:
            self.living.note(happening)
            is_looking = any(self.living.looks.is_looking(one) for one in self.organizations)
            self.rare.look(happening.trouble, known, is_looking=is_looking)
        self.rare.happening(happening.trouble, known, process, self.machine.disk.connections.values())
        if happening.trouble is Trouble.JUMP and happening.seconds < 0 and known is not None:
            self.rare.reach("a jump of the clock back while a sync runs")
        match happening.trouble:
            case Trouble.EDIT:
                for edit in happening.edits:
                    self.edit(organization, edit)
            case Trouble.JUMP:
                self.machine.wall_error += timedelta(seconds=happening.seconds)
                self.ledger.jumped_at = self.loop.now
            case Trouble.CUT:
                self._cut(happening.seconds)
            case Trouble.FULL:
                self._disturb(*self.processes)
                self.machine.disk.is_full = True
                self.loop.call_later(happening.seconds + 0.01, self._make_space)
            case Trouble.START:
                self.agent(self.start(organization, SyncMode.AUTO))
            case Trouble.CANCEL:
                if (known := self.ledger.active_of(organization)) is not None:
                    known.was_cancelled = True
                    self.agent(self._cancel(organization, known["sync_id"]))
            case Trouble.SECOND:
                self.agent(self.start_process())
            case Trouble.KILL if process is not None:
                process.kill()
                self.agent(self._restart(process, happening.seconds))
            case Trouble.STOP if process is not None:
                self.agent(self._stop_and_restart(process, happening.seconds))
            case Trouble.FREEZE if process is not None:
                process.freeze(loses_lock=False)
                self.loop.call_later(0.01 + happening.seconds, process.thaw)
            case Trouble.OVERTAKE if process is not None:
                process.freeze(loses_lock=True)
                self.agent(self.start_process())
                self.loop.call_later(0.01 + happening.seconds, process.thaw)
            case Trouble.PAUSE if process is not None:
                engine: Any = _runtime(process).engine
                engine.pause(timedelta(seconds=happening.seconds))
                process.disturbed_at = self.loop.time() + happening.seconds  # a commit may be on its way

    def _kill_soon(self, steps: int) -> None:
        """Kill the process that publishes a time-only sync, so many steps later."""
        process = current()

        def kill() -> None:
            if process is not None and process.is_serving:
                self.story.tell(f"kill {process}")
                if self.time_only.writing:
                    self.rare.reach("a kill inside a time-only sync")
                process.kill()
                self.agent(self._restart(process, 0.2))

        self.loop.at_step(self.loop.steps + steps, kill)

    def _start_now(self, name: str) -> None:
        """Start a sync of this organization."""
        self.agent(self.start(self.organizations[NAMES.index(name)], SyncMode.AUTO))

    def _cut(self, seconds: float) -> None:
        network = self.machine.network
        network.is_cut = True
        for known in self.ledger.syncs.values():
            known.was_honest = known.was_honest and not known.is_active

        def mend() -> None:
            network.is_cut = False

        self.loop.call_later(seconds + 0.01, mend)

    def _make_space(self) -> None:
        self._disturb(*self.processes)
        self.machine.disk.is_full = False

    def _disturb(self, *processes: Process) -> None:
        for process in processes:
            process.disturbed_at = self.loop.time()

    async def _cancel(self, organization: Organization, sync_id: str) -> None:
        async def answer(process: Process) -> Any:
            given = await _runtime(process).syncs.cancel(self.viewer(organization), sync_id)
            self.conduct.note_cancelled(organization, process)
            return given

        response = await self.ask(answer)
        self.story.tell(f"cancel of {sync_id}: {response.cancelled}")
        if not response.cancelled:
            self.rare.reach("a cancel that comes too late")
        if not response.sync.is_terminal:
            raise Violated("stuck", f"{sync_id} is not ended by its cancel")

    async def _restart(self, dead: Process, seconds: float) -> None:
        await dead.ended()
        await asyncio.sleep(seconds)
        await self.start_process()

    async def _stop_and_restart(self, process: Process, seconds: float) -> None:
        holder = process.holder
        await process.stop()
        if self.scenario.disk_seconds < 1:  # a stop does not wait long for a slow disk
            self.ledger.check_released(process, holder)
        await asyncio.sleep(seconds)
        await self.start_process()

    def edit(self, organization: Organization, edit: Edit) -> None:
        looks = self.living.looks if self.living is not None else None
        before, at = (looks.content_now(organization), organization.clinic.clock.now()) if looks else (None, None)
        carry_out(edit, organization.clinic)
        if looks is not None and before is not None and at is not None:
            looks.edited(organization, before, looks.content_now(organization), at)
        self.story.tell(f"edit of {organization.name}: {edit.kind.value} {edit.resource} {edit.row}")
        known = self.ledger.active_of(organization)
        if known is not None:
            organization.states.append(content_of(organization.clinic, known.horizon))

    # What is observed

    def _note_response(self, port: int, status: int) -> None:
        self.conduct.note_response(port, status)
        if status == 429 and is_look():
            self.rare.reach("a rate limit during a look")

    def _note_sent(self, port: int) -> None:
        if self.living is not None:
            self.living.looks.note_sent(self.organizations[port - FIRST_PORT])

    def _note_change(self, known: SyncStory, process: Process | None, before: tuple[Any, ...] | None) -> None:
        self._count(Event.COMMIT)
        if before is None and known.is_refresh:
            self._count(Event.FOUND)
        if known["waiting_for"] is not None:
            self._count(Event.WAIT)
            if self.living is not None:
                self.living.looks.changed(known)
        if known["step"] >= SyncStep.ANALYZING:
            self._count(Event.LATE)
        self.rare.change(known, before, sum(one.is_active for one in self.ledger.syncs.values()))
        if sum(one.is_serving for one in self.processes) > 1:
            self.rare.reach("two processes at the same time")
        if not known.is_active:
            self._changed.set()
        del process

    def _is_honest(self, organization: Organization) -> bool:
        return not organization.emulator.faults.listed() and not self.machine.network.is_cut

    def _observe_publications(self, patch: pytest.MonkeyPatch) -> None:
        publish = InProcessBus.publish

        def observed(bus: InProcessBus, snapshot: SyncSnapshot) -> None:
            self.ledger.note_published(snapshot)
            self.rare.published[snapshot.key] = max(snapshot.version, self.rare.published.get(snapshot.key, 0))
            publish(bus, snapshot)

        patch.setattr(InProcessBus, "publish", observed)
        take, reread = DashboardFeed.take, SyncFeeds.reread

        def observed_take(feed: DashboardFeed, reading: Reading) -> None:
            take(feed, reading)
            if feed.is_behind:
                self.rare.reach("a dashboard that changes while it is read")

        async def observed_reread(feeds: SyncFeeds, also: Any) -> None:
            known = {feed: feed.value.version for feed in feeds}
            await reread(feeds, also)
            if any(feed.value.version > version for feed, version in known.items()):
                self.rare.reach("a state that a feed finds in the database")

        patch.setattr(DashboardFeed, "take", observed_take)
        patch.setattr(SyncFeeds, "reread", observed_reread)

    def _observe_rare_states(self, patch: pytest.MonkeyPatch) -> None:
        rare, run, search = self.rare, SyncRunner.run, bisecting._search

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
        self.machine.network.on_flight = note_flight
        self.machine.network.on_response = self._note_response
        self.machine.disk.on_rare = rare.reach

    def _observe_requests(self) -> None:
        for organization in self.organizations:
            name = organization.name

            def before(request: Any, name: str = name, organization: Organization = organization) -> None:
                self.conduct.note_request(organization, current())
                self.ledger.note_request(organization, request, current())
                self.story.tell(
                    f"{name}: {request.resource} {' '.join(f'{key}={value}' for key, value in request.parameters)}"
                )
                self._count(Event.LOOK if is_look() else Event.REQUEST)

            organization.emulator.before_request = before

    def _note_unhandled(self, _loop: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        owner = next((one for one in self.processes if context.get("task") in one.tasks), None)
        if owner is not None and owner.is_dead:
            return
        if any(one.is_dead for one in self.processes) and isinstance(error, Exception):
            return
        self.ledger.fail("leak", f"an error that nobody handles: {context.get('message')} {error!r}")

    def _leaks(self) -> Violated | None:
        left = [task for process in self.processes for task in process.tasks if not task.done()]
        if left:
            return Violated("leak", f"tasks are left: {[task.get_name() for task in left][:5]}")
        ended = [one for one in self.processes if one.runtime is not None and not one.is_dead]
        if any(kept_by(one.runtime) for one in ended):
            gc.collect()  # a cancelled read and its error refer to each other
        for process in ended:
            if kept := kept_by(process.runtime):
                return Violated("leak", f"{process} has ended, and {kept} are left")
        return None

    def _unfinished(self) -> list[str]:
        """Where the tasks of the clients and processes wait."""
        places = []
        for task in asyncio.all_tasks(self.loop):
            frames = task.get_stack()
            place = f"{frames[-1].f_code.co_filename.rsplit('/', 1)[-1]}:{frames[-1].f_lineno}" if frames else ""
            places.append(f"{task.get_coro().__qualname__} at {place}")  # type: ignore[union-attr]
        return sorted(places)[:12]

    def _abandon(self) -> None:
        """Drop everything that a failed simulation has left, without running it."""
        self.loop.set_exception_handler(lambda _loop, _context: None)
        for task in asyncio.all_tasks(self.loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self.loop._ready.clear()  # type: ignore[attr-defined]
        self.loop._scheduled.clear()  # type: ignore[attr-defined]
        for connection in list(self.machine.disk.connections.values()):
            connection.close()
        self.loop.close()
        self.processes.clear()
        for file in self._path.parent.glob(f"{self._path.name}*"):
            file.unlink()

    # Helpers

    def agent(self, coroutine: Awaitable[Any]) -> asyncio.Task[Any]:
        task = self.loop.create_task(coroutine)  # type: ignore[arg-type]
        self._agents[task] = None
        task.add_done_callback(lambda done: self._agents.pop(done, None))
        task.add_done_callback(self._note_agent)
        return task

    def _note_agent(self, done: asyncio.Task[Any]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None and self.ledger.failed is None:
            self.ledger.failed = error  # type: ignore[assignment]
            self.loop.stop()

    def viewer(self, organization: Organization) -> Viewer:
        return Viewer(organization_id=organization.name, subject="someone")

    def _tune(self, patch: pytest.MonkeyPatch) -> None:
        tuning = self.scenario.tuning
        assert lists.read_list.__kwdefaults__ is not None
        patch.setitem(lists.read_list.__kwdefaults__, "per_page", tuning.per_page)
        patch.setattr(embedded, "LOOK_INTERVAL_SECONDS", self.scenario.look_seconds)
        patch.setattr(bisecting, "LEAF_ROWS", tuning.leaf_rows)
        patch.setattr(drafting, "ROWS_PER_STEP", tuning.rows_per_step)
        patch.setattr(preparing, "ROWS_PER_STEP", tuning.rows_per_step)
        patch.setattr(source, "IDS_PER_STEP", tuning.rows_per_step)
        patch.setattr(pipeline, "SLICE_PATIENTS", tuning.rows_per_step)
        for module in (drafting, classes):
            patch.setattr(module, "MOST_IDS", tuning.ids_per_request)
        patch.setattr(source, "CLASSES_PER_REQUEST", tuning.ids_per_request)
        patch.setattr(classes, "REQUESTS", tuning.class_requests)


def _runtime(process: Process) -> Any:
    if process.runtime is None:
        raise RuntimeError(f"{process} is not open.")
    return process.runtime
