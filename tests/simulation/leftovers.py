"""What a simulation leaves: tasks and memory that its processes should have freed, and clients that do not end."""

import asyncio
import gc
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.conduct import kept_by
from tests.simulation.driver import Disk
from tests.simulation.loop import SimulatedLoop
from tests.simulation.process import Process
from tests.simulation.sync_story import Violated


def leak_of(processes: Sequence[Process]) -> Violated | None:
    """The first leak of processes that have ended."""
    left = [task for process in processes for task in process.tasks if not task.done()]
    if left:
        return Violated("leak", f"tasks are left: {[task.get_name() for task in left][:5]}")
    ended = [one for one in processes if one.runtime is not None and not one.is_dead]
    if any(kept_by(one.runtime) for one in ended):
        gc.collect()  # a cancelled read and its error refer to each other
    for process in ended:
        if kept := kept_by(process.runtime):
            return Violated("leak", f"{process} has ended, and {kept} are left")
    return None


def unfinished_tasks(loop: SimulatedLoop) -> list[str]:
    """Where the tasks of the clients and processes wait."""
    places = []
    for task in asyncio.all_tasks(loop):
        frames = task.get_stack()
        place = f"{frames[-1].f_code.co_filename.rsplit('/', 1)[-1]}:{frames[-1].f_lineno}" if frames else ""
        places.append(f"{task.get_coro().__qualname__} at {place}")  # type: ignore[union-attr]
    return sorted(places)[:12]


def abandon(loop: SimulatedLoop, disk: Disk, file: Path) -> None:
    """Drop the tasks and the database of a simulation, without running anything."""
    loop.set_exception_handler(lambda _loop, _context: None)
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop._ready.clear()  # type: ignore[attr-defined]
    loop._scheduled.clear()  # type: ignore[attr-defined]
    for connection in list(disk.connections.values()):
        connection.close()
    loop.close()
    for one in file.parent.glob(f"{file.name}*"):
        one.unlink()
