"""Plays the scenario of a seed: a process, its clients, an emulated Cliniko, and everything that goes wrong.

Every choice comes from generators of the seed. ``Simulation.run`` returns the story, and raises nothing: a violation
is part of the result.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
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
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync import drafting, pipeline, preparing, source
from routiq_gql.sync.model import SyncMode, SyncSnapshot
from routiq_gql.sync.reconcile import bisecting, classes
from tests.simulation.conduct import Conduct
from tests.simulation.course import Course
from tests.simulation.invariants import Ledger
from tests.simulation.leftovers import abandon, leak_of, unfinished_tasks
from tests.simulation.living import Living
from tests.simulation.loop import Deadlock, Endless
from tests.simulation.machine import BEGINNING, Machine, TrueClock, collect, prepare
from tests.simulation.observing import Observer
from tests.simulation.process import Process, runtime_of
from tests.simulation.rare import RareStates
from tests.simulation.reader import Reader
from tests.simulation.scenario import Scenario, draw
from tests.simulation.story import Story
from tests.simulation.sync_story import Violated
from tests.simulation.template import NAMES, Template, settings_at
from tests.simulation.time_only import TimeOnlyObserver
from tests.simulation.troubles import Troubles
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
        self.rare = RareStates()
        self.troubles = Troubles(self)
        self.changed = asyncio.Event()
        chance, self.chance = Random(f"latency {seed}").random, Random(f"chance {seed}")
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
                self.machine.disk.on_commit = self.ledger.note_commit
                self.time_only = TimeOnlyObserver(self.rare, self.troubles.kill_soon, self.troubles.start_now)
                self.time_only.observe(patch)
                if self.scenario.life is not None:
                    self.living = Living(self, self.scenario.life, self._settings.refresh_share)
                    self.living.tune(patch)
                    self.ledger.on_completed = self.living.ended
                    self.ledger.states_since_look = self.living.looks.states_since_look
                Observer(self).observe(patch)
                asyncio.set_event_loop(self.loop)
                try:
                    self.loop.run_until_complete(Course(self).run())
                except (Deadlock, Endless) as stuck:
                    error = Violated("stuck", f"{stuck} Unfinished: {unfinished_tasks(self.loop)}")
                except RuntimeError as stopped:
                    error = self.ledger.failed or stopped
                except Exception as other:
                    error = other
                error = self.ledger.failed or error
                if error is None:
                    error = leak_of(self.processes)
                self.ledger.reader.close()
                abandon(self.loop, self.machine.disk, self._path)
                self.processes.clear()
        finally:
            asyncio.set_event_loop(None)
            if was_collecting:
                collect()
                gc.enable()
        counts = (len(self.ledger.syncs), self.ledger.completed, self.loop.steps, self.loop.now)
        return Result(self.scenario.seed, self.story, error, *counts, frozenset(self.rare.reached))

    async def agents_ended(self) -> None:
        """Wait until all clients and troubles have ended, and the syncs that they have started."""
        while self._agents:
            running = list(self._agents)
            done, late = await asyncio.wait(running, timeout=PATIENCE_SECONDS)
            if late:
                raise Violated("stuck", f"{len(late)} clients do not end. Unfinished: {unfinished_tasks(self.loop)}")
            for task in done:
                task.result()
            await self.until_ended()

    async def until_ended(self) -> None:
        """Wait until no organization has an active sync, and a process is there to run the next."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not self.is_idle():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            active = [one for each in self.organizations if (one := self.ledger.active_of(each))]
            what = ", ".join(f"sync {one['key']} at “{one['current_step']}”" for one in active)
            raise Violated("stuck", f"{what} has not ended within {PATIENCE_SECONDS:.0f} s") from None

    async def start(self, organization: Organization, mode: SyncMode) -> SyncSnapshot:
        self.ledger.starting.append(organization.name)
        started = await self.ask(
            lambda process: runtime_of(process).syncs.start(self.viewer(organization), organization.name, mode)
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
                return serving[0] if len(serving) == 1 else self.chance.choice(serving)
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

    def is_idle(self) -> bool:
        """Whether no organization has an active sync."""
        return not any(self.ledger.active_of(one) for one in self.organizations)

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
