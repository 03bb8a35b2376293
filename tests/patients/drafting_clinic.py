"""An organization whose syncs a test writes by hand: patients by their names, and lists by their members."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update

from routiq_gql.database.analysis_scope import RULES
from routiq_gql.database.drafts import Draft, ReadPage
from routiq_gql.database.tables import CURRENT, LISTING, SYNC
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.summary import count_changes
from routiq_gql.sync.change_counts import ChangeCounts, read_changes, to_json
from tests.database.clinics import PATIENTS, WHOLE, Clinic, patient

ANALYZED_AT = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
SETTINGS = {"recent_days": 30, "upcoming_days": 30, "seen_within_weeks": 26, "rules": RULES}
Lists = Mapping[int, Iterable[PatientList]]


class DraftingClinic(Clinic):
    """A clinic whose patients are in lists."""

    async def sync(self, patients: Iterable[Mapping[str, Any]], lists: Lists, **columns: object) -> int:
        """A completed sync that reads exactly these patients and lists. Returns its number."""
        draft = await self.begin()
        await self.merge(draft, PATIENTS, ReadPage(list(patients), covered=WHOLE))
        await self.put_lists(draft, lists)
        return await self.publish_with_lists(draft, **columns)

    async def publish_with_lists(self, draft: Draft, **columns: object) -> int:
        """Publish a draft as a sync whose counts are stored with it."""
        values: dict[str, object] = {"analyzed_at": ANALYZED_AT, **SETTINGS, "baseline": draft.base == 0, **columns}
        async with self.database.reading() as connection:
            counts = await count_changes(connection, draft, is_baseline=bool(values["baseline"]))
        values["changes"] = to_json(counts) if counts is not None else None
        async with self.database.writing() as connection:
            await connection.execute(update(SYNC).where(SYNC.c.key == draft.sync).values(**values))
        await self.publish(draft, **({"at": columns["completed_at"]} if "completed_at" in columns else {}))  # type: ignore[arg-type]
        return draft.sync

    async def put_lists(self, draft: Draft, lists: Lists, *, next_at: datetime | None = None) -> None:
        """Write who is in which list, as an analysis does: only what differs from the base."""
        wanted = {(one.value, patient_id) for patient_id, members in lists.items() for one in members}
        columns = LISTING.c
        is_open = (columns.mirror == draft.mirror, columns.to_sync == CURRENT)
        async with self.database.writing() as connection:
            rows = await connection.execute(select(columns.list, columns.id, columns.next_at).where(*is_open))
            stored = {(row.list, row.id): row.next_at for row in rows}
            for key, stored_at in stored.items():
                if key not in wanted or stored_at != next_at:
                    one = (columns.list == key[0], columns.id == key[1])
                    await connection.execute(update(LISTING).where(*is_open, *one).values(to_sync=draft.sync))
            for number, patient_id in wanted:
                if (number, patient_id) in stored and stored[number, patient_id] == next_at:
                    continue
                row = {"mirror": draft.mirror, "list": number, "id": patient_id, "to_sync": CURRENT}
                row |= {"from_sync": draft.sync, "name_key": "", "search": "", "next_at": next_at}
                await connection.execute(insert(LISTING).values(**row))

    async def counts(self, key: int) -> ChangeCounts | None:
        """The counts that are stored with a sync."""
        async with self.database.reading() as connection:
            stored = (await connection.execute(select(SYNC.c.changes).where(SYNC.c.key == key))).scalar_one()
        return read_changes(stored)


def people(*ids: int, **values: object) -> list[dict[str, Any]]:
    """Patients with these ids and the same other values."""
    return [patient(one, f"Person {one}", **values) for one in ids]
