"""Finds the active patients of a draft with set-based SQL, and writes what differs from the published result.

A patient is active who is in the mirror and not archived, and has an appointment in the recent or the upcoming window
that is not cancelled. In a class the attendee's row decides, never the ids that the class lists. A past appointment
that is explicitly marked as missed makes a patient active, since it was booked. It counts as missed, not as recent.

Results are versions like the rows that they were computed from; see ``tables.mirror``. Rows that can't be read never
count. Appointments outside the windows only decide when the result changes next.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import ColumnElement, Row, and_, delete, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.active_results import Found, differing_results, written_results
from routiq_gql.database.analysis_scope import patients_after, touched_after
from routiq_gql.database.columns import among, unindexed
from routiq_gql.database.drafts import Draft
from routiq_gql.database.tables import ACTIVITY, CURRENT
from routiq_gql.database.upserts import upsert_rows

MILLISECOND = timedelta(milliseconds=1)
"""The resolution of all times of the mirror."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The times that make an appointment count: ``recent_from ≤ start ≤ now`` and ``now < start ≤ upcoming_to``."""

    recent_from: datetime
    now: datetime
    upcoming_to: datetime

    @classmethod
    def at(cls, now: datetime, recent_days: int, upcoming_days: int) -> Self:
        """The windows of an analysis at ``now``."""
        return cls(now - timedelta(days=recent_days), now, now + timedelta(days=upcoming_days))


async def analyze_slice(
    connection: AsyncConnection, draft: Draft, windows: Windows, after: int, size: int, *, everything: bool
) -> int | None:
    """Analyze at most ``size`` patients whose ids are above ``after``, in the order of their ids.

    Writes versions for results that differ from the draft's base. Versions that an earlier run of the draft wrote for
    these patients are removed if they no longer differ. So repeating a slice is harmless.

    Args:
        everything: Analyze all patients; otherwise those that ``analysis_scope`` has counted.

    Returns:
        The id that the next slice starts after; ``None`` after the last slice.
    """
    if everything:
        ids = await patients_after(connection, draft, after, size)
    else:
        ids = await touched_after(connection, draft, windows.now, after, size)
        if not ids:
            return None
    following = ids[-1] if len(ids) == size else None
    values: dict[str, object] = {
        "mirror": draft.mirror, "base": draft.base, "sync": draft.sync,
        "now": windows.now, "recent_from": windows.recent_from, "upcoming_to": windows.upcoming_to,
        "recent": (windows.now - windows.recent_from) // MILLISECOND,
        "upcoming": (windows.upcoming_to - windows.now) // MILLISECOND,
    }  # fmt: skip
    if everything:
        # Behind the last patient there may be results of patients who have left the mirror.
        values |= {"after": after, "up_to": CURRENT if following is None else following}
    else:
        values["ids"] = ids
    if everything and connection.dialect.name == "postgresql":
        # It has no statistics of rows that were just written, and expects a handful. For 641 patients it compared 70
        # million pairs, in 24 s. A hash join takes 2 ms, and suits any number of rows.
        await connection.execute(text("SET LOCAL enable_nestloop = off"))
    differing = (await connection.execute(differing_results(by_ids=not everything), values)).all()
    before = (await connection.execute(written_results(by_ids=not everything), values)).all()
    await _write(connection, draft, differing, before)
    return following


async def _write(
    connection: AsyncConnection, draft: Draft, differing: Collection[Found], before: Iterable[Row[int, int]]
) -> None:
    """Make the draft differ from its base in exactly these results of the slice."""
    results = [version for version in (_version(draft, found) for found in differing) if version is not None]
    replaced = [found.id for found in differing]
    written, closed = set[int](), set[int]()
    for row in before:
        (written if row.from_sync == draft.sync else closed).add(row.id)

    def rows_of(ids: Collection[int]) -> ColumnElement[bool]:
        return and_(ACTIVITY.c.mirror == draft.mirror, among(ACTIVITY.c.id, ids))

    if outdated := written.difference(found["id"] for found in results):
        is_own = unindexed(ACTIVITY.c.from_sync) == draft.sync
        await connection.execute(delete(ACTIVITY).where(rows_of(outdated), is_own))
    if reopened := closed.difference(replaced):
        is_closed = ACTIVITY.c.to_sync == draft.sync
        await connection.execute(update(ACTIVITY).where(rows_of(reopened), is_closed).values(to_sync=CURRENT))
    if draft.base and replaced:
        is_base = and_(ACTIVITY.c.to_sync == CURRENT, unindexed(ACTIVITY.c.from_sync) <= draft.base)
        await connection.execute(update(ACTIVITY).where(rows_of(replaced), is_base).values(to_sync=draft.sync))
    if results:
        await upsert_rows(connection, ACTIVITY, results)


def _version(draft: Draft, found: Found) -> dict[str, object] | None:
    """The version to write; ``None`` for a patient who never was active, and has no visit that may count later."""
    is_active = found.recent_appointments + found.upcoming_appointments + found.missed_appointments > 0
    was_active = is_active or bool(found.was_active)
    if not was_active and found.changes_at is None:
        return None
    active_since = None
    if is_active:
        active_since = found.active_since if found.is_active else draft.sync
    return {
        "mirror": draft.mirror,
        "id": found.id,
        "to_sync": CURRENT,
        "from_sync": draft.sync,
        "is_active": is_active,
        "was_active": was_active,
        "active_since": active_since,
        "recent_appointments": found.recent_appointments,
        "upcoming_appointments": found.upcoming_appointments,
        "missed_appointments": found.missed_appointments,
        "last_appointment_at": found.last_appointment_at,
        "next_appointment_at": found.next_appointment_at,
        "changes_at": found.changes_at,
    }
