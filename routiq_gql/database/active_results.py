"""The statements that compute who is active, and compare that with the published result; see ``active_patients``.

They are built once, since that takes longer than executing them for a few patients. Each exists in two forms: for a
range of patients, ``:after`` and ``:up_to``, and for the patients ``:ids``.
"""

from datetime import datetime
from functools import cache
from typing import TypeAlias

from sqlalchemy import (
    CTE,
    BigInteger,
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Row,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from routiq_gql.database.columns import CompactTime, among, later_by, unindexed
from routiq_gql.database.mirror import INDIVIDUAL, MirrorList, visible
from routiq_gql.database.tables import ACTIVITY, APPOINTMENT, ATTENDEE, CURRENT, PATIENT


def _parameter(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger())


def _time(name: str) -> BindParameter[datetime]:
    return bindparam(name, type_=CompactTime())


def _within(ids: ColumnElement[int] | ColumnElement[int | None] | unindexed, *, by_ids: bool) -> ColumnElement[bool]:
    """The condition that a patient belongs to the slice: by ids where few are analyzed, else by their range."""
    return among(ids, "ids") if by_ids else and_(ids > _parameter("after"), ids <= _parameter("up_to"))


Found: TypeAlias = Row[
    int, int, int, int, datetime | None, datetime | None, datetime | None, bool | None, int | None, bool | None
]
"""A result that differs from the base: the id, recent, upcoming and missed appointments, the last and the next one,
``changes_at``; and of the base ``was_active``, ``active_since`` and ``is_active``."""


@cache
def differing_results(
    *, by_ids: bool
) -> CompoundSelect[
    int, int, int, int, datetime | None, datetime | None, datetime | None, bool | None, int | None, bool | None
]:
    """The results that differ from the draft's base, with the columns of the base that a new version takes over."""
    found = _found(by_ids=by_ids)
    base = ACTIVITY.alias("base")
    visible_base = visible(base, _parameter("mirror"), _parameter("base"))
    compared = ("recent_appointments", "upcoming_appointments", "missed_appointments")
    times = ("last_appointment_at", "next_appointment_at", "changes_at")
    is_same_patient = and_(base.c.id == found.c.id, _within(unindexed(base.c.id), by_ids=by_ids))
    changed = select(
        *(found.c[name] for name in ("id", *compared, *times)), base.c.was_active, base.c.active_since, base.c.is_active
    ).join_from(found, base, and_(visible_base, is_same_patient), isouter=True)
    changed = changed.where(
        or_(
            base.c.id.is_(None),
            *(base.c[name] != found.c[name] for name in compared),
            *(base.c[name].is_distinct_from(found.c[name]) for name in times),
        )
    )
    ended = select(
        base.c.id, *(literal(0) for _ in compared), *(null() for _ in times),
        base.c.was_active, base.c.active_since, base.c.is_active,
    ).where(
        visible_base,
        _within(base.c.id, by_ids=by_ids),
        base.c.id.not_in(select(found.c.id)),
        or_(base.c.is_active, base.c.was_active == false(), *(base.c[name].is_not(None) for name in times)),
    )  # fmt: skip
    return union_all(changed, ended)


def _found(*, by_ids: bool) -> CTE:
    """The patients with a visit that counts, now or later."""
    visits = union_all(_individual(by_ids=by_ids), _in_class(by_ids=by_ids)).subquery("visits")
    starts_at, now, upcoming_to = visits.c.starts_at, _time("now"), _time("upcoming_to")
    is_past = starts_at <= now
    is_recent = and_(is_past, ~visits.c.is_missed)
    is_upcoming = and_(starts_at > now, starts_at <= upcoming_to)
    changes_at = case(
        (is_past, later_by(starts_at, _parameter("recent") + 1)),
        (is_upcoming, starts_at),
        else_=later_by(starts_at, -_parameter("upcoming")),
    )

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((condition, 1), else_=0))

    return (
        select(
            visits.c.patient_id.label("id"),
            count(is_recent).label("recent_appointments"),
            count(is_upcoming).label("upcoming_appointments"),
            count(and_(is_past, visits.c.is_missed)).label("missed_appointments"),
            func.max(case((is_recent, starts_at))).label("last_appointment_at"),
            func.min(case((is_upcoming, starts_at))).label("next_appointment_at"),
            func.min(changes_at).label("changes_at"),
        )
        .join_from(visits, PATIENT, PATIENT.c.id == visits.c.patient_id)
        .where(MirrorList.PATIENTS.current(), _within(unindexed(PATIENT.c.id), by_ids=by_ids))
        .where(~PATIENT.c.is_stub, PATIENT.c.archived_at.is_(None))
        .group_by(visits.c.patient_id)
        .cte("found")
    )


def _individual(*, by_ids: bool) -> Select[int | None, datetime | None, bool]:
    return select(
        APPOINTMENT.c.patient_id, APPOINTMENT.c.starts_at, APPOINTMENT.c.did_not_arrive.is_(True).label("is_missed")
    ).where(
        APPOINTMENT.c.mirror == _parameter("mirror"),
        unindexed(APPOINTMENT.c.kind) == INDIVIDUAL,
        APPOINTMENT.c.to_sync == CURRENT,
        _within(APPOINTMENT.c.patient_id, by_ids=by_ids),
        APPOINTMENT.c.starts_at >= _time("recent_from"),
        APPOINTMENT.c.cancelled_at.is_(None),
    )


def _in_class(*, by_ids: bool) -> Select[int | None, datetime | None, bool]:
    return (
        select(ATTENDEE.c.patient_id, APPOINTMENT.c.starts_at, ATTENDEE.c.arrived.is_(False))
        .join_from(ATTENDEE, APPOINTMENT, APPOINTMENT.c.id == ATTENDEE.c.booking_id)
        .where(
            MirrorList.ATTENDEES.current(),
            _within(ATTENDEE.c.patient_id, by_ids=by_ids),
            ATTENDEE.c.cancelled_at.is_(None),
            MirrorList.GROUP_APPOINTMENTS.current(),
            unindexed(APPOINTMENT.c.starts_at) >= _time("recent_from"),
        )
    )


@cache
def written_results(*, by_ids: bool) -> Select[int, int]:
    """The versions of the slice that an earlier run of the draft wrote or closed."""
    own, closed = ACTIVITY.c.from_sync == _parameter("sync"), ACTIVITY.c.to_sync == _parameter("sync")
    return select(ACTIVITY.c.id, ACTIVITY.c.from_sync).where(
        ACTIVITY.c.mirror == _parameter("mirror"), _within(ACTIVITY.c.id, by_ids=by_ids), or_(own, closed)
    )
