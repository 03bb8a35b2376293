"""Erasing and cleaning up reach every table that there is, because both iterate the metadata."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import JSON, Column, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import UtcDateTime
from routiq_gql.database.engine import Database
from routiq_gql.database.erasure import drop_unused_rows, erase_organization, erase_patients, generation_tables
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.schema import upgrade
from routiq_gql.database.tables import METADATA, MIRROR, SYNC, Holds

pytestmark = pytest.mark.both_databases

OF_THE_PROCESSES = {"key_paces", "retention", "workers", "write_probe"}
"""By hand: a table that is never erased is a decision of its author."""
OF_PATIENTS = {
    *("active_patients", "identified_patients", "mirrored_appointment_types", "mirrored_appointments"),
    *("mirrored_attendees", "mirrored_patients", "mirrors"),
}
NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)

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
    if column.name == "generation" or column.references(SYNC.c.key):
        return sync_key
    number = next(numbers)
    if isinstance(column.type, JSON):
        return {"number": number}
    if isinstance(column.type, UtcDateTime):
        return NOW + timedelta(seconds=number)
    return {str: str(number), bytes: b"%d" % number, bool: True}.get(column.type.python_type, number)


async def _fill(connection: AsyncConnection, organization_id: str, sync_key: int, numbers: Iterator[int]) -> None:
    """Two rows in every table, one in those with a row for each organization, with a value in every column."""
    for table in METADATA.sorted_tables:
        has_one = table is SYNC or [column.name for column in table.primary_key] == ["organization_id"]
        for _ in range(1 if has_one else 2):
            values = {column.name: _value(column, organization_id, sync_key, numbers) for column in table.columns}
            if table is SYNC:
                values["key"] = sync_key
            await connection.execute(insert(table).values(**values))


async def _rows(database: Database) -> Rows:
    async with database.reading() as connection:
        return {
            table.name: {str(tuple(row)) for row in await connection.execute(select(table))}
            for table in METADATA.sorted_tables
        }


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
    expected = {name: kept[name] | (set() if name in OF_PATIENTS else erased[name]) for name in kept}
    assert await _rows(database) == expected


async def test_cleaning_up_reaches_every_table_that_a_sync_fills(database: Database):
    """What a sync has read and no reader uses any more goes from every table; what readers see stays."""
    old, shown = await _fill_two(database)
    async with database.writing() as connection:
        await connection.execute(MIRROR.delete().where(MIRROR.c.organization_id == "org_a"))
        await connection.execute(update(SYNC).values(has_rows=True))
    steps, has_more = 0, True
    while has_more:
        async with database.writing() as connection:
            has_more = await drop_unused_rows(connection, batch_size=1)
        steps += 1
        assert steps < 1000
    rows = await _rows(database)
    filled = {"identified_patients", *(one.table.name for one in MirrorList)}
    for name in filled:
        assert rows[name] == shown[name]
        assert not rows[name] & old[name]
    async with database.reading() as connection:
        marked = dict((await connection.execute(select(SYNC.c.organization_id, SYNC.c.has_rows))).all())
    assert marked == {"org_a": False, "org_b": True}


def test_the_tables_that_a_sync_fills_are_known_by_their_key():
    """Every mirrored list and the analysis are found by the number of the sync that filled them."""
    assert {table.name for table in generation_tables()} == OF_PATIENTS - {"active_patients", "mirrors"}
    assert {one.table for one in MirrorList} <= set(generation_tables())


@pytest.mark.parametrize("table", METADATA.sorted_tables, ids=lambda table: table.name)
def test_every_table_says_what_it_holds(table: Table):
    """Whether a table's rows are patients', an organization's or the server's is written down for each of them."""
    holds = Holds.ORGANIZATION
    if table.name in OF_PATIENTS:
        holds = Holds.PATIENTS
    elif table.name in OF_THE_PROCESSES:
        holds = Holds.PROCESSES
    assert table.info.get("holds") is holds
