"""The refusals in the audit log: equal refusals share a row, and a caller gets few rows a minute; see ``refusals``.

Refusals are counted in memory and written within a second; further equal refusals are written a minute later.
"""

import time

from routiq_gql.clock import utc_now
from routiq_gql.database.audit import insert_audit
from routiq_gql.database.audit_rows import AuditValues
from routiq_gql.database.engine import Database
from routiq_gql.security.flushing import Flusher
from routiq_gql.security.refusals import Refusal, Rows
from routiq_gql.supervision import SupervisedTask

SAME_AGAIN_SECONDS = 60.0
"""Interval between rows of the same refusal; further refusals are counted meanwhile."""

MOST_KINDS = 500
"""Different refusals kept apart within a minute, of all callers; see ``refusals``."""


class AuditedRefusals:
    """The refusals of one process that are not written yet."""

    def __init__(self, database: Database, task: SupervisedTask) -> None:
        self._database = database
        self._waiting: dict[Refusal, int] = {}
        self._written_at: dict[Refusal, float] = {}
        self._rows = Rows(MOST_KINDS)
        self._flusher = Flusher(task, self._flush, lambda: bool(self._waiting))

    def add(self, refusal: Refusal) -> None:
        """Count a refusal. Never waits and never fails."""
        if not self._waiting:
            self._forget_earlier()
        refusal = self._rows.row_for(refusal)
        self._waiting[refusal] = self._waiting.get(refusal, 0) + 1
        self._flusher.wake()

    async def close(self) -> None:
        """Write the remaining refusals."""
        await self._flusher.close()

    def _forget_earlier(self) -> None:
        """Forget rows written more than a minute ago, so that their refusals are written again."""
        now = time.monotonic()
        self._written_at = {one: at for one, at in self._written_at.items() if now - at < SAME_AGAIN_SECONDS}
        self._rows = Rows(MOST_KINDS, self._waiting.keys() | self._written_at.keys())

    async def _flush(self, everything: bool) -> None:
        self._forget_earlier()
        due = {one: times for one, times in self._waiting.items() if everything or one not in self._written_at}
        if not due:
            return
        now = time.monotonic()
        async with self._flusher.writing:
            async with self._database.writing() as connection:
                await insert_audit(connection, [_values(one, times) for one, times in due.items()])
            for one, times in due.items():
                self._written_at[one] = now
                self._waiting[one] -= times  # more may have been counted during the write
                if not self._waiting[one]:
                    del self._waiting[one]


def _values(one: Refusal, times: int) -> AuditValues:
    return {
        "time": utc_now(),
        "action": one.action,
        "outcome": one.outcome,
        "organization_id": one.organization_id,
        "subject": one.subject,
        "address": one.address,
        "sync_id": None,
        "token_id": None,
        "times": times,
    }
