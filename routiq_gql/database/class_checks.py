"""When the attendees of each class were last compared with Cliniko.

A full sync reads all attendees, so a row is needed only for classes that a later sync has compared.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import among
from routiq_gql.database.drafts import Draft
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.tables import APPOINTMENT, ATTENDEE, CLASS_CHECK, MIRROR
from routiq_gql.database.upserts import upsert_rows


@dataclass(frozen=True, slots=True)
class ClassCheck:
    """A class of the draft, and when its attendees were compared last; ``None`` if never."""

    class_id: int
    checked_at: datetime | None


async def class_checks(
    connection: AsyncConnection, draft: Draft, starts_from: datetime, starts_to: datetime
) -> list[ClassCheck]:
    """The classes of the draft that start within these times, ascending by id."""
    columns = APPOINTMENT.c
    full_at = (await connection.execute(select(MIRROR.c.full_at).where(MIRROR.c.number == draft.mirror))).scalar_one()
    counts = (CLASS_CHECK.c.sync <= draft.base) | (CLASS_CHECK.c.sync == draft.sync)
    checked = (CLASS_CHECK.c.mirror == draft.mirror) & (CLASS_CHECK.c.id == columns.id) & counts
    query = (
        select(columns.id, CLASS_CHECK.c.checked_at)
        .join_from(APPOINTMENT, CLASS_CHECK, checked, isouter=True)
        .where(MirrorList.GROUP_APPOINTMENTS.in_draft(draft))
        .where(columns.starts_at >= starts_from, columns.starts_at <= starts_to)
        .order_by(columns.id)
    )
    rows = (await connection.execute(query)).all()
    return [ClassCheck(row_id, max(filter(None, (checked_at, full_at)), default=None)) for row_id, checked_at in rows]


async def attendees_by_class(
    connection: AsyncConnection, draft: Draft, classes: Collection[int]
) -> dict[int, list[int]]:
    """The ids of the attendees that the draft has in each of these classes; without classes that have none."""
    given = {**draft.parameters, "classes": list(classes)}
    found: dict[int, list[int]] = {}
    for class_id, row_id in await connection.execute(_ATTENDEES, given):
        if class_id is not None:
            found.setdefault(class_id, []).append(row_id)
    return found


_ATTENDEES = select(ATTENDEE.c.booking_id, ATTENDEE.c.id).where(
    MirrorList.ATTENDEES.current(), among(ATTENDEE.c.booking_id, "classes")
)


async def save_class_checks(connection: AsyncConnection, draft: Draft, checked: Mapping[int, datetime]) -> None:
    """Store when the draft's sync has compared classes. Deletes rows of syncs that failed, and obsolete ones."""
    columns = CLASS_CHECK.c
    full_at = select(MIRROR.c.full_at).where(MIRROR.c.number == draft.mirror).scalar_subquery()
    is_failed = (columns.sync > draft.base) & (columns.sync != draft.sync)
    is_useless = (columns.checked_at < full_at) | is_failed
    await connection.execute(delete(CLASS_CHECK).where(columns.mirror == draft.mirror, is_useless))
    if checked:
        own = {"mirror": draft.mirror, "sync": draft.sync}
        await upsert_rows(
            connection, CLASS_CHECK, [{**own, "id": one, "checked_at": at} for one, at in checked.items()]
        )
