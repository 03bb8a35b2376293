"""Reads the mirrored rows that readers see, for a comparison with Cliniko row by row."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.drafts import Covered
from routiq_gql.database.mirror import MirrorList, belongs, visible


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A row of a list at a sync.

    Attributes:
        is_stub: Whether Cliniko's row could never be read; then there are no values.
        values: The values read from Cliniko, by column, without the id.
    """

    is_stub: bool
    values: Mapping[str, object]


async def published_rows(
    connection: AsyncConnection, target: MirrorList, mirror: int, sync: int, covered: Covered, limit: int
) -> dict[int, PublishedRow]:
    """The first ``limit`` rows at a published sync that belong to the covered part of a list, ascending by id."""
    columns = target.table.c
    names = target.read_columns
    query = (
        select(columns.id, columns.is_stub, *(target.table.columns[name] for name in names))
        .where(visible(target.table, mirror, sync), target.of(mirror), belongs(target.table, covered))
        .order_by(columns.id)
        .limit(limit)
    )
    rows = await connection.execute(query)
    return {
        row_id: PublishedRow(bool(is_stub), dict(zip(names, values, strict=True))) for row_id, is_stub, *values in rows
    }
