"""Long-lived tasks survive any error: only the attempt ends, the pause grows, and the log gets few lines."""

import asyncio
import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import TimeoutError as PoolTimeout
from structlog.testing import capture_logs

from routiq_gql import supervision
from routiq_gql.errors import StorageError
from routiq_gql.supervision import SupervisedTask, Supervisor

PRIVATE = "Zoë Quist, zoe@example.com"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE_SECONDS", 0.001)


async def test_one_line_for_each_different_failure_and_one_for_the_recovery():
    """The log has a line for each reason of a failure and for the recovery; readiness names the task."""
    supervisor = Supervisor()
    task = supervisor.task("chore", "Nothing is done.", 0.004)
    errors = [
        OSError(errno.EMFILE, "x"),
        StorageError("The disk is full."),
        PoolTimeout(PRIVATE),
        RuntimeError(PRIVATE),
    ]
    attempts, done = 0, asyncio.Event()

    async def step() -> None:
        nonlocal attempts
        attempts += 1
        if attempts <= 40:
            assert attempts == 1 or "Nothing is done." in supervisor.problem()
            raise errors[attempts % 4]
        done.set()
        await asyncio.sleep(60)

    with capture_logs() as logged:
        running = asyncio.create_task(task.repeat(step))
        async with asyncio.timeout(20):
            await done.wait()
        task.succeeded()
        assert supervisor.problem() is None
        running.cancel()
        await asyncio.wait({running})
    assert running.cancelled(), "a cancellation is let through"
    failing = [line for line in logged if line["event"] == "task_failing"]
    assert {line["error"] for line in failing} == {"OSError", "StorageError", "TimeoutError", "RuntimeError"}
    assert len(failing) == 4
    assert any("ulimit -n" in line["reason"] for line in failing)
    (recovered,) = (line for line in logged if line["event"] == "task_recovered")
    assert recovered["attempts_failed"] == 40
    assert PRIVATE not in str(logged)


def test_the_pause_doubles_up_to_a_limit_and_starts_anew_after_a_lasting_recovery(monkeypatch: pytest.MonkeyPatch):
    """An unreachable server is not tried a thousand times a second, and a new problem begins with a short pause."""
    now = 1000.0
    monkeypatch.setattr(supervision.time, "monotonic", lambda: now)
    monkeypatch.setattr(supervision, "FIRST_PAUSE_SECONDS", 0.5)
    task = SupervisedTask("chore", "Nothing is done.")

    def fail() -> float:
        nonlocal now
        task.failed(RuntimeError())
        pause = task.pause_seconds
        now += pause
        return pause

    assert [fail() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    task.succeeded()
    now += 1
    assert fail() == 30, "it had not really recovered"
    task.succeeded()
    now += 31
    assert fail() == 0.5


_KINDS: list[Exception] = [OSError(errno.EMFILE, "x"), StorageError("The disk is full."), RuntimeError(PRIVATE)]


@given(steps=st.lists(st.sampled_from([0, 1, 2, "success", "soon", "later"]), max_size=40))
def test_each_outage_is_logged_once_for_each_reason(steps: list[int | str]):
    """An outage begins with a failure long after the last one, so what was logged in an earlier outage counts no more.

    A failure soon after a recovery belongs to the same outage. A recovery is logged if its failure was.
    """
    now, recovered_at, is_failing = 1_000.0, 0.0, False
    logged: set[int] = set()
    expected: list[int] = []
    is_logged, recoveries = False, 0
    with (
        pytest.MonkeyPatch.context() as patch,
        capture_logs() as lines,
    ):
        patch.setattr(supervision.time, "monotonic", lambda: now)
        task = SupervisedTask("chore", "Nothing is done.")
        for step in steps:
            match step:
                case "soon":
                    now += 0.0001
                case "later":
                    now += 2 * supervision.LONGEST_PAUSE_SECONDS
                case "success":
                    task.succeeded()
                    recoveries += is_failing and is_logged
                    recovered_at, is_failing = (now if is_failing else recovered_at), False
                case int():
                    if not is_failing and now - recovered_at > supervision.LONGEST_PAUSE_SECONDS:
                        logged.clear()
                    is_logged = (is_failing and is_logged) or step not in logged
                    is_failing = True
                    expected += [step] if step not in logged else []
                    logged.add(step)
                    task.failed(_KINDS[step])
                    assert task.pause_seconds > 0
    failing = [line["error"] for line in lines if line["event"] == "task_failing"]
    assert failing == [type(_KINDS[kind]).__name__ for kind in expected]
    assert sum(line["event"] == "task_recovered" for line in lines) == recoveries


async def test_a_finished_task_is_not_reported_as_failing():
    """A finished task is not reported as failing because of its last attempt."""
    supervisor = Supervisor()
    task = supervisor.task("chore", "Nothing is done.")
    failures = [RuntimeError(), RuntimeError()]

    async def step() -> None:
        if failures:
            raise failures.pop()

    async with asyncio.timeout(20):
        await task.until_done(step)
    task.failed(RuntimeError())
    assert supervisor.problem() is not None
    running = asyncio.create_task(task.until_done(step))
    running.cancel()
    await asyncio.wait({running})
    task.ended()
    assert supervisor.problem() is None


@pytest.mark.parametrize("in_thread", [False, True])
async def test_no_attempt_is_made_before_the_pause_is_over(monkeypatch: pytest.MonkeyPatch, in_thread: bool):
    """An early attempt, also in a thread, returns nothing and changes nothing; after the pause it is tried again."""
    now, attempts = 1_000.0, 0
    monkeypatch.setattr(supervision.time, "monotonic", lambda: now)
    task = SupervisedTask("chore", "Nothing is done.")

    def step() -> str:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise RuntimeError
        return "done"

    async def step_soon() -> str:
        return step()

    async def attempt() -> str | None:
        return task.attempt_blocking(step) if in_thread else await task.attempt(step_soon)

    for number in (1, 2):
        assert await attempt() is None
        assert (attempts, task.attempts_failed) == (number, number)
        assert await attempt() is None
        assert (attempts, task.attempts_failed) == (number, number)
        now += task.pause_seconds
    assert await attempt() == "done"
    assert task.attempts_failed == 0
