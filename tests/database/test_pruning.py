"""Rows older than their retention are deleted in small batches; the rows that readers see stay."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import delete, func, insert, select, update

from routiq_gql.database.engine import Database
from routiq_gql.database.erasure import drop_unused_rows
from routiq_gql.database.mirror import MirrorList, save_rows
from routiq_gql.database.pruning import Cutoffs, prune_batch
from routiq_gql.database.schema import upgrade
from routiq_gql.database.tables import LOG, MIRROR, PACE, SYNC
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode
from tests.waiting import LIMIT_SECONDS

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
CUTOFFS = Cutoffs(
    log=NOW - timedelta(days=30),
    history=NOW - timedelta(days=400),
    audit=NOW - timedelta(days=400),
    appointments=NOW - timedelta(days=30),
    paces=NOW - timedelta(days=1),
)
PATIENT = dict.fromkeys(
    ("first_name", "last_name", "preferred_first_name", "email", "phone", "archived_at", "deleted_at", "created_at")
) | {"updated_at": None}
AGES = [None, 1, 29, 31, 399, 401, 500]
"""Days since the syncs with the keys 1 to 7 ended; the first still runs."""


pytestmark = pytest.mark.both_databases


@pytest.fixture
async def database(database_url):
    """Seven syncs with three log lines each. Readers see the oldest, with appointments of several months."""
    opened = Database(database_url)
    await upgrade(opened)
    async with opened.writing() as connection:
        for key, age in enumerate(AGES, 1):
            ended = NOW - timedelta(days=age) if age is not None else None
            values = {**first_values(SyncMode.FULL, NOW), "organization_id": "org_a", "version": 1, "epoch": 0}
            values |= {"completed_at": ended, "has_rows": key == 7}
            await connection.execute(insert(SYNC).values(**values, key=key, sync_id=f"sync_{key}"))
            lines = [
                {"sync_key": key, "seq": seq, "time": NOW, "level": "info", "step": 1, "message": ""}
                for seq in (1, 2, 3)
            ]
            await connection.execute(insert(LOG), lines)
        shown = {"organization_id": "org_a", "generation": 7, "patients_in_cliniko": 1, "synced_at": NOW}
        await connection.execute(insert(MIRROR).values(**shown))
        times = dict.fromkeys(("ends_at", "archived_at", "deleted_at", "created_at", "updated_at"))
        for number, age in enumerate((100, 31, 29, -5)):
            appointment = {**times, "appointment_type_id": None, "starts_at": NOW - timedelta(days=age)}
            visit = {**appointment, "id": f"1{number}", "patient_id": "7", "did_not_arrive": False}
            visit["cancelled_at"] = None
            attendee = {"id": f"3{number}", "booking_id": f"2{number}", "patient_id": "7", "arrived": True}
            attendee |= dict.fromkeys(("cancelled_at", "archived_at", "deleted_at", "created_at", "updated_at"))
            await save_rows(connection, MirrorList.INDIVIDUAL_APPOINTMENTS, 7, [visit])
            await save_rows(connection, MirrorList.GROUP_APPOINTMENTS, 7, [{**appointment, "id": f"2{number}"}])
            await save_rows(connection, MirrorList.ATTENDEES, 7, [attendee])
    yield opened
    await opened.close()


@pytest.mark.parametrize("size", [1, 2, 1000])
async def test_only_rows_past_their_retention_are_deleted(database: Database, size: int):
    """After their retention, logs, syncs and past appointments with attendees are deleted, with any batch size."""
    steps = 0
    while True:
        async with database.writing() as connection:
            if not await prune_batch(connection, CUTOFFS, size):
                break
        steps += 1
        assert steps < 100
    async with database.reading() as connection:
        syncs = set((await connection.execute(select(SYNC.c.key))).scalars())
        logged = set((await connection.execute(select(LOG.c.sync_key).distinct())).scalars())
        left = {}
        for target in (MirrorList.INDIVIDUAL_APPOINTMENTS, MirrorList.GROUP_APPOINTMENTS, MirrorList.ATTENDEES):
            query = select(target.table.c.id).where(target.rows_of(7))
            left[target.name] = set((await connection.execute(query)).scalars())
    assert syncs == {1, 2, 3, 4, 5, 7}, "the seventh is the one that readers see"
    assert logged == {1, 2, 3}
    assert left == {
        "INDIVIDUAL_APPOINTMENTS": {"12", "13"},
        "GROUP_APPOINTMENTS": {"22", "23"},
        "ATTENDEES": {"32", "33"},
    }
    if size == 1:
        assert steps == 12 + 1 + 2 * 3, "one row at a time"


async def test_with_nothing_too_old_nothing_happens(database: Database):
    """Pruning an up-to-date database changes no row."""
    long_ago = NOW - timedelta(days=10_000)
    async with database.writing() as connection:
        assert not await prune_batch(connection, Cutoffs(*[long_ago] * 5), 1000)
        assert (await connection.execute(select(func.count()).select_from(SYNC))).scalar_one() == len(AGES)


async def test_the_pace_of_a_key_goes_a_day_after_its_last_use(database: Database):
    """Rows of keys that were tried once are deleted; a key in use or held by Cliniko keeps its pace."""
    hours = {b"used": (-1, -1), b"held": (30, -1), b"last used": (23, 23), b"old": (25, 25), b"older": (900, 901)}
    async with database.writing() as connection:
        for digest, (free, held) in hours.items():
            times = {"turn_at": NOW - timedelta(hours=free), "free_at": NOW - timedelta(hours=free)}
            await connection.execute(
                insert(PACE).values(key_digest=digest, **times, held_until=NOW - timedelta(hours=held))
            )
    for _ in range(100):
        async with database.writing() as connection:
            if not await prune_batch(connection, CUTOFFS, 1):
                break
    async with database.reading() as connection:
        left = set((await connection.execute(select(PACE.c.key_digest))).scalars())
    assert left == {b"used", b"held", b"last used"}


@pytest.mark.postgres_only
async def test_two_processes_that_delete_rows_never_wait_for_each_other(database: Database):
    """Two processes that delete old rows at the same time select different rows, so neither waits for the other."""
    async with database.writing() as connection:
        await connection.execute(delete(MIRROR))
        rows = [{**PATIENT, "id": str(number)} for number in range(1, 5)]
        for generation in (6, 7):
            await save_rows(connection, MirrorList.PATIENTS, generation, rows)
        await connection.execute(update(SYNC).values(has_rows=SYNC.c.key >= 6))
    removals = [partial(drop_unused_rows, batch_size=2), partial(prune_batch, cutoffs=CUTOFFS, size=2)]
    for remove in removals:
        async with asyncio.timeout(LIMIT_SECONDS), database.writing() as one, database.writing() as other:
            assert await remove(one)
            assert await remove(other)
    async with asyncio.timeout(LIMIT_SECONDS):
        for remove in removals:
            has_more = True
            while has_more:
                async with database.writing() as connection:
                    has_more = await remove(connection)
    async with database.reading() as connection:
        patients = select(func.count()).select_from(MirrorList.PATIENTS.table)
        assert (await connection.execute(patients)).scalar_one() == 0
        left = (await connection.execute(select(SYNC.c.key).order_by(SYNC.c.key))).scalars().all()
        assert left == [1, 2, 3, 4, 5]
