"""The audit log: checks rights for all services, and records changes and refusals.

A change is recorded in the transaction that makes it. Refusals are counted in memory and written soon after, with equal
refusals in one row: a caller refused a thousand times a second costs a row a minute. ``refusals`` limits the rows.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.audit import audit_entries, insert_audit
from routiq_gql.database.engine import Database
from routiq_gql.database.rows import AuditValues
from routiq_gql.errors import RoutiqError, StorageError
from routiq_gql.security.refusals import Refusal, Rows
from routiq_gql.security.viewer import Right, Viewer
from routiq_gql.supervision import Supervisor
from routiq_gql.sync.actors import ActorKind

DONE = "DONE"
FLUSH_SECONDS = 1.0
SAME_AGAIN_SECONDS = 60.0
"""Interval between rows of the same refusal; further refusals are counted meanwhile."""
CLOSE_SECONDS = 5.0
"""How long closing waits for a write in progress."""

MOST_KINDS = 500
"""Different refusals kept apart within a minute, of all callers; see ``refusals``."""

E = TypeVar("E", bound=RoutiqError)


class Action(StrEnum):
    """The operation that was done or refused."""

    ASK = "ask"
    READ = "read"
    START = "start"
    CANCEL = "cancel"
    CONNECT = "connect"
    TEST = "test"
    DISCONNECT = "disconnect"
    SCHEDULE = "schedule"
    ERASE = "erase"
    ROTATE = "rotate"
    STREAM = "stream_token"
    ADD_TOKEN = "add_token"  # noqa: S105 - an action, no secret
    REVOKE_TOKEN = "revoke_token"  # noqa: S105


_NEEDS = {
    Action.START: Right.START,
    Action.CANCEL: Right.CANCEL,
    Action.CONNECT: Right.CONNECT,
    Action.TEST: Right.CONNECT,
    Action.DISCONNECT: Right.CONNECT,
    Action.SCHEDULE: Right.CONNECT,
    Action.ERASE: Right.CONNECT,
}

SCHEDULE_VIEWER = Viewer(subject="schedule", kind=ActorKind.SCHEDULE)
"""The viewer of syncs that a schedule has started."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A line of the audit log.

    Attributes:
        time: The last of them, for equal refusals.
        outcome: ``DONE``, or the error code of the refusal; ``SEVERAL`` counts different codes.
        organization_id: The organization; ``None`` if there is none, it is erased, or it is not the viewer's.
        subject: The caller, as named by the token's issuer; ``None`` without authentication or if it failed.
        address: The caller's network address; ``None`` for the command line.
        token_id: The token of the token file.
        times: The number of equal refusals.
    """

    time: datetime
    action: Action
    outcome: str
    organization_id: str | None = None
    subject: str | None = None
    address: str | None = None
    sync_id: str | None = None
    token_id: str | None = None
    times: int = 1


class Audit:
    """The audit log of a database. Close it, or the last refusals are not written."""

    def __init__(self, database: Database, supervisor: Supervisor) -> None:
        self._database = database
        self._task = supervisor.task("audit log", "Refusals are not written to the audit log.")
        self._waiting: dict[Refusal, int] = {}
        self._written_at: dict[Refusal, float] = {}
        self._rows = Rows(MOST_KINDS)
        self._flushing: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    def require(self, viewer: Viewer, organization_id: str, action: Action) -> None:
        """Raise unless the viewer may do this for the organization; a refusal is recorded.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: It is not the viewer's, or the viewer lacks the right.
            Unauthenticated: The viewer's token has expired; reading is still allowed.
        """
        try:
            viewer.require(organization_id, _NEEDS.get(action))
            if action is not Action.READ:
                viewer.require_fresh()
        except RoutiqError as error:
            if error.code != "BAD_USER_INPUT":
                self.refused(error, action, viewer, organization_id)
            raise

    async def note(
        self,
        connection: AsyncConnection,
        viewer: Viewer,
        action: Action,
        organization_id: str | None = None,
        sync_id: str | None = None,
        token_id: str | None = None,
    ) -> None:
        """Record a change in the connection's transaction."""
        entry = AuditEntry(utc_now(), action, DONE, organization_id, viewer.subject, viewer.address, sync_id, token_id)
        await insert_audit(connection, [_values(entry)])

    async def record(
        self,
        viewer: Viewer,
        action: Action,
        organization_id: str,
        *,
        sync_id: str | None = None,
        token_id: str | None = None,
    ) -> None:
        """Record a change made outside the database.

        Raises:
            StorageError: It can't be written.
        """
        async with self._database.writing() as connection:
            await self.note(connection, viewer, action, organization_id, sync_id, token_id)

    @contextmanager
    def noting(
        self, kind: type[RoutiqError], action: Action, viewer: Viewer, organization_id: str | None = None
    ) -> Iterator[None]:
        """Record an error of this kind that leaves the block as a refusal."""
        try:
            yield
        except kind as error:
            self.refused(error, action, viewer, organization_id)
            raise

    def refused(self, error: E, action: Action, viewer: Viewer, organization_id: str | None = None) -> E:
        """Record a refusal, soon, and return its error. Never waits and never fails.

        An organization other than the viewer's is left out: its id may be any text that a caller has chosen.
        """
        if viewer.organization_id not in {None, organization_id}:
            organization_id = None
        refusal = Refusal(action, error.code, organization_id, viewer.subject, viewer.address)
        if not self._waiting:
            self._forget_earlier()
        refusal = self._rows.row_for(refusal)
        self._waiting[refusal] = self._waiting.get(refusal, 0) + 1
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._task.until_done(self._flush_until_empty), name=self._task.name)
        return error

    async def entries(
        self, limit: int, organization_id: str | None = None, since: datetime | None = None
    ) -> list[AuditEntry]:
        """The newest entries first, of one organization or all; those after ``since``, at most ``limit``."""
        async with self._database.reading() as connection:
            rows = await audit_entries(connection, limit, organization_id, since)
        return [
            AuditEntry(
                row.time,
                Action(row.action),
                row.outcome,
                row.organization_id,
                row.subject,
                row.address,
                row.sync_id,
                row.token_id,
                row.times,
            )
            for row in rows
        ]

    async def close(self) -> None:
        """Write the remaining refusals."""
        if self._flushing is not None:
            # A task cancelled during its commit may have written its rows; they would be written again below.
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS), self._writing:
                    self._flushing.cancel()
            self._flushing.cancel()
            with suppress(asyncio.CancelledError):
                await self._flushing
        with suppress(StorageError):  # it is logged already
            await self._flush(self._waiting)

    async def _flush_until_empty(self) -> None:
        while self._waiting:
            await asyncio.sleep(FLUSH_SECONDS)
            self._forget_earlier()
            due = {one: times for one, times in self._waiting.items() if one not in self._written_at}
            await self._flush(due)
            self._task.succeeded()

    def _forget_earlier(self) -> None:
        """Forget rows written more than a minute ago, so that their refusals are written again."""
        now = time.monotonic()
        self._written_at = {one: at for one, at in self._written_at.items() if now - at < SAME_AGAIN_SECONDS}
        self._rows = Rows(MOST_KINDS, self._waiting.keys() | self._written_at.keys())

    async def _flush(self, due: dict[Refusal, int]) -> None:
        if not due:
            return
        due, now = dict(due), time.monotonic()
        entry = AuditEntry(utc_now(), Action.ASK, DONE)
        rows = [
            _values(
                replace(
                    entry,
                    action=Action(one.action),
                    outcome=one.outcome,
                    organization_id=one.organization_id,
                    subject=one.subject,
                    address=one.address,
                    times=times,
                )
            )
            for one, times in due.items()
        ]
        async with self._writing:
            async with self._database.writing() as connection:
                await insert_audit(connection, rows)
            for one, times in due.items():
                self._written_at[one] = now
                self._waiting[one] -= times  # more may have been counted during the write
                if not self._waiting[one]:
                    del self._waiting[one]


def _values(entry: AuditEntry) -> AuditValues:
    return {
        "time": entry.time,
        "action": entry.action.value,
        "outcome": entry.outcome,
        "organization_id": entry.organization_id,
        "subject": entry.subject,
        "address": entry.address,
        "sync_id": entry.sync_id,
        "token_id": entry.token_id,
        "times": entry.times,
    }
