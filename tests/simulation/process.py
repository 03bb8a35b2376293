"""A simulated process of the product: its runtime, and all its tasks. It can be stopped, frozen and killed.

Tasks belong to the process in whose context they were created. A killed process writes nothing more: its connections
are closed first, which rolls open transactions back, and then all its tasks are cancelled.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

from routiq_gql.engines.embedded import EmbeddedEngine
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.settings import Settings
from tests.simulation.driver import Disk
from tests.simulation.loop import SimulatedLoop, SimulatedTask

PROCESS: ContextVar["Process | None"] = ContextVar("process", default=None)
T = TypeVar("T")
GRACE_SECONDS = 5.0
"""Sessions of clients end so soon after a process that was stopped."""


class Process:
    """A process on the database of the simulation.

    Attributes:
        runtime: The opened parts; ``None`` before and after.
        held: Callbacks that a frozen process has not run.
        disturbed_at: When it was frozen, thawed or without disk space last, or when its last pause ends.
    """

    def __init__(self, name: str, loop: SimulatedLoop, disk: Disk, settings: Settings) -> None:
        self.name = name
        self.runtime: Runtime | None = None
        self.is_dead = False
        self.is_frozen = False
        self.held: list[asyncio.Handle] = []
        self.disturbed_at = -1.0
        self.tasks: dict[SimulatedTask, None] = {}
        self.error: BaseException | None = None
        self._loop = loop
        self._disk = disk
        self._settings = settings
        self._context: Context = copy_context()
        self._context.run(PROCESS.set, self)
        self._stopping = asyncio.Event()
        self._opened = asyncio.Event()
        self._main: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return self.name

    @property
    def is_serving(self) -> bool:
        """Whether clients reach it."""
        return self.runtime is not None and not (self.is_dead or self.is_frozen or self._stopping.is_set())

    @property
    def may_run_syncs(self) -> bool:
        """Whether it lives and has the lock of the database file."""
        return self.is_serving and self.runtime is not None and self.runtime.engine.runs_here

    @property
    def holder(self) -> str:
        """Its name in the claims of syncs."""
        return self.runtime.engine._runner._holder if self.runtime is not None else ""  # type: ignore[attr-defined]

    async def start(self) -> None:
        """Open the runtime, and return once it is open, or the process was killed meanwhile."""
        self._main = self.run(self._live())
        opened = asyncio.ensure_future(self._opened.wait())
        await asyncio.wait([self._main, opened], return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        await asyncio.wait([opened])

    def run(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of this process."""
        return self._loop.create_task(coroutine, context=self._context.copy())

    async def stop(self) -> None:
        """Stop as after SIGTERM, and return once it has ended."""
        self._stopping.set()
        if self._main is not None:
            await asyncio.wait([self._main])

    async def until_done(self, session: asyncio.Task[Any]) -> None:
        """Return once a client's session has ended, at the latest with the process.

        A stopped process cancels sessions that wait for its database.
        """
        if self._main is not None:
            await asyncio.wait([session, self._main], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait([session], timeout=GRACE_SECONDS)
        session.cancel()
        await asyncio.wait([session])

    def freeze(self, *, loses_lock: bool) -> None:
        """Run nothing until ``thaw``; with ``loses_lock`` another process may run its syncs meanwhile."""
        self.is_frozen, self.disturbed_at = True, self._loop.time()
        if loses_lock:
            self._release_lock()

    def thaw(self) -> None:
        self.is_frozen, self.disturbed_at = False, self._loop.time()
        held, self.held = self.held, []
        self._loop.release(held)

    def kill(self) -> None:
        """End at once, in the middle of anything."""
        if self.is_dead:
            return
        self.is_dead = True
        for connection in [one for one in self._disk.connections.values() if one.owner is self]:
            connection.close()
        self._release_lock()
        self.thaw()
        self._cancel()

    async def ended(self) -> None:
        """Return once a killed process has no task left."""
        while self.tasks:
            await asyncio.sleep(1)
            self._cancel()

    def _cancel(self) -> None:
        for task in list(self.tasks):
            task.cancel()

    def _release_lock(self) -> None:
        if self.runtime is not None and isinstance(self.runtime.engine, EmbeddedEngine):
            self.runtime.engine._lock.release(force=True)

    async def _live(self) -> None:
        try:
            async with open_runtime(self._settings) as runtime:
                self.runtime = runtime
                self._opened.set()
                await self._stopping.wait()
        except Exception as error:
            if not self.is_dead:
                self.error = error
                raise


def watch_tasks(loop: SimulatedLoop) -> None:
    """Assign the loop's tasks to their processes, and hold back the callbacks of frozen processes."""

    def note(task: SimulatedTask, context: Context | None) -> None:
        owner = PROCESS.get() if context is None else context.get(PROCESS)
        if owner is not None:
            owner.tasks[task] = None
            task.add_done_callback(lambda done: owner.tasks.pop(done, None))  # type: ignore[call-overload]

    def may_run(handle: asyncio.Handle) -> bool:
        owner = handle._context.get(PROCESS)  # type: ignore[attr-defined]
        if owner is not None and owner.is_frozen:
            owner.held.append(handle)
            return False
        return True

    loop.on_task = note
    loop.runs_in = may_run


def current() -> Process | None:
    """The process whose callback runs."""
    with suppress(LookupError):
        return PROCESS.get()
    return None


def runtime_of(process: Process) -> Any:
    """The parts of an open process."""
    if process.runtime is None:
        raise RuntimeError(f"{process} is not open.")
    return process.runtime
