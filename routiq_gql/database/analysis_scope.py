"""Selects the patients that the analysis of a draft looks at: all, or those whose result may differ from the base.

A result may differ if the draft has changed the patient, an appointment, a place in a class, or the class; if time
has passed the moment at which the result changes by itself; and if the horizon has passed the creation of a patient.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    Table,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    union,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import CompactTime, unindexed
from routiq_gql.database.drafts import Draft
from routiq_gql.database.mirror import CLASS, MirrorList
from routiq_gql.database.tables import ACTIVITY, APPOINTMENT, ATTENDEE, CURRENT, LISTING, PATIENT, SYNC
from routiq_gql.database.version_pruning import KEEP_VERSIONS

RULES = 3
"""The version of the rules of results. A draft whose base went by another version analyzes all patients.

2 has lists; 3 has searched texts that hold names without their apostrophes and hyphens, too."""
NEW_PATIENTS_LIST = 7
"""The value of ``PatientList.FIRST_VISIT_ONLY``, the only list whose rule depends on the horizon."""
MOST_TOUCHED = 10_000
"""With more touched patients, all are analyzed: every slice selects its patients from the touched rows again."""


@dataclass(frozen=True, slots=True)
class AnalysisScope:
    """The patients to analyze: all, or the touched ones; and their number."""

    everything: bool
    patients: int


async def analysis_scope(
    connection: AsyncConnection,
    draft: Draft,
    analyzed_at: datetime,
    horizon_from: datetime,
    settings: Mapping[str, int],
    *,
    everything: bool = False,
) -> AnalysisScope:
    """The patients that the analysis of this draft has to look at.

    All patients, if ``everything`` is set, or the base went by other settings or rules, was analyzed at a later time,
    or a week ago. Reads many rows: call it outside of write transactions.

    Args:
        settings: The settings of the rules, by their columns in ``syncs``.
    """
    terms = {**settings, "rules": RULES}
    columns = [SYNC.columns[name] for name in terms]
    query = select(SYNC.c.analyzed_at, SYNC.c.horizon_from, *columns).where(SYNC.c.key == draft.base)
    before = (await connection.execute(query)).one_or_none()
    is_same = before is not None and tuple(before[2:]) == tuple(terms.values())
    # Housekeeping may have deleted appointments that no sync has closed; see ``prune_appointments``.
    is_long_ago = before is None or before[1] is None or horizon_from - before[1] > KEEP_VERSIONS
    # With a clock that was set back, a result may have to change back: ``changes_at`` only looks ahead.
    is_earlier = before is not None and before.analyzed_at is not None and before.analyzed_at > analyzed_at
    if not everything and is_same and not is_earlier and not is_long_ago:
        touched = select(func.count()).select_from(_touched().subquery())
        values = _parameters(draft, analyzed_at, horizon_from, 0)
        count = (await connection.execute(touched, values)).scalar_one()
        if count <= MOST_TOUCHED:
            return AnalysisScope(everything=False, patients=count)
    patients = select(func.count()).select_from(PATIENT).where(MirrorList.PATIENTS.in_draft(draft))
    return AnalysisScope(everything=True, patients=(await connection.execute(patients)).scalar_one())


async def patients_after(connection: AsyncConnection, draft: Draft, after: int, limit: int) -> list[int]:
    """Ids above ``after`` of at most ``limit`` patients in the draft, ascending."""
    query = select(PATIENT.c.id).where(MirrorList.PATIENTS.in_draft(draft), PATIENT.c.id > after)
    return list((await connection.execute(query.order_by(PATIENT.c.id).limit(limit))).scalars())


async def touched_after(
    connection: AsyncConnection, draft: Draft, analyzed_at: datetime, horizon_from: datetime, after: int, limit: int
) -> list[int]:
    """Ids above ``after`` of at most ``limit`` patients whose result may differ from the base, ascending."""
    values = {**_parameters(draft, analyzed_at, horizon_from, after), "limit": limit}
    return list((await connection.execute(_touched_slice(), values)).scalars())


def _parameters(draft: Draft, analyzed_at: datetime, horizon_from: datetime, after: int) -> dict[str, object]:
    given = {"analyzed_at": analyzed_at, "horizon_from": horizon_from, "after": after}
    return {"mirror": draft.mirror, "sync": draft.sync, **given}


@cache
def _touched_slice() -> Select[int]:
    touched = _touched().subquery()
    return select(touched.c.id).order_by(touched.c.id).limit(bindparam("limit", type_=BigInteger()))


@cache
def _touched() -> CompoundSelect[int]:
    """Ids above ``:after`` of the patients whose result may differ."""
    after, mirror = bindparam("after", type_=BigInteger()), bindparam("mirror", type_=BigInteger())
    of_patients = (
        (PATIENT, PATIENT.c.id),
        (APPOINTMENT, APPOINTMENT.c.patient_id),
        (ATTENDEE, ATTENDEE.c.patient_id),
        (ACTIVITY, ACTIVITY.c.id),  # results of an earlier run of the draft, which may have to change back
        (LISTING, LISTING.c.id),
    )
    changed = [
        select(patient.label("id")).where(condition, unindexed(patient) > after)
        for table, patient in of_patients
        for condition in _changed(table)
    ]
    classes = union(
        *(select(APPOINTMENT.c.id).where(each, APPOINTMENT.c.kind == CLASS) for each in _changed(APPOINTMENT))
    )
    attending = select(ATTENDEE.c.patient_id.label("id")).where(
        MirrorList.ATTENDEES.of(mirror),
        ATTENDEE.c.to_sync == CURRENT,
        ATTENDEE.c.booking_id.in_(classes),
        unindexed(ATTENDEE.c.patient_id) > after,
    )
    due = select(ACTIVITY.c.id).where(
        ACTIVITY.c.mirror == mirror,
        ACTIVITY.c.to_sync == literal_column(str(CURRENT)),  # the partial index serves no query without the literal
        ACTIVITY.c.changes_at <= bindparam("analyzed_at", type_=CompactTime()),
        unindexed(ACTIVITY.c.id) > after,
    )
    aged = (
        select(LISTING.c.id)
        .join_from(LISTING, PATIENT, and_(PATIENT.c.mirror == LISTING.c.mirror, PATIENT.c.id == LISTING.c.id))
        .where(LISTING.c.mirror == mirror, LISTING.c.list == NEW_PATIENTS_LIST, LISTING.c.to_sync == CURRENT)
        .where(PATIENT.c.to_sync == CURRENT, PATIENT.c.created_at < bindparam("horizon_from", type_=CompactTime()))
        .where(LISTING.c.id > after)
    )
    return union(*changed, attending, due, aged)


def _changed(table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The versions that the draft wrote, and those that it closed. Each condition has an index."""
    own, sync = table.c.mirror == bindparam("mirror", type_=BigInteger()), bindparam("sync", type_=BigInteger())
    # No sync after the draft's has closed anything. The partial index serves no query without the literal.
    closed = and_(table.c.to_sync >= sync, table.c.to_sync < literal_column(str(CURRENT)))
    return and_(own, table.c.from_sync == sync), and_(own, closed)
