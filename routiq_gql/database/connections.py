"""Queries on connections, and the removal of all that an organization has. Keys come and go encrypted; see ``keys``."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.tables import (
    ActivePatient,
    AuditRow,
    Base,
    Connection,
    IdentifiedPatient,
    Mirror,
    MirroredAppointment,
    MirroredAppointmentType,
    MirroredAttendee,
    MirroredPatient,
    Schedule,
    Sync,
    SyncLog,
)
from routiq_gql.database.upserts import upsert

CONNECTION = Base.metadata.tables[Connection.__tablename__]


async def connection_of(
    connection: AsyncConnection, organization_id: str, *, to_change: bool = False
) -> Row[Any] | None:
    """The organization's connection; with ``to_change`` nobody else changes it before this transaction ends."""
    query = select(CONNECTION).where(CONNECTION.c.organization_id == organization_id)
    if to_change:
        query = query.with_for_update()
    return (await connection.execute(query)).one_or_none()


async def all_connections(connection: AsyncConnection, *, to_change: bool = False) -> Sequence[Row[Any]]:
    """Every connection, by organization; with ``to_change`` nobody else changes one before this transaction ends."""
    query = select(CONNECTION).order_by(CONNECTION.c.organization_id)
    return (await connection.execute(query.with_for_update() if to_change else query)).all()


async def organizations_by_state(connection: AsyncConnection, states: Collection[str], limit: int) -> Sequence[str]:
    """The first ``limit`` organizations whose connection is in one of ``states``, by id."""
    query = select(CONNECTION.c.organization_id).where(CONNECTION.c.state.in_(states))
    return (await connection.execute(query.order_by(CONNECTION.c.organization_id).limit(limit))).scalars().all()


async def save_connection(connection: AsyncConnection, organization_id: str, values: Mapping[str, Any]) -> Row[Any]:
    """Insert the organization's connection, or replace the one it has; returns its row."""
    now = utc_now()
    changed = {**values, "updated_at": now}
    statement = upsert(connection, CONNECTION).values(organization_id=organization_id, created_at=now, **changed)
    statement = statement.on_conflict_do_update(index_elements=["organization_id"], set_=changed)
    row: Row[Any] = (await connection.execute(statement.returning(CONNECTION))).one()
    return row


async def change_connection(
    connection: AsyncConnection, organization_id: str, values: Mapping[str, Any]
) -> Row[Any] | None:
    """Change the organization's connection and return its row; ``None`` when it has none."""
    statement = (
        update(CONNECTION)
        .where(CONNECTION.c.organization_id == organization_id)
        .values(**values, updated_at=utc_now())
        .returning(CONNECTION)
    )
    row: Row[Any] | None = (await connection.execute(statement)).one_or_none()
    return row


async def forget_retry(connection: AsyncConnection, organization_id: str) -> None:
    """A sync has completed: the next 403 is a first one again."""
    await connection.execute(
        update(CONNECTION)
        .where(CONNECTION.c.organization_id == organization_id, CONNECTION.c.retry_at.is_not(None))
        .values(retry_at=None)
    )


async def erase_patients(connection: AsyncConnection, organization_id: str) -> None:
    """Remove everything that was read from Cliniko for the organization. Its syncs and their log stay."""
    sync = Base.metadata.tables[Sync.__tablename__]
    own = select(sync.c.key).where(sync.c.organization_id == organization_id)
    for read in (MirroredPatient, MirroredAppointment, MirroredAttendee, MirroredAppointmentType, IdentifiedPatient):
        table = Base.metadata.tables[read.__tablename__]
        await connection.execute(delete(table).where(table.c.generation.in_(own)))
    for shown in (ActivePatient, Mirror):
        table = Base.metadata.tables[shown.__tablename__]
        await connection.execute(delete(table).where(table.c.organization_id == organization_id))


async def erase_organization(connection: AsyncConnection, organization_id: str) -> None:
    """Remove every row that is the organization's: patients, syncs, their log, the audit log, and the connection."""
    await erase_patients(connection, organization_id)
    sync, log = Base.metadata.tables[Sync.__tablename__], Base.metadata.tables[SyncLog.__tablename__]
    own = select(sync.c.key).where(sync.c.organization_id == organization_id)
    await connection.execute(delete(log).where(log.c.sync_key.in_(own)))
    await connection.execute(delete(sync).where(sync.c.organization_id == organization_id))
    for table in (
        Base.metadata.tables[Schedule.__tablename__],
        Base.metadata.tables[AuditRow.__tablename__],
        CONNECTION,
    ):
        await connection.execute(delete(table).where(table.c.organization_id == organization_id))
