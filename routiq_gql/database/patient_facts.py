"""Reads what the analysis needs to know of patients, besides their bookings."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import BigInteger, and_, not_, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import AnySelect, milliseconds_of
from routiq_gql.database.drafts import Draft
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.patient_bookings import PatientRange, of_patients, parameters_of
from routiq_gql.database.tables import PATIENT


class PatientFacts(NamedTuple):
    """A patient of a draft."""

    id: int
    #: Whether the row can be read, Cliniko lists it by default, and it was not merged into another patient.
    is_listed: bool
    #: In milliseconds since 1970.
    created_at: int | None
    first_name: str | None
    last_name: str | None
    preferred_first_name: str | None
    email: str | None
    phone: str | None


async def patients_in_draft(
    connection: AsyncConnection, draft: Draft, patients: PatientRange | Sequence[int]
) -> list[PatientFacts]:
    """These of the patients that are in the draft."""
    query = _select(by_ids=not isinstance(patients, tuple))
    rows = await connection.execute(query, {"mirror": draft.mirror, **parameters_of(patients)})
    return [PatientFacts._make(row) for row in rows]


@cache
def _select(*, by_ids: bool) -> AnySelect:
    columns = PATIENT.c
    is_listed = and_(not_(columns.is_stub), columns.archived_at.is_(None), columns.merged_with_id.is_(None))
    return select(
        columns.id,
        type_coerce(is_listed, BigInteger()),
        milliseconds_of(columns.created_at),
        columns.first_name,
        columns.last_name,
        columns.preferred_first_name,
        columns.email,
        columns.phone,
    ).where(MirrorList.PATIENTS.current(), of_patients(columns.id, by_ids=by_ids))
