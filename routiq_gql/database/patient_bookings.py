"""Reads the bookings of patients: appointments, and places in classes, cancelled ones included.

Times are whole milliseconds since 1970, as ``patients.rules`` counts them: a slice of the analysis reads thousands of
rows, and the types of ``tables`` would convert each value of each row.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import TypeAlias

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, literal, not_, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import AnyColumn, AnySelect, among, milliseconds_of, unindexed
from routiq_gql.database.drafts import Draft
from routiq_gql.database.mirror import CLASS, INDIVIDUAL, MIRROR_NUMBER, MirrorList
from routiq_gql.database.tables import APPOINTMENT, ATTENDEE, CURRENT

StoredBooking: TypeAlias = tuple[int, bool, bool | None, int, int, int | None, int | None]
"""``starts_at``, ``is_cancelled``, ``is_missed``, ``kind``, ``id`` of the appointment or place, ``type_id``,
``practitioner_id``: the fields of ``patients.rules.Booking``, in its order."""

PatientRange: TypeAlias = tuple[int, int]
"""Ids above the first number, and up to the second."""

_BY_START = itemgetter(0, 3, 4)


async def bookings_in_draft(
    connection: AsyncConnection, draft: Draft, patients: PatientRange | Sequence[int]
) -> Mapping[int, list[StoredBooking]]:
    """The bookings of patients in a draft, by the patient's id, ascending by start, kind and id.

    Args:
        patients: A range of ids as a pair, or a list of ids.
    """
    values: dict[str, object] = {"mirror": draft.mirror, **parameters_of(patients)}
    by_ids = not isinstance(patients, tuple)
    found: defaultdict[int, list[StoredBooking]] = defaultdict(list)
    for row in await connection.execute(_individual(by_ids=by_ids), values):
        found[row[7]].append(row[:7])
    in_classes: defaultdict[int, list[StoredBooking]] = defaultdict(list)
    for row in await connection.execute(_in_class(by_ids=by_ids), values):
        in_classes[row[7]].append(row[:7])
    for patient, bookings in in_classes.items():
        found[patient] = sorted(found[patient] + bookings, key=_BY_START)
    return found


def parameters_of(patients: PatientRange | Sequence[int]) -> dict[str, object]:
    """The parameters of a statement about these patients; see ``of_patients``."""
    if isinstance(patients, tuple):
        return {"above": patients[0], "up_to": patients[1]}
    return {"ids": list(patients)}


def of_patients(column: AnyColumn, *, by_ids: bool) -> ColumnElement[bool]:
    """The condition that an id is one of ``:ids``, or above ``:above`` and up to ``:up_to``."""
    if by_ids:
        return among(column, "ids")
    return and_(column > bindparam("above", type_=BigInteger()), column <= bindparam("up_to", type_=BigInteger()))


@cache
def _individual(*, by_ids: bool) -> AnySelect:
    columns = APPOINTMENT.c
    return (
        select(
            milliseconds_of(columns.starts_at),
            _plain(columns.cancelled_at.is_not(None)),
            _plain(columns.did_not_arrive),
            literal(INDIVIDUAL),
            columns.id,
            columns.appointment_type_id,
            columns.practitioner_id,
            columns.patient_id,
        )
        # The list's own condition would let SQLite choose the index by kind, which holds every appointment.
        .where(columns.mirror == MIRROR_NUMBER, unindexed(columns.kind) == INDIVIDUAL, columns.to_sync == CURRENT)
        .where(unindexed(columns.starts_at).is_not(None), of_patients(columns.patient_id, by_ids=by_ids))
        .order_by(columns.patient_id, columns.starts_at, columns.id)
    )


@cache
def _in_class(*, by_ids: bool) -> AnySelect:
    columns = APPOINTMENT.c
    return (
        select(
            milliseconds_of(columns.starts_at),
            _plain(ATTENDEE.c.cancelled_at.is_not(None)),
            _plain(not_(ATTENDEE.c.arrived)),
            literal(CLASS),
            ATTENDEE.c.id,  # as readers order them: of two at the same time, both name the same one as the last
            columns.appointment_type_id,
            columns.practitioner_id,
            ATTENDEE.c.patient_id,
        )
        .join_from(ATTENDEE, APPOINTMENT, columns.id == ATTENDEE.c.booking_id)
        .where(MirrorList.ATTENDEES.current(), of_patients(ATTENDEE.c.patient_id, by_ids=by_ids))
        .where(MirrorList.GROUP_APPOINTMENTS.current(), unindexed(columns.starts_at).is_not(None))
    )


def _plain(expression: AnyColumn) -> AnyColumn:
    """The value as the driver returns it: a number on SQLite, which is as good as a boolean."""
    return type_coerce(expression, BigInteger())
