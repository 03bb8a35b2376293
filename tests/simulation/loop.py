"""An event loop with virtual time. A seed decides which of the ready callbacks runs next.

Time stands still while anything is ready, and then jumps to the next timer. A loop without a ready callback and without
a timer can never continue: that is a deadlock, and it is raised as ``Deadlock`` instead of waiting forever.
"""

import asyncio
import heapq
from collections.abc import Callable, Generator
from contextvars import Context
from random import Random
from typing import Any

MOST_STEPS = 200_000
"""A simulation that needs more steps than this does not end."""


class Deadlock(Exception):
    """Nothing is ready, and no timer is set."""


class Endless(Exception):
    """The simulation has taken more steps than any simulation needs."""


class SimulatedFuture(asyncio.Future[Any]):
    """A future whose place in a set does not depend on its address, so that sets of futures have the same order."""

    def __init__(self, *, loop: "SimulatedLoop") -> None:
        super().__init__(loop=loop)
        self._number = loop.next_number()

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimulatedTask(asyncio.Task[Any]):
    """A task with such a hash."""

    def __init__(self, coroutine: Any, *, loop: "SimulatedLoop", **options: Any) -> None:
        self._number = loop.next_number()
        super().__init__(coroutine, loop=loop, **options)
        loop.on_task(self, options.get("context"))

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs everything on one thread, in an order drawn by ``random``.

    Attributes:
        now: Virtual seconds since the start of the simulation.
        steps: Callbacks run so far.
        runs_in: Called with a callback's context before it runs. A false result holds the callback back; the owner of
            the context gives it to ``release`` later, or drops it.
        on_task: Called with every new task and the context that it was given.
    """

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self.runs_in: Callable[[asyncio.Handle], bool] = lambda _handle: True
        self.on_task: Callable[[SimulatedTask, Context | None], None] = lambda _task, _context: None
        self._random = random.random
        self._numbers = 0
        self._due_steps: list[tuple[int, int, Callable[[], None]]] = []
        self.set_task_factory(_make_task)  # type: ignore[arg-type]
        self.set_debug(False)

    def next_number(self) -> int:
        """A number that no other object of this simulation has."""
        self._numbers += 1
        return self._numbers

    def time(self) -> float:
        return self.now

    def create_future(self) -> SimulatedFuture:
        return SimulatedFuture(loop=self)

    def at_step(self, step: int, happen: Callable[[], None]) -> None:
        """Call ``happen`` between two callbacks, once so many callbacks have run."""
        heapq.heappush(self._due_steps, (step, self.next_number(), happen))

    def forget_steps(self) -> None:
        """Forget the calls of ``at_step`` that are still to come."""
        self._due_steps.clear()

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, _executor: object, function: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Call ``function`` on this thread, a moment later."""
        future = self.create_future()

        def call() -> None:
            if future.done():
                return
            try:
                future.set_result(function(*args))
            except Exception as error:
                future.set_exception(error)

        self.call_soon(call)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    def release(self, handles: list[asyncio.Handle]) -> None:
        """Make callbacks ready that ``runs_in`` has held back."""
        self._ready.extend(handles)  # type: ignore[attr-defined]

    def _process_events(self, _events: object) -> None:
        """There is no selector."""

    def _write_to_self(self) -> None:
        """There is no selector to wake."""

    def _run_once(self) -> None:
        ready, timers = self._ready, self._scheduled  # type: ignore[attr-defined]
        while timers and (timers[0]._cancelled or timers[0]._when <= self.now or not ready):
            timer = heapq.heappop(timers)
            timer._scheduled = False
            if timer._cancelled:
                self._timer_cancelled_count -= 1
                continue
            if timer._when > self.now:
                self.now = timer._when
            ready.append(timer)
        if not ready:
            raise Deadlock("Nothing is ready and no timer is set: the simulation would wait forever.")
        count = len(ready)
        if count > 1 and (place := int(self._random() * count)):
            ready.rotate(-place)
        handle = ready.popleft()
        if handle._cancelled or not self.runs_in(handle):
            return
        self.steps += 1
        handle._run()
        if self._due_steps and self._due_steps[0][0] <= self.steps:
            heapq.heappop(self._due_steps)[2]()
        if self.steps > MOST_STEPS:
            raise Endless(f"The simulation has not ended after {self.steps:,} steps.")


def _make_task(loop: SimulatedLoop, coroutine: Generator[Any, None, Any], **options: Any) -> SimulatedTask:
    return SimulatedTask(coroutine, loop=loop, **options)
