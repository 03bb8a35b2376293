"""Erasing reaches every table that there is, because it iterates the metadata."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import JSON, Column, ColumnElement, Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import CompactTime, UtcDateTime
from routiq_gql.database.engine import Database
from routiq_gql.database.erasure import erase_organization, erase_patients
from routiq_gql.database.mirror import INDIVIDUAL, MirrorList
from routiq_gql.database.persons import MARKED, erase_persons, patient_column, scrub_syncs, suppressed_row
from routiq_gql.database.publishing import ensure_mirror, mirror_of
from routiq_gql.database.schema import upgrade
from routiq_gql.database.tables import (
    APPOINTMENT,
    ATTENDEE,
    CURRENT,
    LOG,
    METADATA,
    MIRROR,
    SYNC,
    VERSIONED,
    WEBHOOK_DELIVERY,
    WEBHOOK_EVENT,
    Holds,
)
from routiq_gql.database.webhook_events import EventType

pytestmark = pytest.mark.both_databases

OF_THE_PROCESSES = {"key_paces", "retention", "workers", "write_probe"}
"""By hand: a table that is never erased is a decision of its author."""
OF_PATIENTS = {
    *("activity_versions", "appointment_type_versions", "appointment_versions", "attendee_versions"),
    "listing_versions",
    *("class_checks", "mirrors", "patient_versions", "practitioner_versions"),
    *("suppressed_patients", "suppression_keys"),
}
NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
PERSON = 77

Rows = dict[str, set[str]]
"""Every value of every row, as text, by table."""


@pytest.fixture
async def database(database_url):
    """A database with all tables, without rows."""
    opened = Database(database_url)
    await upgrade(opened)
    yield opened
    await opened.close()


def _value(column: Column, organization_id: str, sync_key: int, numbers: Iterator[int]) -> object:
    """A value that this column takes, another one in each row."""
    if column.name == "organization_id":
        return organization_id
    if column.references(SYNC.c.key) or column.name in {"mirror", "number", "sync"}:
        return sync_key
    number = next(numbers)
    if isinstance(column.type, JSON):
        return {"number": number}
    if isinstance(column.type, UtcDateTime | CompactTime):
        return NOW + timedelta(seconds=number)
    return {str: str(number), bytes: b"%d" % number, bool: True}.get(column.type.python_type, number)


async def _fill(connection: AsyncConnection, organization_id: str, sync_key: int, numbers: Iterator[int]) -> None:
    """Two rows in every table, one in those with a row for each organization, with a value in every column."""
    made: dict[Table, list[dict[str, object]]] = defaultdict(list)
    for table in METADATA.sorted_tables:
        has_one = table in {SYNC, MIRROR} or [column.name for column in table.primary_key] in (
            ["organization_id"],
            ["mirror"],
        )
        for number in range(1 if has_one else 2):
            values = {column.name: _value(column, organization_id, sync_key, numbers) for column in table.columns}
            if table is SYNC:
                values["key"] = sync_key
            for column in table.columns:
                for key in column.foreign_keys:
                    if key.column.table is not SYNC:
                        values[column.name] = made[key.column.table][number][key.column.name]
            made[table].append(values)
            await connection.execute(insert(table).values(**values))


async def _rows(database: Database) -> Rows:
    async with database.reading() as connection:
        return {table.name: await _rows_of(connection, table) for table in METADATA.sorted_tables}


async def _rows_of(connection: AsyncConnection, table: Table, *conditions: ColumnElement[bool]) -> set[str]:
    return {str(tuple(row)) for row in await connection.execute(select(table).where(*conditions))}


async def _fill_two(database: Database) -> tuple[Rows, Rows]:
    """All rows of the organizations ``org_a`` and ``org_b``."""
    numbers = count(1000)
    found: list[Rows] = []
    known: Rows = defaultdict(set)
    for organization_id, sync_key in (("org_a", 1), ("org_b", 2)):
        async with database.writing() as connection:
            await _fill(connection, organization_id, sync_key, numbers)
        rows = await _rows(database)
        found.append({name: rows[name] - known[name] for name in rows})
        known = rows
    return found[0], found[1]


async def test_an_erased_organization_leaves_no_row_in_any_table(database: Database):
    """With rows in every table there is, all of an erased clinic's are gone, and all of another clinic's are there."""
    erased, kept = await _fill_two(database)
    assert all(erased.values())
    assert all(kept.values())
    async with database.writing() as connection:
        await erase_organization(connection, "org_a")
    expected = {name: kept[name] | (erased[name] if name in OF_THE_PROCESSES else set()) for name in kept}
    assert await _rows(database) == expected


async def test_erased_patients_leave_no_row_and_take_nothing_else(database: Database):
    """When a clinic changes its Cliniko account, all that was read goes, and its syncs, log and connection stay."""
    erased, kept = await _fill_two(database)
    async with database.writing() as connection:
        await erase_patients(connection, "org_a")
    rows = await _rows(database)
    (emptied,) = rows["mirrors"] - kept["mirrors"]
    expected = {name: kept[name] | (set() if name in OF_PATIENTS else erased[name]) for name in kept}
    assert rows == expected | {"mirrors": kept["mirrors"] | {emptied}}


async def test_an_erased_person_takes_nothing_of_anyone_else(database: Database):
    """Two clinics have a patient 77. Erasing one takes that person's rows, and no row of others or the other clinic."""
    await _fill_two(database)
    async with database.writing() as connection:
        await _make_alike(connection)
        expected = await _about_person(connection)
    before = await _rows(database)
    async with database.writing() as connection:
        erased = await erase_persons(connection, 1, {PERSON})
        await scrub_syncs(connection, "org_a", erased.ids)
    after = await _rows(database)
    assert {name: before[name] - after[name] for name in before} == {name: expected[name] for name in before}
    replaced = {one.name for one in (APPOINTMENT, ATTENDEE, SYNC, LOG)}  # by stubs, and by texts without the number
    assert {name: len(after[name] - before[name]) for name in before if after[name] - before[name]} == {
        name: len(expected[name]) for name in replaced
    }


async def _make_alike(connection: AsyncConnection) -> None:
    """Give both organizations the same versions, and rows about the patient ``PERSON`` in each table that can."""
    alike = {"kind": INDIVIDUAL, "to_sync": CURRENT, "is_stub": False, "is_suppressed": False}
    for table in VERSIONED:
        await connection.execute(update(table).values({name: alike[name] for name in alike if name in table.c}))
        await connection.execute(delete(table).where(table.c.mirror == 2))
        rows = [dict(row) for row in (await connection.execute(select(table))).mappings()]
        column = patient_column(table)
        if column is not None:
            rows[0][column.name] = PERSON
        await connection.execute(delete(table))
        await connection.execute(insert(table), [row | {"mirror": mirror} for mirror in (1, 2) for row in rows])
    events = WEBHOOK_EVENT.c
    is_first = events.key.in_(select(func.min(events.key)).group_by(events.organization_id))
    await connection.execute(update(WEBHOOK_EVENT).values(type=EventType.SYNC_FAILED.value, subject=str(PERSON)))
    of_person = update(WEBHOOK_EVENT).where(is_first).values(type=EventType.PATIENT_BECAME_ACTIVE.value)
    await connection.execute(of_person)
    await connection.execute(update(SYNC).values(receipt={"unreadable": [str(PERSON), "7"]}))
    await connection.execute(update(LOG).values(message=f"row {PERSON}: no start"))


async def _about_person(connection: AsyncConnection) -> Rows:
    """The rows of the first organization about the person, those that name the person included."""
    found: Rows = defaultdict(set)
    for table in VERSIONED:
        if (column := patient_column(table)) is not None:
            found[table.name] = await _rows_of(connection, table, table.c.mirror == 1, column == PERSON)
    events, deliveries = WEBHOOK_EVENT.c, WEBHOOK_DELIVERY.c
    of_person = (events.organization_id == "org_a", events.type == EventType.PATIENT_BECAME_ACTIVE.value)
    found[WEBHOOK_EVENT.name] = await _rows_of(connection, WEBHOOK_EVENT, *of_person)
    keys = select(events.key).where(*of_person)
    found[WEBHOOK_DELIVERY.name] = await _rows_of(connection, WEBHOOK_DELIVERY, deliveries.event.in_(keys))
    found[SYNC.name] = await _rows_of(connection, SYNC, SYNC.c.organization_id == "org_a")
    found[LOG.name] = await _rows_of(connection, LOG, LOG.c.sync_key == 1)
    assert all(found.values())
    return found


async def test_a_kept_window_survives_a_change_of_the_account(database: Database):
    """A clinic whose database keeps a short window stores no more days because it changes its Cliniko account."""
    async with database.writing() as connection:
        await connection.execute(insert(MIRROR).values(**(await _values_of_mirror(connection))))
        await erase_patients(connection, "org_a")
        mirror = await mirror_of(connection, "org_a")
        assert mirror is not None
        assert (mirror.number, mirror.keeps_window) == (1, True)
        emptied = {name: getattr(mirror, name) for name in MIRROR.c.keys()}  # noqa: SIM118
        numbers = {"sync": 0, "oldest_kept": 0, "patients_in_cliniko": 0, "format": 0}
        assert emptied == dict.fromkeys(emptied) | numbers | {
            "number": 1, "organization_id": "org_a", "keeps_window": True
        }  # fmt: skip
        await erase_organization(connection, "org_a")
        assert await mirror_of(connection, "org_a") is None
        assert (await ensure_mirror(connection, "org_a")).number == 2, "a number is never used again"


async def _values_of_mirror(connection: AsyncConnection) -> dict[str, object]:
    numbers = count(1)
    values = {column.name: _value(column, "org_a", 1, numbers) for column in MIRROR.columns}
    if connection.dialect.name == "postgresql":  # so that the number comes from the sequence
        del values["number"]
    return values


@pytest.mark.parametrize("table", VERSIONED, ids=lambda table: table.name)
def test_tables_of_versions_are_those_with_a_mirror_and_an_interval(table: Table):
    """Rolling back, pruning and erasing find the versions of every list."""
    others = {one for one in METADATA.sorted_tables if "to_sync" in one.columns} - set(VERSIONED)
    assert not others
    assert {"mirror", "to_sync"} <= set(table.primary_key.columns.keys())


@pytest.mark.parametrize("table", METADATA.sorted_tables, ids=lambda table: table.name)
def test_every_table_says_what_it_holds(table: Table):
    """Whether a table's rows are patients', an organization's or the server's is written down for each of them."""
    holds = Holds.ORGANIZATION
    if table.name in OF_PATIENTS:
        holds = Holds.PATIENTS
    elif table.name in OF_THE_PROCESSES:
        holds = Holds.PROCESSES
    assert table.info.get("holds") is holds


@pytest.mark.sqlite_only
@pytest.mark.parametrize("value", [NOW, "text", 7, None], ids=repr)
@pytest.mark.parametrize("target", MirrorList, ids=lambda target: target.value)
def test_a_stub_of_an_erased_person_holds_what_cliniko_counts_only(target: MirrorList, value: object):
    """Of an erased person's row remain its id and class, the day of an appointment, and that it was cancelled."""
    row = {**dict.fromkeys(target.read_columns, value), "id": 5}
    mark = None if value is None else MARKED
    day = NOW.replace(hour=0, minute=0, second=0, microsecond=0) if value == NOW else None
    kept = {"id": 5, "archived_at": mark, "cancelled_at": mark, "starts_at": day, "booking_id": value}
    assert suppressed_row(target, row) == {"id": 5} | {name: kept.get(name) for name in target.read_columns}
