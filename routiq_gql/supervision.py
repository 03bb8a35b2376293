"""Keeps the long-lived tasks of a process running after errors, and reports which of them fails.

Each such task is a ``SupervisedTask`` in the process's ``Supervisor``; ``/readyz`` reads its state. An error of any
kind ends an attempt and never the task: the next attempt follows after a pause that doubles from half a second to half
a minute. A line is logged for each different failure and for the recovery, not for each attempt.
"""

import errno
import os
import time
from asyncio import sleep
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import structlog

from routiq_gql.errors import RoutiqError, frames_of

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
MAX_FAILURES_LOGGED = 20
"""Different failures logged before a recovery, so that a task that keeps failing differently does not fill the log."""

T = TypeVar("T")
log = structlog.get_logger(__name__)


class SupervisedTask:
    """A task that lives as long as the process, or a chore in the loop of another task.

    Args:
        name: Its name in logs, and the name of its asyncio task or thread if it has one.
        consequence: A sentence for ``/readyz``: the effect of its failure.
        longest_pause_seconds: Limit of the growing pause; short if it waits for an unreachable server.

    Attributes:
        attempts_failed: Failed attempts in a row; 0 while all is well.
    """

    def __init__(self, name: str, consequence: str, longest_pause_seconds: float = LONGEST_PAUSE_SECONDS) -> None:
        self.name = name
        self.consequence = consequence
        self.attempts_failed = 0
        self._longest = longest_pause_seconds
        self._pause = 0.0
        self._failed_at = self._recovered_at = self._began_failing_at = 0.0
        self._logged_failures: set[tuple[str, str]] = set()
        self._is_failure_logged = False

    @property
    def pause_seconds(self) -> float:
        """Time until the next attempt; 0 while all is well."""
        return max(0.0, self._failed_at + self._pause - time.monotonic()) if self.attempts_failed else 0.0

    def failed(self, error: Exception) -> None:
        """Record that an attempt ended with ``error``."""
        now = time.monotonic()
        if not self.attempts_failed:
            # After a failure soon after a recovery the pause keeps growing.
            if now - self._recovered_at > self._pause:
                self._pause = 0.0
                self._logged_failures.clear()
            self._began_failing_at = now
            self._is_failure_logged = False
        self.attempts_failed += 1
        self._failed_at = now
        self._pause = min(self._longest, self._pause * 2 or FIRST_PAUSE_SECONDS)
        reason = _reason(error)
        kind = (type(error).__name__, reason)
        if kind not in self._logged_failures and len(self._logged_failures) < MAX_FAILURES_LOGGED:
            self._logged_failures.add(kind)
            self._is_failure_logged = True
            where = frames_of(error)
            log.error("task_failing", task=self.name, error=kind[0], reason=reason, where=where)

    def succeeded(self) -> None:
        """Record a success."""
        if not self.attempts_failed:
            return
        now = time.monotonic()
        if self._is_failure_logged:
            seconds = round(now - self._began_failing_at, 1)
            log.info("task_recovered", task=self.name, seconds=seconds, attempts_failed=self.attempts_failed)
        self.attempts_failed = 0
        self._recovered_at = now

    def ended(self) -> None:
        """Record that its work is done, so that its last failure is no problem."""
        self.attempts_failed = 0

    async def attempt(self, step: Callable[[], Awaitable[T]]) -> T | None:
        """The result of ``step``; ``None`` if it failed, or if the pause is not over."""
        if self.pause_seconds:
            return None
        try:
            result = await step()
        except Exception as error:
            self.failed(error)
            return None
        self.succeeded()
        return result

    def attempt_blocking(self, step: Callable[[], T]) -> T | None:
        """Like ``attempt``, in a thread."""
        if self.pause_seconds:
            return None
        try:
            result = step()
        except Exception as error:
            self.failed(error)
            return None
        self.succeeded()
        return result

    async def repeat(
        self,
        step: Callable[[], Awaitable[object]],
        *,
        pause: Callable[[float], Awaitable[None]] = sleep,
        may_continue: Callable[[], bool] = lambda: True,
    ) -> None:
        """Call ``step`` repeatedly; it waits for work by itself.

        Args:
            pause: Waits after a failure; may return early.
        """
        try:
            while may_continue():
                await self.attempt(step)
                while self.pause_seconds and may_continue():
                    await pause(self.pause_seconds)
        finally:
            self.ended()

    async def until_done(self, step: Callable[[], Awaitable[object]]) -> None:
        """Call ``step`` until it returns without an error."""
        try:
            while True:
                await self.attempt(step)
                if not self.attempts_failed:
                    return
                await sleep(self.pause_seconds)
        finally:
            self.ended()


class Supervisor:
    """All supervised tasks of a process."""

    def __init__(self) -> None:
        self._tasks: dict[str, SupervisedTask] = {}

    def __iter__(self) -> Iterator[SupervisedTask]:
        return iter(list(self._tasks.values()))

    def task(self, name: str, consequence: str, longest_pause_seconds: float = LONGEST_PAUSE_SECONDS) -> SupervisedTask:
        """Register a task; see ``SupervisedTask``."""
        return self.add(SupervisedTask(name, consequence, longest_pause_seconds))

    def add(self, task: SupervisedTask) -> SupervisedTask:
        """Register an existing task, replacing an earlier task of the same name."""
        self._tasks[task.name] = task
        return task

    def problem(self) -> str | None:
        """A sentence about the task with the most failures in a row; ``None`` while all is well."""
        failing = max(self, key=lambda task: task.attempts_failed, default=None)
        if failing is None or not failing.attempts_failed:
            return None
        return f"{failing.consequence} The server retries by itself; its log has the reason (task “{failing.name}”)."


def descriptor_shortage() -> str | None:
    """A sentence if this process, or the whole machine, can't open another file at the moment."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return shortage_sentence(error)
    return None


def shortage_sentence(error: OSError) -> str | None:
    """Such a sentence for an error."""
    if error.errno == errno.EMFILE:
        return "Too many open files: raise the limit of this process with `ulimit -n` (LimitNOFILE in systemd)."
    if error.errno == errno.ENFILE:
        return "Too many open files on this machine: raise fs.file-max, or end what keeps so many open."
    return None


def _reason(error: Exception) -> str:
    """The loggable reason of an error: our sentences and the system's, never a text that may quote a row."""
    if isinstance(error, RoutiqError):
        return error.message
    if isinstance(error, OSError) and error.errno is not None:
        return shortage_sentence(error) or os.strerror(error.errno)
    return ""
