"""Runs a sync to its end for either engine. Every error of a run is handled here."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from routiq_gql.cliniko import ClinikoError
from routiq_gql.clock import utc_now
from routiq_gql.connections.state import ConnectionProblem
from routiq_gql.database.engine import Database
from routiq_gql.database.syncs import claim, release_claims
from routiq_gql.errors import StorageError, frames_of
from routiq_gql.live.bus import ProgressBus
from routiq_gql.supervision import Supervisor, descriptor_shortage, shortage_sentence
from routiq_gql.sync.checkpoint import CheckpointError
from routiq_gql.sync.heartbeat import Heartbeat
from routiq_gql.sync.model import FailureCode, SyncFailure, SyncStep
from routiq_gql.sync.pauses import Pauses
from routiq_gql.sync.run import StopRequested, SyncRun
from routiq_gql.sync.traced import begin_span, end_span

if TYPE_CHECKING:
    from routiq_gql.tracing.spans import Tracing

MAX_LOST_CLAIMS = 200
"""A sync fails after so many processes in a row died while they ran it, without any progress between."""
RELEASE_SECONDS = 2.0
"""How long a process that stops tries to release its claims."""
OPENING_TEXTS = {step.value: step.opening_text for step in SyncStep}
"""The text of ``current_step`` after a wait whose process has ended, by step."""

log = structlog.get_logger(__name__)


class Outcome(Enum):
    """The outcome of a run.

    Attributes:
        ENDED: The sync has completed or failed.
        NOT_OURS: The sync has ended, or another process has claimed it; nothing more was written.
        PAUSED: The database can't be used; the sync is unchanged, and is claimed again after its pause.
    """

    ENDED = auto()
    NOT_OURS = auto()
    PAUSED = auto()


class SyncRunner:
    """Claims syncs and runs them."""

    def __init__(
        self,
        database: Database,
        bus: ProgressBus,
        run_steps: Callable[[SyncRun], Awaitable[None]],
        time_limit: timedelta,
        supervisor: Supervisor,
        tracing: "Tracing | None" = None,
    ) -> None:
        self._database = database
        self._bus = bus
        self._run_steps = run_steps
        self._time_limit = time_limit
        self._tracing = tracing
        self._heartbeat = Heartbeat(database, supervisor)
        self.pauses = Pauses()
        self._holder = f"{socket.gethostname()[:32]}:{os.getpid()}:{uuid4().hex[:12]}"

    async def claim(self, key: int) -> SyncRun | None:
        """Claim a sync, so that only this process can write to it; ``None`` when it has ended.

        Raises:
            StorageError: The database can't be used.
        """
        async with self._database.writing() as connection:
            row = await claim(connection, key, self._holder, OPENING_TEXTS)
        if row is None:
            self.pauses.end(key)
            return None
        run = SyncRun(self._database, self._bus, row, on_progress=lambda: self.pauses.end(key))
        if self._tracing is not None:
            run.span = begin_span(self._tracing, row)
        self._bus.publish(run.snapshot)
        return run

    async def run(self, run: SyncRun) -> Outcome:
        """Run a claimed sync. A cancellation leaves the sync as it is."""
        with run.span or nullcontext():
            outcome = await self._run(run)
            if run.span is not None:
                end_span(run.span, outcome.name.lower(), run.snapshot)
            return outcome

    async def _run(self, run: SyncRun) -> Outcome:
        with structlog.contextvars.bound_contextvars(
            sync_id=run.snapshot.sync_id, organization_id=run.snapshot.organization_id
        ):
            log.info("sync_claimed", epoch=run.epoch, percentage=run.snapshot.progress_percentage)
            try:
                await self._run_to_its_end(run)
            except StopRequested:
                log.info("sync_claim_lost")
                return Outcome.NOT_OURS
            except StorageError as error:
                await self._pause(run, error)
                return Outcome.PAUSED
            except Exception as error:  # not even the failure could be stored
                log.error("sync_crashed", error=type(error).__name__, where=frames_of(error))
                await self._pause(run, error)
                return Outcome.PAUSED
            self.pauses.end(run.key)
            log.info("sync_ended", status=run.snapshot.status.value)
            return Outcome.ENDED

    async def release(self, key: int | None = None) -> None:
        """Release the claim of a sync, or all claims of this process, unless the database can't be used."""
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS), self._database.writing(RELEASE_SECONDS) as connection:
                await release_claims(connection, self._holder, OPENING_TEXTS, key)

    async def _pause(self, run: SyncRun, error: Exception) -> None:
        run.pauses, seconds = self.pauses.begin(run.key, run.pauses)
        reason = error.message if isinstance(error, StorageError) else ""
        (log.error if run.pauses == 1 else log.info)("sync_paused", reason=reason, seconds=seconds)
        with suppress(StorageError, StopRequested):
            await run.show_pause(utc_now() + timedelta(seconds=seconds))

    async def _run_to_its_end(self, run: SyncRun) -> None:
        limit = self._time_limit.total_seconds()
        # From its start, pauses and restarts included. A clock that was set back gives no more than one whole limit.
        left = limit - max(0.0, (utc_now() - run.snapshot.started_at).total_seconds())
        try:
            async with self._heartbeat.keep(run):
                if run.lost_claims > MAX_LOST_CLAIMS:
                    await run.fail(_internal_failure(run))
                    return
                if left <= 0:
                    await run.fail(_time_limit_failure(run, limit))
                    return
                try:
                    async with asyncio.timeout(left) as deadline:
                        await self._run_steps(run)
                except TimeoutError:
                    if not deadline.expired():
                        raise
                    await run.fail(_time_limit_failure(run, limit))
                except CheckpointError as error:
                    log.error("checkpoint_not_read", reason=error.message)
                    await run.fail(SyncFailure(FailureCode.INTERNAL, run.step, error.message, error.what_to_do))
                except ConnectionProblem as problem:
                    await run.fail(SyncFailure(problem.failure_code, run.step, problem.message, problem.what_to_do))
                except ClinikoError as error:
                    if shortage := descriptor_shortage():  # it is this process that could not open a connection
                        raise StorageError(shortage) from None
                    log.info("cliniko_failed", code=error.code, detail=error.detail)
                    await run.fail(SyncFailure(FailureCode(error.code), run.step, error.message, error.what_to_do))
        except (StopRequested, StorageError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and (shortage := shortage_sentence(error)):
                raise StorageError(shortage) from error
            log.error("sync_crashed", error=type(error).__name__, where=frames_of(error))
            await run.fail(_internal_failure(run))


def _time_limit_failure(run: SyncRun, seconds: float) -> SyncFailure:
    return SyncFailure(
        FailureCode.TIME_LIMIT,
        run.step,
        f"The sync did not end within its time limit of {seconds:.0f} s, counted from its start.",
        "Start it again, or raise ROUTIQ_SYNC_TIME_LIMIT if the clinic is large.",
    )


def _internal_failure(run: SyncRun) -> SyncFailure:
    return SyncFailure(
        FailureCode.INTERNAL,
        run.step,
        f"Internal error in {run.snapshot.sync_id}",
        "Start the sync again. If it fails again, send this sync's id to the operator of this server.",
    )
