"""Queries on connections. API keys are encrypted here; see ``keys``."""

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.rows import ConnectionRow, ConnectionValues, as_row, as_rows
from routiq_gql.database.tables import CONNECTION, REFRESH
from routiq_gql.database.upserts import upsert


async def connection_of(
    connection: AsyncConnection, organization_id: str, *, to_change: bool = False
) -> ConnectionRow | None:
    """The organization's connection; with ``to_change``, locked against other changes until this transaction ends."""
    query = _CONNECTION_OF.with_for_update() if to_change else _CONNECTION_OF
    return as_row(ConnectionRow, (await connection.execute(query, {"organization": organization_id})).one_or_none())


_CONNECTION_OF = select(CONNECTION).where(CONNECTION.c.organization_id == bindparam("organization"))


async def all_connections(connection: AsyncConnection, *, to_change: bool = False) -> list[ConnectionRow]:
    """Every connection, by organization; with ``to_change``, locked as in ``connection_of``."""
    query = select(CONNECTION).order_by(CONNECTION.c.organization_id)
    return as_rows(ConnectionRow, await connection.execute(query.with_for_update() if to_change else query))


async def organizations_by_state(connection: AsyncConnection, states: Collection[str], limit: int) -> Sequence[str]:
    """The first ``limit`` organizations, by id, whose connection has any of the ``states``."""
    query = select(CONNECTION.c.organization_id).where(CONNECTION.c.state.in_(states))
    return (await connection.execute(query.order_by(CONNECTION.c.organization_id).limit(limit))).scalars().all()


async def save_connection(connection: AsyncConnection, organization_id: str, values: ConnectionValues) -> ConnectionRow:
    """Insert or replace the organization's connection, and return its row."""
    now = utc_now()
    changed = {**values, "updated_at": now}
    statement = upsert(connection, CONNECTION).values(organization_id=organization_id, created_at=now, **changed)
    statement = statement.on_conflict_do_update(index_elements=["organization_id"], set_=changed)
    return ConnectionRow(*(await connection.execute(statement.returning(CONNECTION))).one())


async def end_looks(connection: AsyncConnection, organization_id: str) -> None:
    """Let a look that is under way with the key so far write nothing. The next look learns the key anew.

    Call before a running sync is ended, as that look may just start one.
    """
    statement = update(REFRESH).where(REFRESH.c.organization_id == organization_id)
    await connection.execute(statement.values(key_digest=None, epoch=REFRESH.c.epoch + 1))


async def change_connection(
    connection: AsyncConnection, organization_id: str, values: ConnectionValues
) -> ConnectionRow | None:
    """Change the organization's connection and return its row; ``None`` when it has none."""
    statement = (
        update(CONNECTION)
        .where(CONNECTION.c.organization_id == organization_id)
        .values(**values, updated_at=utc_now())
        .returning(CONNECTION)
    )
    return as_row(ConnectionRow, (await connection.execute(statement)).one_or_none())


async def forget_retry(connection: AsyncConnection, organization_id: str) -> None:
    """Note that a sync has completed, so that the next 403 counts as the first."""
    await connection.execute(
        update(CONNECTION)
        .where(CONNECTION.c.organization_id == organization_id, CONNECTION.c.retry_at.is_not(None))
        .values(retry_at=None)
    )
