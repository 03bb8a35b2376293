"""Writes rows into the tables of an earlier revision, which ``tables`` no longer describes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, LargeBinary, column, insert, table
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import NullType

from routiq_gql.database.columns import UtcDateTime
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode

_TYPES = {datetime: UtcDateTime(), dict: JSON(), bytes: LargeBinary()}


def earlier_sync(started_at: datetime) -> dict[str, Any]:
    """The columns of a new sync before revision 0011."""
    later = {"steps", "started_by", "started_by_name", "trace_parent", "trace_state", "refresh"}
    return {name: value for name, value in first_values(SyncMode.FULL, started_at).items() if name not in later}


async def insert_earlier(connection: AsyncConnection, name: str, *rows: Mapping[str, Any]) -> None:
    """Insert rows, all with the same columns, into a table by its name."""
    samples = {key: next((row[key] for row in rows if row[key] is not None), None) for key in rows[0]}
    columns = (column(key, _TYPES.get(type(value), NullType())) for key, value in samples.items())
    await connection.execute(insert(table(name, *columns)), list(rows))
