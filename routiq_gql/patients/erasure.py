"""Erases one person of an organization, and keeps that person out of later syncs, until that is undone.

``routiq-gql erase-patient`` uses it. It is the only change that past syncs show too: nothing of the person is left in
any version. The audit log keeps the time and the caller, without an id or a name.
"""

from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.engine import Database
from routiq_gql.database.keep_out import KeepOut
from routiq_gql.database.persons import erase_persons, same_persons, scrub_syncs
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.rows import MirrorRow
from routiq_gql.database.tables import SYNC
from routiq_gql.errors import BadInput
from routiq_gql.patients.keys import LARGEST_CLINIKO_ID
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import Viewer


@dataclass(frozen=True, slots=True)
class ErasedPerson:
    """The result of an erasure.

    Attributes:
        bookings: How many appointments and places in classes were erased.
        events: How many events for webhooks were deleted, with their deliveries.
        merged: How many other patients were erased, since they were merged with this one in Cliniko.
        was_erased: Whether the patient was on the keep-out list already.
        is_gone: Whether the rows are gone from the database's files too.
    """

    bookings: int
    events: int
    merged: int
    was_erased: bool
    is_gone: bool


class PatientErasures:
    """Erases patients, and lets them in again."""

    def __init__(self, database: Database, keep_out: KeepOut, audit: Audit) -> None:
        self._database = database
        self._keep_out = keep_out
        self._audit = audit

    async def erase(self, viewer: Viewer, organization_id: str, patient_id: str) -> ErasedPerson:
        """Erase the patient from every table, version and change in a single transaction. A running sync continues.

        Patients who were merged with this one in Cliniko are the same person, and are erased too.

        Raises:
            BadInput: An id has a wrong form, or no such patient is stored.
            Forbidden: The organization is not the viewer's, or the viewer may not change its connection.
            StorageError: The database or the keys can't be used; nothing was changed.
        """
        self._audit.require(viewer, organization_id, Action.ERASE_PATIENT)
        number = _number(patient_id)
        async with self._database.writing() as connection:
            await _lock_running(connection, organization_id)
            mirror = await _mirror(connection, organization_id, patient_id)
            persons = await same_persons(connection, mirror.number, number)
            is_new = await self._keep_out.add(connection, mirror.number, number, persons)
            rows = await erase_persons(connection, mirror.number, persons)
            if is_new and not (rows.patients or rows.bookings or rows.events):
                raise _unknown(organization_id, patient_id)
            await scrub_syncs(connection, organization_id, rows.ids)
            await self._audit.note(connection, viewer, Action.ERASE_PATIENT, organization_id)
        is_gone = await self._database.forget_deleted(rewrite=True)
        return ErasedPerson(rows.bookings, rows.events, len(rows.patients - {number}), not is_new, is_gone)

    async def undo(self, viewer: Viewer, organization_id: str, patient_id: str) -> None:
        """Let the patient in again, with all who were merged. The next sync is full, and brings the rows back.

        Raises:
            BadInput: An id has a wrong form, the patient is not kept out, or a sync is running, which may have passed
                the patient's rows.
            Forbidden: The organization is not the viewer's, or the viewer may not change its connection.
            StorageError: The database or the keys can't be used; nothing was changed.
        """
        self._audit.require(viewer, organization_id, Action.UNDO_ERASURE)
        number = _number(patient_id)
        async with self._database.writing() as connection:
            if await _lock_running(connection, organization_id):
                raise BadInput(
                    f"A sync of {organization_id} is running. Wait until it has ended, or cancel it, and type the "
                    "command again."
                )
            mirror = await _mirror(connection, organization_id, patient_id)
            if not await self._keep_out.remove(connection, mirror.number, number):
                raise BadInput(f"Patient {patient_id} of {organization_id} is not erased, so there is nothing to undo.")
            await self._audit.note(connection, viewer, Action.UNDO_ERASURE, organization_id)


async def _lock_running(connection: AsyncConnection, organization_id: str) -> bool:
    """Lock the row of the running sync, so that no page is stored until the transaction ends; whether there is one."""
    own = (SYNC.c.organization_id == organization_id) & SYNC.c.completed_at.is_(None)
    return bool((await connection.execute(update(SYNC).where(own).values(version=SYNC.c.version))).rowcount)


async def _mirror(connection: AsyncConnection, organization_id: str, patient_id: str) -> MirrorRow:
    mirror = await mirror_of(connection, organization_id)
    if mirror is None:
        raise _unknown(organization_id, patient_id)
    return mirror


def _unknown(organization_id: str, patient_id: str) -> BadInput:
    return BadInput(
        f"No patient {patient_id} of {organization_id} is stored, so nothing was changed. Type the id of the patient "
        f"in Cliniko; `routiq-gql patients {organization_id} --list all` lists them."
    )


def _number(patient_id: str) -> int:
    is_id = patient_id.isascii() and patient_id.isdigit() and not patient_id.startswith("0")
    if not is_id or len(patient_id) > len(str(LARGEST_CLINIKO_ID)) or int(patient_id) > LARGEST_CLINIKO_ID:
        raise BadInput("The id of a patient is its number in Cliniko, such as 1234567890.")
    return int(patient_id)
