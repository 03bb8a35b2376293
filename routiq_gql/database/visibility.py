"""The condition that selects the versions that are visible at a sync."""

from sqlalchemy import ColumnElement, FromClause, and_

from routiq_gql.database.columns import unindexed


def visible(table: FromClause, mirror: int, sync: int) -> ColumnElement[bool]:
    """The versions of a mirror that were visible at ``sync``, or are in the draft of that sync."""
    return and_(table.c.mirror == mirror, unindexed(table.c.from_sync) <= sync, table.c.to_sync > sync)
