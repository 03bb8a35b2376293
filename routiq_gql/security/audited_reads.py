"""The reads of patients in the audit log: equal reads within a minute share a row, which counts them and the patients.

Each read is counted in memory and written within a second, so that reading never waits for a write. A read whose row is
less than a minute old is added to that row. A process that is killed loses at most the last second.
"""

import time
from typing import NamedTuple

from routiq_gql.clock import utc_now
from routiq_gql.database.audit import add_to, insert_one
from routiq_gql.database.audit_rows import AuditValues
from routiq_gql.database.engine import Database
from routiq_gql.security.flushing import Flusher
from routiq_gql.supervision import SupervisedTask

SAME_ROW_SECONDS = 60.0
"""How long further equal reads are added to a row."""
MOST_WAITING = 1_000
"""Different reads in memory. Beyond it a read waits until they are written, and fails if they can't be."""


class PatientRead(NamedTuple):
    """A kind of read: equal reads are counted together.

    Attributes:
        list: The list of patients, by its name; ``None`` for single patients.
    """

    action: str
    organization_id: str
    subject: str | None
    address: str | None
    list: str | None


class Counted(NamedTuple):
    """How often a read happened, and the sum of the patients that it showed."""

    times: int = 0
    patients: int = 0

    def plus(self, other: "Counted") -> "Counted":
        return Counted(self.times + other.times, self.patients + other.patients)

    def minus(self, other: "Counted") -> "Counted":
        return Counted(self.times - other.times, self.patients - other.patients)


class AuditedReads:
    """The reads of one process that are not written yet. Close it, or the last ones are lost."""

    def __init__(self, database: Database, task: SupervisedTask) -> None:
        self._database = database
        self._waiting: dict[PatientRead, Counted] = {}
        self._rows: dict[PatientRead, tuple[float, int]] = {}  # when each row was made, and its key
        self._flusher = Flusher(task, self._flush, lambda: bool(self._waiting))

    async def add(self, read: PatientRead, patients: int) -> None:
        """Count a read that showed so many patients.

        Raises:
            StorageError: Too many different reads are waiting, and can't be written.
        """
        if read not in self._waiting and len(self._waiting) >= MOST_WAITING:
            await self._flush(True)
        self._waiting[read] = self._waiting.get(read, Counted()).plus(Counted(1, patients))
        self._flusher.wake()

    async def close(self) -> None:
        """Write the remaining reads."""
        await self._flusher.close()

    async def _flush(self, _everything: bool) -> None:
        async with self._flusher.writing:
            due, now = dict(self._waiting), time.monotonic()
            if not due:
                return
            self._rows = {read: row for read, row in self._rows.items() if now - row[0] < SAME_ROW_SECONDS}
            made: dict[PatientRead, int] = {}
            async with self._database.writing() as connection:
                for read, counted in due.items():
                    known, values = self._rows.get(read), _values(read, counted)
                    if known is None or not await add_to(connection, known[1], values):
                        made[read] = await insert_one(connection, values)
            self._rows |= {read: (now, key) for read, key in made.items()}
            for read, counted in due.items():
                left = self._waiting[read].minus(counted)  # more may have been counted during the write
                if left.times:
                    self._waiting[read] = left
                else:
                    del self._waiting[read]


def _values(read: PatientRead, counted: Counted) -> AuditValues:
    return {
        "time": utc_now(),
        "action": read.action,
        "outcome": "DONE",
        "organization_id": read.organization_id,
        "subject": read.subject,
        "address": read.address,
        "list": read.list,
        "times": counted.times,
        "count": counted.patients,
    }
