"""An organization's row in ``mirrors``: opens a draft, and publishes it.

A publication changes a single row. Readers see the new sync from then on.
"""

from datetime import datetime
from typing import TypedDict

from sqlalchemy import BigInteger, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.drafts import Draft
from routiq_gql.database.rows import MirrorRow, as_row
from routiq_gql.database.tables import MIRROR
from routiq_gql.database.upserts import upsert


class NotPublished(Exception):
    """Another sync was published meanwhile, or the draft was not opened. Nothing was changed."""


class PublishedValues(TypedDict, total=False):
    """Columns of ``mirrors`` that change with a publication; see ``MirrorRow``. Other columns keep their values."""

    keeps_window: bool
    published_at: datetime
    patients_in_cliniko: int
    mark: datetime | None
    full_at: datetime
    horizon_from: datetime
    horizon_to: datetime | None
    horizon_days: int | None
    account: str | None
    format: int
    compared_at: datetime


async def mirror_of(connection: AsyncConnection, organization_id: str) -> MirrorRow | None:
    """The organization's row; ``None`` before its first sync or connection."""
    return as_row(MirrorRow, (await connection.execute(_MIRROR_OF, {"organization": organization_id})).one_or_none())


_MIRROR_OF = select(MIRROR).where(MIRROR.c.organization_id == bindparam("organization"))


async def ensure_mirror(connection: AsyncConnection, organization_id: str) -> MirrorRow:
    """The organization's row, which is made if it doesn't exist.

    If an organization of this database keeps the window of an earlier version, a new organization keeps it too.
    """
    row = await mirror_of(connection, organization_id)
    if row is not None:
        return row
    values: dict[str, object] = {"organization_id": organization_id}
    values["keeps_window"] = await any_keeps_window(connection)
    values |= {"sync": 0, "oldest_kept": 0, "patients_in_cliniko": 0, "format": 0}
    statement = upsert(connection, MIRROR).values(**values).on_conflict_do_nothing(index_elements=["organization_id"])
    await connection.execute(statement)
    return MirrorRow(*(await connection.execute(_MIRROR_OF, {"organization": organization_id})).one())


async def mirror_or_new(connection: AsyncConnection, organization_id: str) -> MirrorRow:
    """The organization's row as ``ensure_mirror`` would return it. Nothing is written; a new row has the number 0."""
    row = await mirror_of(connection, organization_id)
    if row is not None:
        return row
    return MirrorRow(
        number=0,
        organization_id=organization_id,
        sync=0,
        oldest_kept=0,
        writing=None,
        keeps_window=await any_keeps_window(connection),
        published_at=None,
        patients_in_cliniko=0,
        mark=None,
        full_at=None,
        horizon_from=None,
        horizon_to=None,
        horizon_days=None,
        account=None,
        format=0,
        erased_at=None,
        compared_at=None,
    )


async def any_keeps_window(connection: AsyncConnection) -> bool:
    """Whether any organization of this database keeps the window of an earlier version."""
    return (await connection.execute(select(MIRROR.c.number).where(MIRROR.c.keeps_window).limit(1))).first() is not None


async def open_draft(connection: AsyncConnection, organization_id: str, sync_key: int) -> Draft | None:
    """The draft of a running sync; made by its first call, in the transaction of the sync's first write.

    ``None`` while the rows of an earlier sync that failed are stored: call ``rollback_batch`` until none are left.
    """
    given = {"organization": organization_id, "draft": sync_key}
    row = (await connection.execute(_OPEN_DRAFT, given)).one_or_none()
    if row is None and await mirror_of(connection, organization_id) is None:
        await ensure_mirror(connection, organization_id)
        row = (await connection.execute(_OPEN_DRAFT, given)).one_or_none()
    return Draft(mirror=row.number, base=row.sync, sync=sync_key) if row is not None else None


_DRAFT = bindparam("draft", type_=BigInteger)
_OPEN_DRAFT = (
    update(MIRROR)
    .where(
        MIRROR.c.organization_id == bindparam("organization"),
        or_(MIRROR.c.writing.is_(None), MIRROR.c.writing == _DRAFT),
        MIRROR.c.sync < _DRAFT,
    )
    .values(writing=_DRAFT)
    .returning(MIRROR.c.number, MIRROR.c.sync)
)


async def publish(connection: AsyncConnection, draft: Draft, values: PublishedValues) -> None:
    """Show the draft to readers, in the transaction that ends the sync as completed.

    Raises:
        NotPublished: The draft's base is no longer the published sync.
    """
    published = {**values, "sync": draft.sync, "writing": None}
    if draft.base == 0:  # earlier syncs of the organization have no versions, as after a change of its account
        published["oldest_kept"] = draft.sync
    statement = update(MIRROR).where(
        MIRROR.c.number == draft.mirror, MIRROR.c.sync == draft.base, MIRROR.c.writing == draft.sync
    )
    if not (await connection.execute(statement.values(**published))).rowcount:
        raise NotPublished(f"Sync {draft.sync} was not published: {draft.base} is no longer the published sync.")
