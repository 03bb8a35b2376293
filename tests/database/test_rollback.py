"""The rows of a failed sync are removed while other processes do the same, and before the next sync writes."""

import asyncio
import random

import pytest
from sqlalchemy import text

from routiq_gql.database.drafts import Closing, Draft, ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.merging import merge_page
from routiq_gql.database.publishing import open_draft
from routiq_gql.database.rollback import rollback_any, rollback_batch
from tests.database.clinics import PATIENTS, WHOLE, Clinic, first_sync, patient
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.both_databases

ROWS = range(1, 13)
ROUNDS = 12


async def _tidy(database: Database, chance: random.Random) -> None:
    """Housekeeping of a process, until no rows of a failed sync are left."""
    has_more = True
    while has_more:
        async with database.writing() as connection:
            has_more = await rollback_any(connection, chance.randint(1, 4))
        await asyncio.sleep(0)


async def _next_sync(clinic: Clinic, key: int, chance: random.Random) -> Draft:
    """The next sync: it removes the left rows, then changes rows that the failed one had changed."""
    draft = None
    while draft is None:
        async with clinic.database.writing() as connection:
            draft = await open_draft(connection, clinic.organization_id, key)
        if draft is not None:
            break
        async with clinic.database.writing() as connection:
            await rollback_batch(connection, (await clinic.mirror()).number, chance.randint(1, 4))
    for row_id in ROWS:
        async with clinic.database.writing() as connection:
            page = ReadPage([patient(row_id, f"sync {key}")] if row_id % 3 else [], {3: Closing.DELETED})
            await merge_page(connection, draft, PATIENTS, page)
    return draft


async def test_processes_that_remove_a_failed_sync_never_harm_the_next_one(database: Database):
    """Two processes remove a failed sync's rows while the next sync begins; in the end only the next sync's show."""
    chance = random.Random(18)
    clinic = Clinic(database, "org_a")
    await first_sync(clinic, PATIENTS, *(patient(row_id) for row_id in ROWS))
    expected = await clinic.shown(PATIENTS)
    for _ in range(ROUNDS):
        failed = await clinic.begin()
        pages = [patient(row_id, f"failed {failed.sync}") for row_id in ROWS if row_id % 2] + [patient(99)]
        await clinic.merge(failed, PATIENTS, ReadPage(pages, covered=WHOLE))
        await clinic.end(failed)
        assert await clinic.shown(PATIENTS) == expected
        key = await clinic.start()
        async with asyncio.timeout(LIMIT_SECONDS):
            draft, *_ = await asyncio.gather(
                _next_sync(clinic, key, chance), _tidy(database, chance), _tidy(database, chance)
            )
        await clinic.publish(draft)
        expected |= {row_id: patient(row_id, f"sync {key}") for row_id in ROWS if row_id % 3}
        expected.pop(3, None)
        assert await clinic.shown(PATIENTS) == expected
        assert {sync for _, first, last, _ in await clinic.versions(PATIENTS) for sync in (first, last)}.isdisjoint(
            {failed.sync}
        )


async def test_the_rows_of_a_running_sync_are_never_removed(database: Database):
    """Housekeeping leaves the draft of a sync alone that still runs, perhaps in another process."""
    clinic = Clinic(database, "org_a")
    draft = await clinic.begin()
    await clinic.merge(draft, PATIENTS, ReadPage([patient(1)]))
    async with database.writing() as connection:
        assert not await rollback_any(connection, 10)
        assert not await rollback_batch(connection, draft.mirror, 10)
    await clinic.publish(draft)
    async with database.writing() as connection:
        assert not await rollback_any(connection, 10)
        assert not await rollback_batch(connection, draft.mirror, 10)
    assert await clinic.shown(PATIENTS) == {1: patient(1)}


@pytest.mark.postgres_only
async def test_a_batch_that_waited_for_another_process_changes_nothing_of_the_next_sync(database: Database):
    """A process that waits for the last batch of another one finds nothing to do, whatever the next sync writes."""
    clinic = Clinic(database, "org_a")
    await first_sync(clinic, PATIENTS, patient(1), patient(2))
    failed = await clinic.begin()
    await clinic.merge(failed, PATIENTS, ReadPage(closing={1: Closing.DELETED}))
    await clinic.end(failed)

    async def wait_for_batch() -> bool:
        async with database.writing() as connection:
            return await rollback_batch(connection, failed.mirror, 10)

    async with asyncio.timeout(LIMIT_SECONDS):
        async with database.writing() as connection:
            while await rollback_batch(connection, failed.mirror, 10):
                pass
            late = asyncio.create_task(wait_for_batch())
            await _until_a_transaction_waits(database)
        await late
    draft = await clinic.begin()
    await clinic.merge(draft, PATIENTS, ReadPage(closing={1: Closing.DELETED}))
    await clinic.publish(draft)
    assert set(await clinic.shown(PATIENTS)) == {2}


async def _until_a_transaction_waits(database: Database) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while True:
        async with database.reading() as connection:
            if (await connection.execute(waiting)).scalar_one():
                return
