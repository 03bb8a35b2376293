"""Pages of Cliniko's rows are stored exactly, even if a page is read again."""

from dataclasses import fields
from datetime import timedelta
from typing import Any, get_type_hints

import pytest
from sqlalchemy import select

from routiq_gql.cliniko import RESOURCES
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import BY_RESOURCE, MirrorList, save_rows
from routiq_gql.database.schema import upgrade

pytestmark = pytest.mark.both_databases

NOW = utc_now()
ATTENDEE: dict[str, Any] = {
    "id": "1",
    "booking_id": "7",
    "patient_id": "8",
    "arrived": False,
    "cancelled_at": None,
    "archived_at": NOW,
    "deleted_at": None,
    "created_at": NOW - timedelta(days=400),
    "updated_at": None,
}
PATIENT: dict[str, Any] = {
    "id": "9007199254740993",
    "first_name": 'Zoë 🩺 {a,"b\\\\"} \',NULL',
    "last_name": None,
    "preferred_first_name": "",
    "email": None,
    "phone": "+61 400 111 222",
    "archived_at": None,
    "deleted_at": None,
    "created_at": None,
    "updated_at": NOW,
}


async def _stored(database: Database, target: MirrorList) -> list[dict[str, Any]]:
    async with database.reading() as connection:
        rows = await connection.execute(select(target.table).order_by(target.table.c.id))
        return [dict(row._mapping) for row in rows]


async def test_every_value_is_stored_unchanged(database_url: str):
    """Letters of all kinds, missing values and times are stored unchanged, in pages of one row and of many."""
    database = Database(database_url)
    await upgrade(database)
    people = [PATIENT, *({**PATIENT, "id": str(10**16 + number), "last_name": f"N{number}"} for number in range(250))]
    async with database.writing() as connection:
        await save_rows(connection, MirrorList.PATIENTS, 3, people)
        await save_rows(connection, MirrorList.ATTENDEES, 3, [ATTENDEE])
        await save_rows(connection, MirrorList.ATTENDEES, 3, [])
    expected = sorted(({**one, "generation": 3} for one in people), key=lambda one: str(one["id"]))
    assert sorted(await _stored(database, MirrorList.PATIENTS), key=lambda one: str(one["id"])) == expected
    assert await _stored(database, MirrorList.ATTENDEES) == [{**ATTENDEE, "generation": 3}]
    await database.close()


async def test_the_newest_of_equal_rows_stays(database_url: str):
    """A page that is read again replaces its earlier rows, and a duplicate row in a page counts once."""
    database = Database(database_url)
    await upgrade(database)
    for page in ([ATTENDEE], [{**ATTENDEE, "arrived": True}, {**ATTENDEE, "patient_id": "9"}]):
        async with database.writing() as connection:
            await save_rows(connection, MirrorList.ATTENDEES, 3, page)
            await save_rows(connection, MirrorList.ATTENDEES, 4, page[:1])
    rows = {row["generation"]: row for row in await _stored(database, MirrorList.ATTENDEES)}
    assert (rows[3]["patient_id"], rows[3]["arrived"]) == ("9", False)
    assert (rows[4]["patient_id"], rows[4]["arrived"]) == ("8", True)
    await database.close()


def test_every_list_that_a_sync_reads_has_a_place():
    """Each list of Cliniko that a sync reads is mirrored, and nothing else is."""
    assert [resource.name for resource in RESOURCES] == list(BY_RESOURCE) == [one.resource for one in MirrorList]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_every_field_of_a_record_has_a_column(resource):
    """What is read of a row of Cliniko's fills its table's columns, no more and no less."""
    target = BY_RESOURCE[resource.name]
    record = {field.name for field in fields(get_type_hints(resource.parse)["return"])}
    assert record | {"generation", *target.fixed_values} == set(target.table.columns.keys())
    assert not record & {"generation", *target.fixed_values}
