"""Finds out what has changed of that which many clients watch: versions of syncs, and fingerprints of dashboards.

One statement covers any number of syncs, and one any number of organizations. Their texts are constant, since the keys
are a single parameter.
"""

from collections.abc import Collection, Mapping
from functools import cache, reduce

import orjson
from sqlalchemy import ColumnElement, Executable, Table, Text, cast, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import among, each_text
from routiq_gql.database.tables import CONNECTION, MIRROR, REFRESH, SCHEDULE, SYNC

Fingerprint = tuple[int | str | None, ...]
"""Everything that a dashboard shows, except the progress of the running sync. Compared with others, never read."""

_NOT_SHOWN: dict[Table, set[str]] = {
    CONNECTION: {"encrypted_key", "encryption_key_id"},
    SCHEDULE: set(),
    REFRESH: {"next_at", "epoch", "sync", "spent", "spent_by", "found", "watched_at", "key_digest"},
    MIRROR: {"oldest_kept", "writing"},
}
"""Columns that no dashboard depends on, of the tables with a single row per organization."""

_OTHER = REFRESH.alias("other")
"""Another organization with the same API key, whose looks make those of the first rarer."""

_NOTHING, _SEPARATOR = literal_column("''", Text), literal_column("'\x1f'", Text)


async def versions_of(connection: AsyncConnection, keys: Collection[int]) -> dict[int, tuple[str, int]]:
    """The id and version of each of these syncs, by key; erased syncs are left out."""
    return {row.key: (row.sync_id, row.version) for row in await connection.execute(_VERSIONS, {"keys": list(keys)})}


_VERSIONS = select(SYNC.c.key, SYNC.c.sync_id, SYNC.c.version).where(among(SYNC.c.key, "keys"))


async def published_syncs(connection: AsyncConnection, organizations: Collection[str]) -> dict[str, int]:
    """The number of the sync that readers of each organization see; organizations without a mirror are left out."""
    given = {"organizations": orjson.dumps(list(organizations)).decode()}
    rows = await connection.execute(_published(connection.dialect.name), given)
    return {row.organization_id: row.sync for row in rows}


@cache
def _published(dialect: str) -> Executable:
    organizations = select(each_text(dialect, "organizations"))
    return select(MIRROR.c.organization_id, MIRROR.c.sync).where(MIRROR.c.organization_id.in_(organizations))


async def fingerprints_of(connection: AsyncConnection, organizations: Collection[str]) -> Mapping[str, Fingerprint]:
    """The fingerprint of each organization's dashboard. Organizations without any row are included."""
    query = _fingerprints(connection.dialect.name)
    given = {"organizations": orjson.dumps(list(organizations)).decode()}
    return {name: tuple(values) for name, *values in await connection.execute(query, given)}


@cache
def _fingerprints(dialect: str) -> Executable:
    organization = each_text(dialect, "organizations")

    def newest(*conditions: ColumnElement[bool]) -> ColumnElement[int | None]:
        query = select(SYNC.c.key).where(SYNC.c.organization_id == organization, *conditions)
        return query.order_by(SYNC.c.key.desc()).limit(1).scalar_subquery()

    def content(table: Table, not_shown: set[str]) -> ColumnElement[str | None]:
        columns = [column for column in table.columns if column.name not in not_shown]
        texts: list[ColumnElement[str]] = [func.coalesce(cast(column, Text), _NOTHING) for column in columns]
        text = reduce(lambda joined, one: joined.concat(_SEPARATOR).concat(one), texts)
        return select(text).where(table.c.organization_id == organization).scalar_subquery()

    return select(
        organization,
        newest(),
        newest(SYNC.c.completed_at.is_not(None)),
        newest(SYNC.c.status == "completed"),
        *(content(table, not_shown) for table, not_shown in _NOT_SHOWN.items()),
        select(REFRESH.c.found["failures"].as_integer())
        .where(REFRESH.c.organization_id == organization)
        .scalar_subquery(),
        *(
            select(figure)
            .select_from(REFRESH)
            .join(_OTHER, _OTHER.c.key_digest == REFRESH.c.key_digest)
            .where(REFRESH.c.organization_id == organization, _OTHER.c.organization_id != organization)
            .scalar_subquery()
            for figure in (func.count(), func.count().filter(_OTHER.c.is_asked), func.min(_OTHER.c.allowance))
        ),
    )
