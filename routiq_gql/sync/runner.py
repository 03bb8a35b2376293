"""Brings one sync to its end, whichever engine has taken it up; every way in which that can go wrong ends here."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import Enum, auto

import structlog

from routiq_gql.cliniko import ClinikoError
from routiq_gql.database.engine import Database
from routiq_gql.database.syncs import take_up
from routiq_gql.errors import StorageError
from routiq_gql.sync.bus import ProgressBus
from routiq_gql.sync.connection_state import ConnectionProblem
from routiq_gql.sync.progress import FailureCode, SyncFailure
from routiq_gql.sync.pulse import Pulse
from routiq_gql.sync.run import StopRequested, SyncRun

MAX_TAKE_UPS = 200
"""A sync that so many processes have begun and none could end, each of them killed or without a database, fails."""

log = structlog.get_logger(__name__)


class Outcome(Enum):
    """How a run went.

    Attributes:
        ENDED: The sync is over, completed or failed.
        NOT_OURS: It was ended or taken up by someone else meanwhile; nothing more was written.
        RESTS: The database can't be used; the sync is as it was, and to be taken up again later.
    """

    ENDED = auto()
    NOT_OURS = auto()
    RESTS = auto()


class SyncRunner:
    """Takes syncs up and runs them."""

    def __init__(
        self,
        database: Database,
        bus: ProgressBus,
        run_steps: Callable[[SyncRun], Awaitable[None]],
        time_limit: timedelta,
    ) -> None:
        self._database = database
        self._bus = bus
        self._run_steps = run_steps
        self._time_limit = time_limit
        self._pulse = Pulse(database)

    async def take_up(self, key: int) -> SyncRun | None:
        """Become the only one whose writes to the sync count; ``None`` when it has ended.

        Raises:
            StorageError: The database can't be used.
        """
        async with self._database.writing() as connection:
            row = await take_up(connection, key)
        if row is None:
            return None
        run = SyncRun(self._database, self._bus, row)
        self._bus.publish(run.snapshot)
        return run

    async def run(self, run: SyncRun) -> Outcome:
        """Run a sync that was taken up. Cancelled, it leaves the sync as it is."""
        with structlog.contextvars.bound_contextvars(
            sync_id=run.snapshot.sync_id, organization_id=run.snapshot.organization_id
        ):
            log.info("sync_taken_up", epoch=run.epoch, percentage=run.snapshot.progress_percentage)
            try:
                await self._run_to_its_end(run)
            except StopRequested:
                log.info("sync_not_ours_any_more")
                return Outcome.NOT_OURS
            except StorageError as error:
                log.error("sync_rests", reason=error.message)
                return Outcome.RESTS
            log.info("sync_ended", status=run.snapshot.status.value)
            return Outcome.ENDED

    async def _run_to_its_end(self, run: SyncRun) -> None:
        limit = self._time_limit.total_seconds()
        try:
            async with self._pulse.keep(run):
                if run.epoch > MAX_TAKE_UPS:
                    await run.fail(_internal_failure(run))
                    return
                try:
                    async with asyncio.timeout(limit) as deadline:
                        await self._run_steps(run)
                except TimeoutError:
                    if not deadline.expired():
                        raise
                    await run.fail(_time_limit_failure(run, limit))
                except ConnectionProblem as problem:
                    await run.fail(SyncFailure(problem.failure_code, run.step, problem.message, problem.what_to_do))
                except ClinikoError as error:
                    log.info("cliniko_failed", code=error.code, detail=error.detail)
                    await run.fail(SyncFailure(FailureCode(error.code), run.step, error.message, error.what_to_do))
        except (StopRequested, StorageError):
            raise
        except Exception as error:
            log.error("sync_broke", error=type(error).__name__, where=traceback.format_tb(error.__traceback__)[-4:])
            await run.fail(_internal_failure(run))


def _time_limit_failure(run: SyncRun, seconds: float) -> SyncFailure:
    return SyncFailure(
        FailureCode.TIME_LIMIT,
        run.step,
        f"The sync did not end within its time limit of {seconds:.0f} s.",
        "Start it again, or raise ROUTIQ_SYNC_TIME_LIMIT if the clinic is large.",
    )


def _internal_failure(run: SyncRun) -> SyncFailure:
    return SyncFailure(
        FailureCode.INTERNAL,
        run.step,
        f"Internal error in {run.snapshot.sync_id}",
        "Start the sync again. If it fails again, give this sync's id to whoever runs the server.",
    )
