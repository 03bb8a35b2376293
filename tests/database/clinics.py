"""An organization whose syncs a test writes by hand, page by page, on the tables of a real database."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.drafts import Covered, Draft, ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.merging import merge_page
from routiq_gql.database.mirror import MirrorList, visible
from routiq_gql.database.publishing import mirror_of, open_draft, publish
from routiq_gql.database.rollback import rollback_batch
from routiq_gql.database.rows import MirrorRow
from routiq_gql.database.tables import SYNC
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode, SyncState

NOW = datetime(2026, 7, 1, 9, 30, 15, 123000, tzinfo=UTC)
PATIENTS, APPOINTMENTS = MirrorList.PATIENTS, MirrorList.INDIVIDUAL_APPOINTMENTS
CLASSES, ATTENDEES = MirrorList.GROUP_APPOINTMENTS, MirrorList.ATTENDEES
WHOLE = Covered(above=0, up_to=2**63 - 1)


def row_of(target: MirrorList, row_id: int, **values: object) -> dict[str, Any]:
    """A row with no value but these."""
    return dict.fromkeys(target.read_columns) | {"id": row_id, "updated_at": NOW} | values


def patient(row_id: int, name: str = "Zoë", **values: object) -> dict[str, Any]:
    """A patient with this first name."""
    return row_of(PATIENTS, row_id, first_name=name, **values)


class Clinic:
    """An organization of the database, whose syncs are written by hand."""

    def __init__(self, database: Database, organization_id: str) -> None:
        self.database = database
        self.organization_id = organization_id

    async def start(self) -> int:
        """Start a sync, and return its number."""
        values = {**first_values(SyncMode.FULL, utc_now()), "version": 1, "epoch": 0, "sync_id": str(uuid4())}
        row = insert(SYNC).values(**values, organization_id=self.organization_id).returning(SYNC.c.key)
        async with self.database.writing() as connection:
            return (await connection.execute(row)).scalar_one()

    async def begin(self) -> Draft:
        """Start a sync, and open its draft."""
        key = await self.start()
        async with self.database.writing() as connection:
            draft = await open_draft(connection, self.organization_id, key)
        assert draft is not None
        return draft

    async def merge(self, draft: Draft, target: MirrorList, page: ReadPage) -> int:
        """Merge a page, and return how many rows it changed."""
        async with self.database.writing() as connection:
            return (await merge_page(connection, draft, target, page)).changed

    async def publish(self, draft: Draft, at: datetime | None = None) -> None:
        """End the sync as completed, and show its draft to readers."""
        async with self.database.writing() as connection:
            await self._end(connection, draft, SyncState.COMPLETED, at)
            await publish(connection, draft, {"published_at": at or utc_now()})

    async def end(self, draft: Draft) -> None:
        """End the sync as failed; its draft stays."""
        async with self.database.writing() as connection:
            await self._end(connection, draft, SyncState.FAILED)

    async def _end(
        self, connection: AsyncConnection, draft: Draft, status: SyncState, at: datetime | None = None
    ) -> None:
        ended = update(SYNC).where(SYNC.c.key == draft.sync)
        await connection.execute(ended.values(completed_at=at or utc_now(), status=status.value))

    async def fail(self, draft: Draft, size: int = 1) -> None:
        """End the sync as failed, and remove its draft."""
        await self.end(draft)
        has_more = True
        while has_more:
            async with self.database.writing() as connection:
                has_more = await rollback_batch(connection, draft.mirror, size)

    async def mirror(self) -> MirrorRow:
        """The organization's row in ``mirrors``."""
        async with self.database.reading() as connection:
            row = await mirror_of(connection, self.organization_id)
        assert row is not None
        return row

    async def shown(self, target: MirrorList, sync: int | None = None) -> dict[int, Mapping[str, Any]]:
        """The rows that readers see, or saw at an earlier sync, by id."""
        mirror = await self.mirror()
        condition = visible(target.table, mirror.number, mirror.sync if sync is None else sync)
        async with self.database.reading() as connection:
            rows = await connection.execute(select(target.table).where(condition, target.of(mirror.number)))
            found = [dict(row._mapping) for row in rows]
        assert len({row["id"] for row in found}) == len(found)
        return {row["id"]: {name: row[name] for name in ("id", *target.read_columns)} for row in found}

    async def versions(self, target: MirrorList) -> list[tuple[int, int, int, int | None]]:
        """Every version of a list: its id, its interval, and why it ended."""
        columns = target.table.c
        query = select(columns.id, columns.from_sync, columns.to_sync, columns.closed_because)
        query = query.where(target.of((await self.mirror()).number)).order_by(columns.id, columns.from_sync)
        async with self.database.reading() as connection:
            rows = await connection.execute(query)
            return [tuple(row) for row in rows]


async def first_sync(clinic: Clinic, target: MirrorList, *rows: Mapping[str, Any]) -> Draft:
    """A completed sync whose list holds these rows."""
    draft = await clinic.begin()
    await clinic.merge(draft, target, ReadPage(rows, covered=WHOLE))
    await clinic.publish(draft)
    return draft
