"""Rows older than their retention are deleted in small batches; the rows that readers see stay."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.drafts import Draft, ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.history import in_history
from routiq_gql.database.merging import merge_page
from routiq_gql.database.pruning import Cutoffs, prune_batch
from routiq_gql.database.rollback import rollback_any
from routiq_gql.database.schema import upgrade
from routiq_gql.database.tables import APPOINTMENT, CURRENT, LOG, MIRROR, PACE, SYNC
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode
from tests.database.clinics import (
    APPOINTMENTS,
    ATTENDEES,
    CLASSES,
    PATIENTS,
    WHOLE,
    Clinic,
    first_sync,
    patient,
    row_of,
)
from tests.waiting import LIMIT_SECONDS

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = 30 * DAY
CUTOFFS = Cutoffs(
    log=NOW - 30 * DAY,
    history=NOW - 400 * DAY,
    webhooks=NOW - 30 * DAY,
    audit=NOW - 400 * DAY,
    versions=NOW - 7 * DAY,
    appointments=NOW - 8 * DAY,
    paces=NOW - DAY,
)
AGES = [None, 1, 29, 31, 399, 401, 500]
"""Days since the syncs with the keys 1 to 7 ended; the first still runs."""


pytestmark = pytest.mark.both_databases


@pytest.fixture
async def database(database_url):
    opened = Database(database_url)
    await upgrade(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def history(database: Database) -> Database:
    """Seven syncs with three log lines each. Readers see the oldest, with appointments of several months."""
    async with database.writing() as connection:
        for key, age in enumerate(AGES, 1):
            ended = NOW - timedelta(days=age) if age is not None else None
            values = {**first_values(SyncMode.FULL, NOW), "organization_id": "org_a", "version": 1, "epoch": 0}
            values |= {"completed_at": ended, "status": "completed" if key == 7 else "failed"}
            await connection.execute(insert(SYNC).values(**values, key=key, sync_id=f"sync_{key}"))
            lines = [
                {"sync_key": key, "seq": seq, "time": NOW, "level": "info", "step": 1, "message": ""}
                for seq in (1, 2, 3)
            ]
            await connection.execute(insert(LOG), lines)
        shown = {"organization_id": "org_a", "number": 1, "sync": 7, "oldest_kept": 7, "keeps_window": True}
        await connection.execute(insert(MIRROR).values(**shown, patients_in_cliniko=1, format=1))
        draft = Draft(1, 7, 8)
        for number, age in enumerate((100, 39, 37, -5)):
            starts_at = NOW - timedelta(days=age)
            await merge_page(
                connection, draft, APPOINTMENTS, ReadPage([row_of(APPOINTMENTS, 10 + number, starts_at=starts_at)])
            )
            await merge_page(connection, draft, CLASSES, ReadPage([row_of(CLASSES, 20 + number, starts_at=starts_at)]))
            place = row_of(ATTENDEES, 30 + number, booking_id=20 + number)
            await merge_page(connection, draft, ATTENDEES, ReadPage([place]))
    return database


async def prune(connection: AsyncConnection, size: int, now: datetime = NOW) -> bool:
    return await prune_batch(connection, CUTOFFS, size, now=now, window=WINDOW)


async def prune_all(database: Database, size: int = 1000) -> int:
    """Delete all that is too old, and return the number of batches."""
    steps = 0
    while True:
        async with database.writing() as connection:
            if not await prune(connection, size):
                return steps
        steps += 1
        assert steps < 100


@pytest.mark.parametrize("size", [1, 2, 1000])
async def test_only_rows_past_their_retention_are_deleted(history: Database, size: int):
    """After their retention, logs, syncs and past appointments with attendees are deleted, with any batch size."""
    steps = await prune_all(history, size)
    async with history.reading() as connection:
        syncs = set((await connection.execute(select(SYNC.c.key))).scalars())
        logged = set((await connection.execute(select(LOG.c.sync_key).distinct())).scalars())
        left = {}
        for target in (APPOINTMENTS, CLASSES, ATTENDEES):
            left[target] = set((await connection.execute(select(target.table.c.id).where(target.of(1)))).scalars())
    assert syncs == {1, 2, 3, 4, 5, 7}, "the seventh is the one that readers see"
    assert logged == {1, 2, 3}
    assert left == {APPOINTMENTS: {12, 13}, CLASSES: {22, 23}, ATTENDEES: {32, 33}}, "38 days and more"
    if size == 1:
        assert steps == 12 + 1 + 2 * 3, "one row at a time"


PLACES = ("", "shown", "kept", "draft")
"""What an organization's mirror still has of a sync: nothing, its rows as the newest, as earlier ones, or its draft."""


async def test_what_a_history_or_a_mirror_shows_is_kept(database: Database):
    """Syncs that no history shows go after a week, the others after their retention; those with rows always stay."""
    kinds = [*product(SyncMode, [False, True], ["completed", "failed"])]
    ages = [timedelta(days=one) for one in (6, 8, 399, 401)]
    with_rows = set()
    async with database.writing() as connection:
        for key, ((mode, refresh, status), age, place) in enumerate(product(kinds, ages, PLACES), 1):
            values = {**first_values(mode, NOW), "organization_id": f"org_{key}", "version": 1, "epoch": 0}
            values |= {"completed_at": NOW - age, "status": status, "refresh": refresh}
            await connection.execute(insert(SYNC).values(**values, key=key, sync_id=f"sync_{key}"))
            newest = key if place == "shown" else 9_000
            shown = {"sync": newest, "oldest_kept": key if place == "kept" else newest, "keeps_window": False}
            shown |= {"organization_id": f"org_{key}", "writing": key if place == "draft" else None}
            await connection.execute(insert(MIRROR).values(**shown, patients_in_cliniko=1, format=1))
            if place == "draft" or (place and status == "completed"):
                with_rows.add(key)
        is_shown = select(SYNC.c.key).where(in_history(), SYNC.c.completed_at > CUTOFFS.history)
        is_new = select(SYNC.c.key).where(SYNC.c.completed_at > CUTOFFS.versions)
        expected = {*(await connection.execute(is_shown)).scalars(), *(await connection.execute(is_new)).scalars()}
    await prune_all(database)
    async with database.reading() as connection:
        assert set((await connection.execute(select(SYNC.c.key))).scalars()) == expected | with_rows


NAMES = [column.name for column in SYNC.columns if column.name.endswith("_by_name")]


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("named", [NAMES, *([name] for name in NAMES)])
async def test_a_kept_sync_forgets_every_person(history: Database, size: int, named: list[str]):
    """The sync that readers see outlives the audit log, and then names no member of staff, whichever it named."""
    assert len(NAMES) > 1
    async with history.writing() as connection:
        await connection.execute(update(SYNC).values({"started_by": "person", **dict.fromkeys(named, "user_anna")}))
    await prune_all(history, size)
    async with history.reading() as connection:
        query = select(SYNC.c.key, SYNC.c.started_by, *(SYNC.columns[name] for name in NAMES))
        rows = {key: tuple(names) for key, *names in await connection.execute(query)}
    kept = ("person", *("user_anna" if name in named else None for name in NAMES))
    assert rows == dict.fromkeys(range(1, 6), kept) | {7: ("person", *(None for _ in NAMES))}


async def test_two_organizations_that_share_an_account_keep_their_own_rows(history: Database):
    """A clinic that has stopped syncing loses its past classes; another organization has the same ids and keeps all."""
    starts_at = NOW - timedelta(days=100)
    async with history.writing() as connection:
        longer = {"organization_id": "org_b", "number": 2, "sync": 7, "oldest_kept": 7, "horizon_days": 400}
        await connection.execute(insert(MIRROR).values(**longer, keeps_window=False, patients_in_cliniko=1, format=1))
        for target, row in (
            (APPOINTMENTS, row_of(APPOINTMENTS, 10, starts_at=starts_at)),
            (CLASSES, row_of(CLASSES, 20, starts_at=starts_at)),
            (ATTENDEES, row_of(ATTENDEES, 30, booking_id=20)),
        ):
            await merge_page(connection, Draft(2, 7, 8), target, ReadPage([row]))
    await prune_all(history)
    async with history.reading() as connection:
        for target, row_id in ((APPOINTMENTS, 10), (CLASSES, 20), (ATTENDEES, 30)):
            query = select(target.table.c.mirror).where(target.table.c.id == row_id)
            assert set((await connection.execute(query)).scalars()) == {2}, target.name


async def test_appointments_of_a_running_sync_stay(history: Database):
    """While a sync writes, perhaps with a longer horizon, no appointment is deleted as past."""
    async with history.writing() as connection:
        await connection.execute(update(MIRROR).values(writing=1))
    await prune_all(history)
    async with history.reading() as connection:
        rows = select(func.count()).select_from(APPOINTMENT)
        assert (await connection.execute(rows)).scalar_one() == 8


async def test_with_nothing_too_old_nothing_happens(history: Database):
    """Pruning an up-to-date database changes no row."""
    long_ago = NOW - timedelta(days=10_000)
    async with history.writing() as connection:
        assert not await prune_batch(connection, Cutoffs(*[long_ago] * 7), 1000, now=NOW, window=WINDOW)
        assert (await connection.execute(select(func.count()).select_from(SYNC))).scalar_one() == len(AGES)


async def test_the_rows_of_a_kept_sync_stay_as_they_were(database: Database):
    """For a week a sync's rows can be read as they were, and for an hour after the next sync, however old it is."""
    clinic = Clinic(database, "org_a")
    ages = [20 * DAY, 9 * DAY, 8 * DAY, timedelta(hours=2), timedelta(minutes=10)]
    drafts, shown = [], {}
    for number, age in enumerate(ages):
        draft = await clinic.begin()
        await clinic.merge(draft, PATIENTS, ReadPage([patient(1, f"N{number}"), patient(10 + number)], covered=WHOLE))
        await clinic.publish(draft, at=NOW - age)
        drafts.append(draft)
        shown[draft.sync] = await clinic.shown(PATIENTS)
    keys = [draft.sync for draft in drafts]
    other = Clinic(database, "org_b")
    await first_sync(other, PATIENTS, patient(1))
    await prune_all(database, 1)
    assert (await clinic.mirror()).oldest_kept == keys[3], "the older ones are older than a week"
    for key in keys[3:]:
        assert await clinic.shown(PATIENTS, key) == shown[key]
    versions = await clinic.versions(PATIENTS)
    assert {to_sync for _, _, to_sync, _ in versions} == {keys[4], CURRENT}
    assert len(await other.versions(PATIENTS)) == 1


@pytest.mark.parametrize(
    ("ages", "kept"),
    [
        ((20 * DAY, 9 * DAY), 1),
        ((9 * DAY, DAY), 1),
        ((9 * DAY, timedelta(minutes=59)), 0),
        ((9 * DAY, timedelta(minutes=59), timedelta(minutes=1)), 0),
        ((9 * DAY, timedelta(minutes=61), timedelta(minutes=1)), 1),
        ((9 * DAY, 6 * DAY, timedelta(minutes=1)), 1),
        ((-400 * DAY, 9 * DAY, 6 * DAY), 0),
    ],
)
async def test_the_oldest_kept_sync_never_hides_what_a_reader_pages_through(
    database: Database, ages: tuple[timedelta, ...], kept: int
):
    """A sync stays readable for a week, and the newest of an hour ago always; a wrong clock hides no more than that."""
    clinic = Clinic(database, "org_a")
    keys = []
    for age in ages:
        draft = await clinic.begin()
        await clinic.publish(draft, at=NOW - age)
        keys.append(draft.sync)
    await prune_all(database)
    assert (await clinic.mirror()).oldest_kept == keys[kept]


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
            if not await prune(connection, 1):
                break
    async with database.reading() as connection:
        left = set((await connection.execute(select(PACE.c.key_digest))).scalars())
    assert left == {b"used", b"held", b"last used"}


@pytest.mark.postgres_only
async def test_two_processes_that_delete_rows_never_wait_for_each_other(history: Database):
    """Two processes that delete old rows at the same time select different rows, so neither waits for the other."""
    async with history.writing() as connection:  # the fixture has set these numbers itself
        for table, column in ((SYNC, "key"), (MIRROR, "number")):
            await connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, column), 100)))
    clinics = [Clinic(history, organization_id) for organization_id in ("org_b", "org_c")]
    for clinic in clinics:
        await first_sync(clinic, PATIENTS, *(patient(number) for number in range(1, 5)))
        draft = await clinic.begin()
        await clinic.merge(draft, PATIENTS, ReadPage([patient(number, "Ann") for number in range(1, 5)]))
        await clinic.end(draft)
    removals = [partial(rollback_any, size=2), partial(prune, size=2)]
    for remove in removals:
        async with asyncio.timeout(LIMIT_SECONDS), history.writing() as one, history.writing() as other:
            assert await remove(one)
            assert await remove(other)
    async with asyncio.timeout(LIMIT_SECONDS):
        for remove in removals:
            has_more = True
            while has_more:
                async with history.writing() as connection:
                    has_more = await remove(connection)
    for clinic in clinics:
        assert {len(await clinic.versions(PATIENTS)), len(await clinic.shown(PATIENTS))} == {4}
    async with history.reading() as connection:
        left = (await connection.execute(select(SYNC.c.key).where(SYNC.c.organization_id == "org_a"))).scalars()
        assert set(left) == {1, 2, 3, 4, 5, 7}
