"""What goes wrong in a simulation. A trouble waits for the event or step that its scenario names, or comes at once."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from routiq_gql.sync.model import SyncMode
from tests.simulation.process import Process, current, runtime_of
from tests.simulation.scenario import Event, Happening, Trouble
from tests.simulation.sync_story import Violated
from tests.simulation.template import NAMES
from tests.sync.histories.world import Organization

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


class Troubles:
    """The troubles of a simulation."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        self._counts = dict.fromkeys(Event, 0)
        self._armed: dict[Event, list[tuple[int, Callable[[], None]]]] = {one: [] for one in Event}

    def arm(self, happening: Happening, organization: Organization) -> None:
        """Have it happen at its event or step."""
        simulation = self._simulation
        loop = simulation.loop

        def happen() -> None:
            simulation.story.tell(f"{happening.trouble.value} {happening.seconds:g}")
            self.happen(happening, organization)

        def soon() -> None:
            if happening.steps_later:
                loop.at_step(loop.steps + happening.steps_later, happen)
            else:
                happen()

        if happening.event is Event.STEP:
            loop.at_step(loop.steps + happening.number, lambda: None if simulation.is_idle() else happen())
            return
        due = self._counts[happening.event] + happening.number
        self._armed[happening.event].append((due, lambda: loop.at_step(loop.steps + 1, soon)))

    def disarm(self) -> None:
        """Forget all that wait for an event."""
        for armed in self._armed.values():
            armed.clear()

    def count(self, event: Event) -> None:
        """An event has come: begin the troubles that were waiting for it."""
        self._counts[event] += 1
        for entry in [one for one in self._armed[event] if one[0] <= self._counts[event]]:
            self._armed[event].remove(entry)
            entry[1]()

    def happen(self, happening: Happening, organization: Organization) -> None:
        """Have it happen now."""
        simulation = self._simulation
        process = next((one for one in simulation.processes if one.is_serving), None)
        known = simulation.ledger.active_of(organization)
        if simulation.living is not None:
            simulation.living.note(happening)
            is_looking = any(simulation.living.looks.is_looking(one) for one in simulation.organizations)
            simulation.rare.look(happening.trouble, known, is_looking=is_looking)
        simulation.rare.happening(happening.trouble, known, process, simulation.machine.disk.connections.values())
        if happening.trouble is Trouble.JUMP and happening.seconds < 0 and known is not None:
            simulation.rare.reach("a jump of the clock back while a sync runs")
        match happening.trouble:
            case Trouble.EDIT:
                for edit in happening.edits:
                    simulation.edit(organization, edit)
            case Trouble.JUMP:
                simulation.machine.wall_error += timedelta(seconds=happening.seconds)
                simulation.ledger.jumped_at = simulation.loop.now
            case Trouble.CUT:
                self._cut(happening.seconds)
            case Trouble.FULL:
                self._disturb(*simulation.processes)
                simulation.machine.disk.is_full = True
                simulation.loop.call_later(happening.seconds + 0.01, self._make_space)
            case Trouble.START:
                simulation.agent(simulation.start(organization, SyncMode.AUTO))
            case Trouble.CANCEL:
                if (known := simulation.ledger.active_of(organization)) is not None:
                    known.was_cancelled = True
                    simulation.agent(self._cancel(organization, known["sync_id"]))
            case Trouble.SECOND:
                simulation.agent(simulation.start_process())
            case Trouble.KILL if process is not None:
                process.kill()
                simulation.agent(self._restart(process, happening.seconds))
            case Trouble.STOP if process is not None:
                simulation.agent(self._stop_and_restart(process, happening.seconds))
            case Trouble.FREEZE if process is not None:
                process.freeze(loses_lock=False)
                simulation.loop.call_later(0.01 + happening.seconds, process.thaw)
            case Trouble.OVERTAKE if process is not None:
                process.freeze(loses_lock=True)
                simulation.agent(simulation.start_process())
                simulation.loop.call_later(0.01 + happening.seconds, process.thaw)
            case Trouble.PAUSE if process is not None:
                engine: Any = runtime_of(process).engine
                engine.pause(timedelta(seconds=happening.seconds))
                process.disturbed_at = simulation.loop.time() + happening.seconds  # a commit may be on its way

    def kill_soon(self, steps: int) -> None:
        """Kill the process that publishes a time-only sync, so many steps later."""
        simulation = self._simulation
        process = current()

        def kill() -> None:
            if process is not None and process.is_serving:
                simulation.story.tell(f"kill {process}")
                if simulation.time_only.writing:
                    simulation.rare.reach("a kill inside a time-only sync")
                process.kill()
                simulation.agent(self._restart(process, 0.2))

        simulation.loop.at_step(simulation.loop.steps + steps, kill)

    def start_now(self, name: str) -> None:
        """Start a sync of this organization."""
        simulation = self._simulation
        simulation.agent(simulation.start(simulation.organizations[NAMES.index(name)], SyncMode.AUTO))

    def _cut(self, seconds: float) -> None:
        simulation = self._simulation
        network = simulation.machine.network
        network.is_cut = True
        for known in simulation.ledger.syncs.values():
            known.was_honest = known.was_honest and not known.is_active

        def mend() -> None:
            network.is_cut = False

        simulation.loop.call_later(seconds + 0.01, mend)

    def _make_space(self) -> None:
        self._disturb(*self._simulation.processes)
        self._simulation.machine.disk.is_full = False

    def _disturb(self, *processes: Process) -> None:
        for process in processes:
            process.disturbed_at = self._simulation.loop.time()

    async def _cancel(self, organization: Organization, sync_id: str) -> None:
        simulation = self._simulation

        async def answer(process: Process) -> Any:
            given = await runtime_of(process).syncs.cancel(simulation.viewer(organization), sync_id)
            simulation.conduct.note_cancelled(organization, process)
            return given

        response = await simulation.ask(answer)
        simulation.story.tell(f"cancel of {sync_id}: {response.cancelled}")
        if not response.cancelled:
            simulation.rare.reach("a cancel that comes too late")
        if not response.sync.is_terminal:
            raise Violated("stuck", f"{sync_id} is not ended by its cancel")

    async def _restart(self, dead: Process, seconds: float) -> None:
        await dead.ended()
        await asyncio.sleep(seconds)
        await self._simulation.start_process()

    async def _stop_and_restart(self, process: Process, seconds: float) -> None:
        simulation = self._simulation
        holder = process.holder
        await process.stop()
        if simulation.scenario.disk_seconds < 1:  # a stop does not wait long for a slow disk
            simulation.ledger.check_released(process, holder)
        await asyncio.sleep(seconds)
        await simulation.start_process()
