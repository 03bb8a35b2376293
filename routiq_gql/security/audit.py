"""The audit log: checks rights for all services, and records changes, refusals and reads of patients.

A change is recorded in the transaction that makes it. Refusals and reads are counted in memory and written soon after,
with equal ones in one row: a caller refused a thousand times a second costs a row a minute. ``audited_refusals`` and
``audited_reads`` do that.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.audit import audit_entries, insert_audit
from routiq_gql.database.audit_rows import AuditValues
from routiq_gql.database.engine import Database
from routiq_gql.errors import RoutiqError
from routiq_gql.security.audited_reads import AuditedReads, PatientRead
from routiq_gql.security.audited_refusals import AuditedRefusals
from routiq_gql.security.refusals import Refusal
from routiq_gql.security.viewer import Right, Viewer
from routiq_gql.supervision import Supervisor
from routiq_gql.sync.actors import ActorKind

DONE = "DONE"
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
    ERASE_PATIENT = "erase_patient"
    UNDO_ERASURE = "undo_erasure"
    ROTATE = "rotate"
    STREAM = "stream_token"
    ADD_TOKEN = "add_token"  # noqa: S105 - an action, no secret
    REVOKE_TOKEN = "revoke_token"  # noqa: S105
    PATIENTS = "patients"
    EXPORT = "export"
    WEBHOOKS = "webhooks"
    ADD_WEBHOOK = "add_webhook"
    CHANGE_WEBHOOK = "change_webhook"
    ROTATE_WEBHOOK = "rotate_webhook"
    REMOVE_WEBHOOK = "remove_webhook"
    REPEAT_DELIVERY = "repeat_delivery"
    TEST_WEBHOOK = "test_webhook"


_NEEDS = {
    Action.START: Right.START,
    Action.CANCEL: Right.CANCEL,
    Action.CONNECT: Right.CONNECT,
    Action.TEST: Right.CONNECT,
    Action.DISCONNECT: Right.CONNECT,
    Action.SCHEDULE: Right.CONNECT,
    Action.ERASE: Right.CONNECT,
    Action.ERASE_PATIENT: Right.CONNECT,
    Action.UNDO_ERASURE: Right.CONNECT,
    Action.PATIENTS: Right.PATIENTS,
    Action.EXPORT: Right.PATIENTS,
    Action.WEBHOOKS: Right.WEBHOOKS,
    Action.ADD_WEBHOOK: Right.WEBHOOKS,
    Action.CHANGE_WEBHOOK: Right.WEBHOOKS,
    Action.ROTATE_WEBHOOK: Right.WEBHOOKS,
    Action.REMOVE_WEBHOOK: Right.WEBHOOKS,
    Action.REPEAT_DELIVERY: Right.WEBHOOKS,
    Action.TEST_WEBHOOK: Right.WEBHOOKS,
}

SCHEDULE_VIEWER = Viewer(subject="schedule", kind=ActorKind.SCHEDULE)
"""The viewer of syncs that a schedule has started."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A line of the audit log.

    Attributes:
        time: The last of them, for equal refusals and equal reads.
        outcome: ``DONE``, or the error code of the refusal; ``SEVERAL`` counts different codes.
        organization_id: The organization; ``None`` if there is none, it is erased, or it is not the viewer's.
        subject: The caller, as named by the token's issuer; ``None`` without authentication or if it failed.
        address: The caller's network address; ``None`` for the command line.
        token_id: The token of the token file.
        times: The number of equal refusals, or of equal reads of patients.
        list: The list of patients that was read or exported.
        count: The number of patients that were shown, added up over ``times``.
        webhook_id: The webhook that was changed, or to which something is sent.
        webhook_host: The host in its address, after the change. The rest of an address may hold a secret.
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
    list: str | None = None
    count: int | None = None
    webhook_id: str | None = None
    webhook_host: str | None = None


class Audit:
    """The audit log of a database. Close it, or the last refusals and reads are not written.

    Attributes:
        on_request: Called with the organization of each request that is allowed.
    """

    def __init__(self, database: Database, supervisor: Supervisor) -> None:
        self._database = database
        self._refusals = AuditedRefusals(
            database, supervisor.task("audit log", "Refusals are not written to the audit log.")
        )
        self._reads = AuditedReads(
            database, supervisor.task("audit of reads", "Reads of patients are not written to the audit log.")
        )
        self.on_request: Callable[[str], None] = _ignore

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
        self.on_request(organization_id)

    async def note(
        self,
        connection: AsyncConnection,
        viewer: Viewer,
        action: Action,
        organization_id: str | None = None,
        sync_id: str | None = None,
        token_id: str | None = None,
        *,
        webhook_id: str | None = None,
        webhook_host: str | None = None,
    ) -> None:
        """Record a change in the connection's transaction."""
        entry = AuditEntry(
            *(utc_now(), action, DONE, organization_id, viewer.subject, viewer.address, sync_id, token_id),
            webhook_id=webhook_id,
            webhook_host=webhook_host,
        )
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

    async def read(
        self,
        viewer: Viewer,
        action: Action,
        organization_id: str,
        *,
        list: str | None = None,  # noqa: A002 — the word of the API
        count: int,
    ) -> None:
        """Record that the viewer was shown ``count`` patients: soon, in one row with equal reads of the last minute.

        Args:
            list: The name of the list; never a name or a searched text.

        Raises:
            StorageError: Many earlier reads can't be written, so this one can't be recorded either.
        """
        read = PatientRead(action.value, organization_id, viewer.subject, viewer.address, list)
        await self._reads.add(read, count)

    async def exported(
        self,
        viewer: Viewer,
        organization_id: str,
        *,
        list: str,  # noqa: A002 — the word of the API
        count: int,
    ) -> None:
        """Record an export of ``count`` patients. Returns once it is written, so that no export lacks its entry.

        Raises:
            StorageError: It can't be written.
        """
        entry = AuditEntry(
            utc_now(), Action.EXPORT, DONE, organization_id, viewer.subject, viewer.address, list=list, count=count
        )
        async with self._database.writing() as connection:
            await insert_audit(connection, [_values(entry)])

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
        self._refusals.add(Refusal(action, error.code, organization_id, viewer.subject, viewer.address))
        return error

    async def entries(
        self, limit: int, organization_id: str | None = None, since: datetime | None = None
    ) -> list[AuditEntry]:
        """The newest entries first, of one organization or all; those after ``since``, at most ``limit``."""
        async with self._database.reading() as connection:
            rows = await audit_entries(connection, limit, organization_id, since)
        return [
            AuditEntry(
                *(row.time, Action(row.action), row.outcome, row.organization_id, row.subject, row.address),
                row.sync_id,
                row.token_id,
                row.times,
                row.list,
                row.count,
                row.webhook_id,
                row.webhook_host,
            )
            for row in rows
        ]

    async def close(self) -> None:
        """Write the remaining refusals and reads."""
        await self._refusals.close()
        await self._reads.close()


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
        "list": entry.list,
        "count": entry.count,
        "webhook_id": entry.webhook_id,
        "webhook_host": entry.webhook_host,
    }


def _ignore(_organization_id: str) -> None:
    pass
