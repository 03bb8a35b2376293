"""Plays the syncs of a clinic in virtual time, and records each published snapshot with the time of its publication."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from routiq_gql.cliniko import lists
from routiq_gql.emulator import Clinic, Emulator
from routiq_gql.emulator.generated import generated_clinic
from routiq_gql.engines.time_only import TimeOnlySyncs
from routiq_gql.live.bus import InProcessBus
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync import drafting, estimates, pipeline, source
from routiq_gql.sync.model import NextSync, SyncMode, SyncSnapshot, SyncState
from routiq_gql.sync.reconcile import bisecting, classes, rereading, totals
from tests.simulation import loop as simulated_loop
from tests.simulation.calibration.population import Population, Round, draw
from tests.simulation.calibration.weather import SharedLimit, WeatherNetwork
from tests.simulation.machine import BEGINNING, Machine, TrueClock, prepare
from tests.simulation.process import Process
from tests.simulation.template import NAMES, Template, settings_at

ORGANIZATION = NAMES[0]
PATIENCE_SECONDS = 7200.0
"""A sync that takes longer in virtual time is not played to its end; the product's own limit is an hour."""
MOST_STEPS = 20_000_000
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Published:
    """A snapshot and the time at which watchers received it."""

    at: datetime
    snapshot: SyncSnapshot


@dataclass(frozen=True, slots=True)
class PlayedSync:
    """A sync from its start to its end.

    Attributes:
        kind: ``first``, ``full`` or ``incremental``.
        published: Its snapshots, oldest first; the last is the end.
        forecast: The cost that the dashboard showed before the start.
        requests: How many requests it has sent.
    """

    seed: int
    kind: str
    published: tuple[Published, ...]
    forecast: NextSync | None
    requests: int
    was_killed: bool

    @property
    def end(self) -> SyncSnapshot:
        return self.published[-1].snapshot

    @property
    def has_completed(self) -> bool:
        return self.end.status is SyncState.COMPLETED


def play(seed: int, template: Template, folder: Path) -> list[PlayedSync]:
    """The syncs of the clinic of a seed."""
    return _Player(draw(seed), template, folder).run()


class _Player:
    """A clinic, a process of the product, and its syncs."""

    def __init__(self, population: Population, template: Template, folder: Path) -> None:
        self._population = population
        path = folder / "routiq.db"
        template.copy_to(path)
        self._clinic = _clinic_of(population)
        self._chance = Random(f"edits {population.seed}")
        emulator = Emulator(self._clinic)
        weather = Random(f"weather {population.seed}")
        emulator.limit = SharedLimit(population.weather, weather)
        self._machine = Machine(population.seed, [emulator])
        self._machine.network = self._network = WeatherNetwork(
            [emulator], population.weather, population.per_page, weather
        )
        self._machine.disk.latency = self._disk_latency
        self._clinic.clock = TrueClock(self._machine, timedelta())
        changes = {
            "cliniko_requests_per_minute": population.pace,
            "cliniko_retry_seconds": 2,
            "cliniko_read_timeout_seconds": 40,
            "recent_days": 30,
            "upcoming_days": 30,
            "history_days": 730,
        }
        self._settings = settings_at(path, changes)
        self._published: list[Published] = []
        self._ended = asyncio.Event()
        self._process: Process | None = None
        self._restarting: asyncio.Task[None] | None = None
        self._played: list[PlayedSync] = []
        self._disk_chance = Random(f"disk {population.seed}").random

    def _disk_latency(self) -> float:
        return self._population.weather.disk_seconds * 2 * self._disk_chance()

    def run(self) -> list[PlayedSync]:
        machine = self._machine
        gc.disable()
        try:
            with pytest.MonkeyPatch.context() as patch, machine.installed():
                prepare()
                self._tune(patch)
                self._observe(patch)
                asyncio.set_event_loop(machine.loop)
                try:
                    machine.loop.run_until_complete(self._play())
                finally:
                    self._abandon()
        finally:
            asyncio.set_event_loop(None)
            gc.enable()
        return self._played

    async def _play(self) -> None:
        self._process = await self._open()
        for number, one in enumerate(self._population.rounds):
            self._machine.loop.now += one.passes.total_seconds()
            for _ in range(one.edits):
                self._edit(self._machine.true_time() - one.passes * self._chance.random())
            for _ in range(one.removals):
                self._remove()
            self._played.append(await self._sync(one, is_first=number == 0))
        await self._process.stop()
        await self._process.ended()

    async def _open(self) -> Process:
        process = Process("p", self._machine.loop, self._machine.disk, self._settings)
        await process.start()
        if process.error is not None:
            raise process.error
        return process

    async def _sync(self, one: Round, *, is_first: bool) -> PlayedSync:
        viewer = Viewer(organization_id=ORGANIZATION, subject="someone")
        dashboard = await self._ask(lambda runtime: runtime.syncs.dashboard(viewer, ORGANIZATION))
        self._published, sent, killed, loop = [], 0, False, self._machine.loop
        self._ended.clear()

        def before(_number: int) -> None:
            nonlocal sent, killed
            sent += 1
            if self._chance.random() < one.edits_during:
                self._edit(self._machine.true_time())
            if one.kill_after and sent == one.kill_after:
                killed = True
                loop.at_step(loop.steps + 1, self._begin_restart)

        self._network.before = before
        started = await self._ask(lambda runtime: runtime.syncs.start(viewer, ORGANIZATION, one.mode))
        self._published.insert(0, Published(started.sync.started_at, started.sync))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._ended.wait()
        self._network.before = lambda _number: None
        mode = self._published[-1].snapshot.mode
        kind = "first" if is_first else "full" if mode is SyncMode.FULL else "incremental"
        seed, published = self._population.seed, tuple(self._published)
        return PlayedSync(seed, kind, published, dashboard.next_sync, sent, killed)

    async def _ask(self, request: Callable[[Any], Awaitable[Any]]) -> Any:
        assert self._process is not None
        return await self._process.run(request(self._process.runtime))  # type: ignore[arg-type]

    def _begin_restart(self) -> None:
        self._restarting = self._machine.loop.create_task(self._restart())

    async def _restart(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.ended()
        await asyncio.sleep(1 + 9 * self._chance.random())
        self._process = await self._open()

    def _edit(self, at: datetime) -> None:
        """Change a row, most often an appointment's."""
        clinic, chance = self._clinic, self._chance
        patients = clinic.patients.ids()
        appointments = clinic.individual_appointments.ids()
        lot = chance.random()
        day = BEGINNING + DAY * chance.randint(-20, 60)
        if lot < 0.05 or not patients or not appointments:
            clinic.insert_patient(at=at)
        elif lot < 0.4:
            clinic.insert_appointment(str(chance.choice(patients)), day, at=at)
        elif lot < 0.6:
            clinic.cancel("individual_appointments", str(chance.choice(appointments)), at=at)
        elif lot < 0.8:
            clinic.mark("individual_appointments", str(chance.choice(appointments)), arrived=False, at=at)
        elif lot < 0.9:
            clinic.rename(str(chance.choice(patients)), first_name="Kim", at=at)
        elif lot < 0.98:
            clinic.insert_attendee(
                str(chance.choice(clinic.group_appointments.ids())), str(chance.choice(patients)), at=at
            )
        else:
            clinic.insert_class(day, at=at)

    def _remove(self) -> None:
        """Let an appointment vanish without a trace."""
        appointments = self._clinic.individual_appointments.ids()
        if appointments:
            self._clinic.remove("individual_appointments", str(self._chance.choice(appointments)))

    def _observe(self, patch: pytest.MonkeyPatch) -> None:
        publish = InProcessBus.publish

        def observed(bus: InProcessBus, snapshot: SyncSnapshot) -> None:
            self._published.append(Published(self._machine.true_time(), snapshot))
            if snapshot.is_terminal:
                self._ended.set()
            publish(bus, snapshot)

        patch.setattr(InProcessBus, "publish", observed)

    def _tune(self, patch: pytest.MonkeyPatch) -> None:
        """Let all sizes that follow Cliniko's page of 100 rows follow this clinic's."""
        rows = self._population.per_page
        assert lists.read_list.__kwdefaults__ is not None
        patch.setitem(lists.read_list.__kwdefaults__, "per_page", rows)
        for module, name, size in (
            (bisecting, "LEAF_ROWS", 1),
            (rereading, "IDS_PER_REQUEST", 1),
            (classes, "ROWS_PER_REQUEST", 1),
            (totals, "ROWS_PER_PAGE", 1),
            (estimates, "ROWS_PER_PAGE", 1),
            (classes, "MOST_IDS", 2),
            (drafting, "MOST_IDS", 2),
            (source, "CLASSES_PER_REQUEST", 2),
            (estimates, "CLASSES_PER_REQUEST", 2),
            (pipeline, "SLICE_PATIENTS", 10),
        ):
            patch.setattr(module, name, size * rows)
        patch.setattr(estimates, "SECONDS_PER_PATIENT", estimates.SECONDS_PER_PATIENT * 100 / rows)
        patch.setattr(estimates, "CHANGED_ROWS", estimates.CHANGED_ROWS * rows / 100)
        patch.setattr(simulated_loop, "MOST_STEPS", MOST_STEPS)
        patch.setattr(TimeOnlySyncs, "step", _never_due)  # they read nothing, so there is nothing to estimate

    def _abandon(self) -> None:
        machine = self._machine
        for task in asyncio.all_tasks(machine.loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        machine.loop._ready.clear()  # type: ignore[attr-defined]
        machine.loop._scheduled.clear()  # type: ignore[attr-defined]
        for connection in list(machine.disk.connections.values()):
            connection.close()
        machine.loop.close()
        gc.collect()


def _clinic_of(population: Population) -> Clinic:
    try:
        return generated_clinic(
            population.patients,
            BEGINNING,
            population.seed,
            appointments=population.appointments,
            classes=population.classes,
            attendees_per_class=population.attendees_per_class,
        )
    except ValueError:  # the patients need more appointments or classes than drawn
        return generated_clinic(
            population.patients, BEGINNING, population.seed, attendees_per_class=population.attendees_per_class
        )


async def _never_due(_syncs: TimeOnlySyncs) -> bool:
    return False
