"""Shared by the tests of the sync: following a sync to its end, and the stored rows of an organization."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, select

from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.tables import ACTIVE, METADATA, MIRROR
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import SyncSnapshot
from tests.organization import ORGANIZATION
from tests.waiting import LIMIT_SECONDS

AWKWARD_RECENT = {"9", "514810976034364378", "514810976034364383", "514810976034364392", "514810976034364394"}
"""Written by hand from the table in ``emulator/awkward.py``."""
AWKWARD_UPCOMING = {
    *("9", "9007199254740993", "514810976034364379", "514810976034364385"),
    *("514810976034364390", "514810976034364393"),
}

Rows = list[tuple[Any, ...]]


async def start(runtime: Runtime, organization_id: str = ORGANIZATION) -> str:
    """Start a sync and return its id; no sync may be running."""
    started = await runtime.syncs.start(LOCAL_OPERATOR, organization_id)
    assert started.created
    return started.sync.sync_id


async def follow(runtime: Runtime, sync_id: str) -> list[SyncSnapshot]:
    """All snapshots that a watcher gets, to the terminal snapshot."""
    async with asyncio.timeout(LIMIT_SECONDS):
        return [snapshot async for snapshot in runtime.syncs.watch(LOCAL_OPERATOR, sync_id)]


async def run_sync(runtime: Runtime, organization_id: str = ORGANIZATION) -> SyncSnapshot:
    """Start a sync and return its final snapshot."""
    return (await follow(runtime, await start(runtime, organization_id)))[-1]


async def shown_rows(database: Database, organization_id: str = ORGANIZATION) -> Mapping[str, Rows]:
    """All rows that readers see of an organization, by table: its active patients and its mirrored lists.

    Without the generation's number and the times of storing, so that two syncs of the same clinic compare equal.
    """
    async with database.reading() as connection:
        generation = (
            await connection.execute(select(MIRROR.c.generation).where(MIRROR.c.organization_id == organization_id))
        ).scalar_one_or_none()
        columns = [column for column in ACTIVE.columns if column.name != "updated_at"]
        query = select(*columns).where(ACTIVE.c.organization_id == organization_id).order_by(ACTIVE.c.patient_id)
        rows: dict[str, Rows] = {"active_patients": [tuple(row) for row in await connection.execute(query)]}
        if generation is None:
            return rows
        for target in MirrorList:
            columns = [column for column in target.table.columns if column.name != "generation"]
            query = select(*columns).where(target.rows_of(generation)).order_by(*target.table.primary_key)
            rows[target.name] = [tuple(row) for row in await connection.execute(query)]
        return rows


async def stored_rows(database: Database) -> Mapping[str, Rows]:
    """All rows of the tables behind readers' queries about patients, with all columns."""
    async with database.reading() as connection:
        stored: dict[str, Rows] = {}
        for name in ("active_patients", "mirrors"):
            table = METADATA.tables[name]
            stored[name] = [tuple(row) for row in await connection.execute(select(table).order_by(*table.primary_key))]
        for target in MirrorList:
            shown = select(MIRROR.c.generation)
            query = select(target.table).where(target.table.c.generation.in_(shown))
            if target.kind is not None:
                query = query.where(target.table.c.kind == target.kind)
            stored[target.name] = [
                tuple(row) for row in await connection.execute(query.order_by(*target.table.primary_key))
            ]
        return stored


async def active_ids(database: Database, organization_id: str = ORGANIZATION) -> tuple[set[str], set[str]]:
    """The ids of active patients with a recent visit, and of those with an upcoming visit."""
    rows = await _active_rows(database, organization_id)
    recent = {row.patient_id for row in rows if row.recent_appointments}
    upcoming = {row.patient_id for row in rows if row.upcoming_appointments}
    return recent, upcoming


async def all_active_ids(database: Database, organization_id: str = ORGANIZATION) -> set[str]:
    """The ids of all active patients, including patients with missed visits only."""
    return {row.patient_id for row in await _active_rows(database, organization_id)}


async def _active_rows(database: Database, organization_id: str) -> list[Row[Any]]:
    query = select(ACTIVE).where(ACTIVE.c.organization_id == organization_id, ACTIVE.c.is_active)
    async with database.reading() as connection:
        return list(await connection.execute(query))
