"""The list of periodic work on the whole database, for both engines.

A process that runs syncs calls ``run_due`` repeatedly. Each chore then does a small batch in short transactions. To
add a chore, add an entry to ``chores_of``. The search for syncs without a worker is not in the list: it is how an
engine runs syncs, and differs between the engines.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from routiq_gql.engines.housekeeping import Housekeeping
from routiq_gql.engines.refreshing import Refreshes
from routiq_gql.engines.scheduler import Scheduler
from routiq_gql.engines.time_only import TimeOnlySyncs
from routiq_gql.supervision import Supervisor
from routiq_gql.sync.engine import SyncEngine


@dataclass(frozen=True, slots=True)
class Chore:
    """A kind of periodic work.

    Attributes:
        name: The name of its supervised task.
        consequence: A sentence for ``/readyz`` while the chore fails.
        step: Does a batch; returns whether another batch may follow at once.
    """

    name: str
    consequence: str
    step: Callable[[SyncEngine], Awaitable[bool]]


def chores_of(
    scheduler: Scheduler, housekeeping: Housekeeping, time_only: TimeOnlySyncs, refreshes: Refreshes
) -> tuple[Chore, ...]:
    """Every chore, in the order of a round."""
    return (
        Chore("scheduler", "Schedules start no syncs.", scheduler.step),
        Chore("housekeeping", "Rows that are no longer needed are not removed.", lambda _engine: housekeeping.step()),
        Chore("time-only syncs", "Lists of patients are out of date.", lambda _engine: time_only.step()),
        Chore("looks at Cliniko", "Changes in Cliniko are seen late.", refreshes.step),
    )


class Chores:
    """The chores of a process. Each is supervised, so a chore that fails does not delay the others."""

    def __init__(
        self,
        scheduler: Scheduler,
        housekeeping: Housekeeping,
        time_only: TimeOnlySyncs,
        refreshes: Refreshes,
        supervisor: Supervisor,
    ) -> None:
        self._housekeeping = housekeeping
        self._chores = [
            (supervisor.task(chore.name, chore.consequence), chore.step)
            for chore in chores_of(scheduler, housekeeping, time_only, refreshes)
        ]

    def note_ended_sync(self) -> None:
        """Have the next round look for rows that an ended sync has left."""
        self._housekeeping.note_ended_sync()

    async def run_due(self, engine: SyncEngine, most_batches: int = 1) -> bool:
        """Do a round: at most so many batches of each chore. Returns whether another round may follow at once."""
        has_more = False
        for task, step in self._chores:
            for _ in range(most_batches):
                if not await task.attempt(partial(step, engine)):
                    break
            else:
                has_more = True
        return has_more
