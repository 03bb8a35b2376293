"""Reads the committed rows of the simulation's database, between two steps of the loop.

It has the methods of ``histories.world.World`` that ``histories.checks`` uses, so that both check with the same code.
"""

import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Table, bindparam, create_engine, select, true
from sqlalchemy.pool import StaticPool
from sqlalchemy.util import LRUCache

from routiq_gql.database.mirror import MirrorList, visible
from routiq_gql.database.rows import MirrorRow, SyncRow, as_row
from routiq_gql.database.tables import ACTIVITY, LISTING, LOG, MIRROR, SYNC, VERSIONED
from tests.simulation.driver import SimulatedConnection
from tests.sync.histories.oracle import Content, Values
from tests.sync.histories.world import Organization, by_list

T = TypeVar("T")
_COMPILED: LRUCache[Any, Any] = LRUCache(500)
SHOWN = (
    "key, sync_id, organization_id, mode, status, step, progress_percentage, current_step, patients_found, "
    "appointments_found, active_patients_identified, active_patients_stored, started_at, completed_at, "
    "estimated_completion, resumes_at, failure_code, last_updated, version, last_log_seq, waiting_for, receipt, "
    "steps, started_by, cancelled_by"
)
"""The columns that a snapshot shows."""
_QUERY = f"SELECT {SHOWN}, epoch, claimed_by, checkpoint FROM syncs WHERE key >= ? ORDER BY key"

_LEFT = " UNION ALL ".join(
    f"SELECT '{table.name} {column}', count(*) FROM {table.name} JOIN syncs ON syncs.key = {column} "
    "WHERE syncs.status <> 'completed'"
    for table in VERSIONED
    for column in ("from_sync", "to_sync")
)


class Reader:
    """A connection that only reads, and opens no transaction that lasts."""

    def __init__(self, path: Path) -> None:
        self._raw = SimulatedConnection(path, isolation_level=None)
        self._engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: self._raw)
        self._engine._compiled_cache = _COMPILED
        self._connection = self._engine.connect()
        self._raw.row_factory = None

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()
        self._raw.close()

    def syncs_from(self, key: int) -> list[tuple[Any, ...]]:
        """The rows of the syncs with this key or a greater one, without the types of the product."""
        return sqlite3.Cursor(self._raw).execute(_QUERY, (key,)).fetchall()

    def count(self, sql: str, *parameters: object) -> int:
        """The number that a statement selects."""
        return int(sqlite3.Cursor(self._raw).execute(sql, parameters).fetchone()[0])

    def total(self, sql: str) -> int:
        """The sum of the numbers that a statement selects."""
        return sum(row[0] for row in sqlite3.Cursor(self._raw).execute(sql))

    def sync(self, key: int) -> SyncRow:
        """A sync's row."""
        return SyncRow(*self._all(select(SYNC).where(SYNC.c.key == key))[0])

    def log(self, key: int) -> list[tuple[int, str]]:
        """The numbers and texts of a sync's log."""
        query = select(LOG.c.seq, LOG.c.message).where(LOG.c.sync_key == key).order_by(LOG.c.seq)
        return [(row[0], row[1]) for row in self._all(query)]

    def left_versions(self) -> list[str]:
        """Versions that no published sync has written or closed, although no sync is running."""
        return [f"{name}: {number}" for name, number in sqlite3.Cursor(self._raw).execute(_LEFT) if number]

    async def mirror(self, organization: Organization) -> MirrorRow | None:
        query = select(MIRROR).where(MIRROR.c.organization_id == organization.name)
        rows = self._all(query)
        return as_row(MirrorRow, rows[0]) if rows else None

    async def content_at(self, organization: Organization, sync: int) -> tuple[Content, dict[int, Values]]:
        """The content and the activity that readers see at a sync, or would see."""
        mirror = await self.mirror(organization)
        assert mirror is not None
        given = {"mirror": mirror.number, "sync": sync}
        content: dict[str, dict[int, Values]] = {}
        for target, query in _ROWS.items():
            rows = content[target.resource] = {}
            for row_id, is_stub, *values in self._all(query, given):
                assert row_id not in rows, "two versions of a row are visible"
                rows[row_id] = {} if is_stub else dict(zip(target.read_columns, values, strict=True))
        activity: dict[int, Values] = {}
        for row_id, *values in self._all(_RESULTS, given):
            assert row_id not in activity, "two results of a patient are visible"
            activity[row_id] = dict(zip(_RESULT_NAMES, values, strict=True))
        return content, activity

    async def lists_at(self, organization: Organization, sync: int) -> dict[str, set[int]]:
        """The patients of each list at a sync, by the name of the list."""
        mirror = await self.mirror(organization)
        assert mirror is not None
        return by_list((row[0], row[1]) for row in self._all(_LISTS, {"mirror": mirror.number, "sync": sync}))

    def _all(self, query: Any, given: dict[str, Any] | None = None) -> list[Any]:
        rows = list(self._connection.execute(query, given).all())
        self._connection.rollback()
        return rows


def _visible(table: Table) -> ColumnElement[bool]:
    return visible(table, bindparam("mirror", type_=BigInteger), bindparam("sync", type_=BigInteger))


_ROWS = {
    target: select(target.table.c.id, target.table.c.is_stub, *(target.table.c[name] for name in target.read_columns))
    .where(_visible(target.table))
    .where(true() if target.kind is None else target.table.c.kind == target.kind)
    for target in MirrorList
}
"""The queries of all lists, made once: SQLAlchemy takes longer to make them than SQLite to answer them."""
_RESULT_NAMES = [one.name for one in ACTIVITY.c if one.name not in {"mirror", "id", "from_sync", "to_sync"}]
_RESULTS = select(ACTIVITY.c.id, *(ACTIVITY.c[name] for name in _RESULT_NAMES)).where(_visible(ACTIVITY))

_LISTS = select(LISTING.c.list, LISTING.c.id).where(_visible(LISTING))


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("The coroutine waits for something.")
