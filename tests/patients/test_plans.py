"""The plans of all statements that read patients: along an index, never through a whole table."""

import re
from itertools import product
from typing import Any

import pytest
from sqlalchemy import text

from routiq_gql.database.engine import Database
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import PatientSort
from routiq_gql.patients.pages import read_page, read_patients
from routiq_gql.patients.read_sync import find_sync
from routiq_gql.patients.requests import PageRequest
from routiq_gql.patients.summaries import read_summaries
from tests.bench.patients import people
from tests.cursor_keys import CURSOR_KEYS
from tests.patients.clinics import ListedClinic
from tests.patients.statements import Recorded, plan_of, recorded

ORGANIZATIONS, PATIENTS = 8, 300
LARGE = ("patient_versions", "appointment_versions", "attendee_versions", "listing_versions", "syncs")
FILTERS: tuple[dict[str, Any], ...] = ({}, {"search": "nguyen"}, {"practitioner_id": "501"})


async def _every_statement(database: Database) -> list[Recorded]:
    """Each kind of statement once: lists, sorts, filters, first and later pages, forward and backward."""
    with recorded(database) as statements:
        async with database.reading() as connection:
            for which, sort, chosen in product(
                (PatientList.ALL, PatientList.LAPSED), PatientSort, FILTERS
            ):  # the text is the same for each list
                asked = {"list": which, "sort": sort, **chosen}
                page = await read_page(connection, CURSOR_KEYS, "org_2", PageRequest(**asked, first=3))
                last = await read_page(connection, CURSOR_KEYS, "org_2", PageRequest(**asked, last=3))
                await read_page(connection, CURSOR_KEYS, "org_2", PageRequest(**asked, first=3, skip=40))
                for cursor in [*page.cursors[-1:], *last.cursors[-1:]]:  # with and without a value of the sort
                    await read_page(connection, CURSOR_KEYS, "org_2", PageRequest(**asked, after=cursor))
                    await read_page(connection, CURSOR_KEYS, "org_2", PageRequest(**asked, last=3, before=cursor))
            await read_page(connection, CURSOR_KEYS, "org_2", PageRequest(as_of=page.sync_id))
            sync = await find_sync(connection, "org_2")
            await read_patients(connection, sync, [1, 2, 3])
            await read_summaries(connection, sync)
    return list({one.text: one for one in statements}.values())


async def _filled(database: Database) -> Database:
    for number in range(ORGANIZATIONS):
        await ListedClinic(database, f"org_{number}").fill(people(PATIENTS, number))
    return database


ORDERED = re.compile(r"INDEX ix_listing_versions_(name|last|next) \(mirror=\? AND list=\?")
WHOLE_LIST = re.compile(r"USING (PRIMARY KEY|COVERING INDEX \w+) \(mirror=\?")
SMALL = {"page", "segment_0", "segment_1", "numbers", "practitioners", "json_each", "CONSTANT"}
"""Tables that a plan may scan: rows that were limited before, the one row of counts, and the ids of a page."""


@pytest.mark.sqlite_only
async def test_each_statement_follows_an_index_on_sqlite(database):
    """No list, sort, search, filter, page or direction reads a whole table."""
    statements = await _every_statement(await _filled(database))
    assert len(statements) > 60
    scans, pages = set(), 0
    for statement in statements:
        plan = await plan_of(database, statement)
        scans |= {line for line in plan if line.startswith("SCAN ") and line.split()[1] not in SMALL}
        searches = [line for line in plan if line.startswith("SEARCH listing_versions")]
        sorts = [line for line in plan if "TEMP B-TREE" in line]
        if "segment_0" in statement.text or "segment_1" in statement.text:
            pages += 1
            # The order of a segment is that of the index; only the rows of the page are sorted afterwards.
            assert all(ORDERED.search(one) for one in searches), "\n".join([*plan, statement.text])
            assert len(sorts) <= 1, plan
        else:
            assert all(WHOLE_LIST.search(one) for one in searches), plan
    assert scans == set()
    assert pages > 20


@pytest.mark.postgres_only
async def test_each_statement_follows_an_index_on_postgresql(database):
    """The same with PostgreSQL, with several organizations and statistics."""
    await _filled(database)
    async with database.writing() as connection:
        await connection.execute(text("ANALYZE"))
    found = set()
    for statement in await _every_statement(database):
        plan = await plan_of(database, statement)
        found |= {line for line in plan if "Seq Scan on" in line and any(f"on {table}" in line for table in LARGE[:-1])}
    assert found == set()
