"""Shared by the tests of the sync: following a sync to its end, and the stored rows of an organization."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, select

from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList, visible
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.tables import ACTIVITY, MIRROR, VERSIONED
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import SyncMode, SyncSnapshot
from tests.organization import ORGANIZATION
from tests.waiting import LIMIT_SECONDS

AWKWARD_RECENT = {"9", "514810976034364378", "514810976034364383", "514810976034364392", "514810976034364394"}
"""Written by hand from the table in ``emulator/awkward.py``."""
AWKWARD_UPCOMING = {
    *("9", "9007199254740993", "514810976034364379", "514810976034364385"),
    *("514810976034364390", "514810976034364393"),
}

Rows = list[tuple[Any, ...]]


async def start(runtime: Runtime, organization_id: str = ORGANIZATION, mode: SyncMode = SyncMode.FULL) -> str:
    """Start a sync and return its id; no sync may be running."""
    started = await runtime.syncs.start(LOCAL_OPERATOR, organization_id, mode)
    assert started.created
    return started.sync.sync_id


async def follow(runtime: Runtime, sync_id: str) -> list[SyncSnapshot]:
    """All snapshots that a watcher gets, to the terminal snapshot."""
    async with asyncio.timeout(LIMIT_SECONDS):
        return [snapshot async for snapshot in runtime.syncs.watch(LOCAL_OPERATOR, sync_id)]


async def run_sync(
    runtime: Runtime, organization_id: str = ORGANIZATION, mode: SyncMode = SyncMode.FULL
) -> SyncSnapshot:
    """Start a sync and return its final snapshot."""
    return (await follow(runtime, await start(runtime, organization_id, mode)))[-1]


async def shown_rows(database: Database, organization_id: str = ORGANIZATION) -> Mapping[str, Rows]:
    """All rows that readers see of an organization, by table: its active patients and its mirrored lists.

    Without the numbers of syncs, so that two syncs of the same clinic compare equal.
    """
    async with database.reading() as connection:
        mirror = await mirror_of(connection, organization_id)
        rows: dict[str, Rows] = {"active_patients": []}
        if mirror is None or mirror.sync == 0:
            return rows
        columns = [ACTIVITY.columns[name] for name in ACTIVITY_COLUMNS]
        query = select(*columns).where(visible(ACTIVITY, mirror.number, mirror.sync)).order_by(ACTIVITY.c.id)
        rows["active_patients"] = [tuple(row) for row in await connection.execute(query)]
        for target in MirrorList:
            columns = [target.table.columns[name] for name in shown_columns(target)]
            query = select(*columns).where(target.of(mirror.number), visible(target.table, mirror.number, mirror.sync))
            query = query.order_by(target.table.c.id)
            rows[target.name] = [tuple(row) for row in await connection.execute(query)]
        return rows


ACTIVITY_COLUMNS = [
    column.name for column in ACTIVITY.columns if column.name not in {"mirror", "from_sync", "to_sync", "active_since"}
]


def shown_columns(target: MirrorList) -> list[str]:
    """The columns of a list in ``shown_rows``."""
    return ["id", "is_stub", *target.read_columns]


async def stored_rows(database: Database) -> Mapping[str, Rows]:
    """All published versions and the rows that point to them, with all columns."""
    async with database.reading() as connection:
        query = select(*(column for column in MIRROR.columns if column.name != "writing")).order_by(MIRROR.c.number)
        stored: dict[str, Rows] = {"mirrors": [tuple(row) for row in await connection.execute(query)]}
        for table in VERSIONED:
            shown = select(MIRROR.c.number).where(
                MIRROR.c.number == table.c.mirror, table.c.from_sync <= MIRROR.c.sync, table.c.to_sync > MIRROR.c.sync
            )
            columns = [one for one in table.columns if one.name not in {"to_sync", "closed_because"}]
            query = select(*columns).where(shown.exists()).order_by(*table.primary_key)
            stored[table.name] = [tuple(row) for row in await connection.execute(query)]
        return stored


async def active_ids(database: Database, organization_id: str = ORGANIZATION) -> tuple[set[str], set[str]]:
    """The ids of active patients with a recent visit, and of those with an upcoming visit."""
    rows = await _active_rows(database, organization_id)
    recent = {str(row.id) for row in rows if row.recent_appointments}
    upcoming = {str(row.id) for row in rows if row.upcoming_appointments}
    return recent, upcoming


async def all_active_ids(database: Database, organization_id: str = ORGANIZATION) -> set[str]:
    """The ids of all active patients, including patients with missed visits only."""
    return {str(row.id) for row in await _active_rows(database, organization_id)}


async def _active_rows(database: Database, organization_id: str) -> list[Row[Any]]:
    async with database.reading() as connection:
        mirror = await mirror_of(connection, organization_id)
        if mirror is None:
            return []
        query = select(ACTIVITY).where(visible(ACTIVITY, mirror.number, mirror.sync), ACTIVITY.c.is_active)
        return list(await connection.execute(query))
