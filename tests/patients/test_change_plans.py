"""Changes are found by indexes: their cost grows with the changes, and not with the clinic."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from routiq_gql.database.patient_changes import Span, count_differences, differences, differing_patients, next_patients
from routiq_gql.database.tables import CURRENT, LISTING, MIRROR, PATIENT
from tests.patients.clinics import NOW

PATIENTS = 3_000
CHANGED = range(1, PATIENTS, 300)
LISTS = (0, 1, 2)


@pytest.fixture
async def filled(database):
    """Three organizations, each with one sync of many patients, and a second of few changes."""
    empty: dict[str, Any] = {column.name: None for column in PATIENT.columns}
    empty |= {"is_stub": False, "is_suppressed": False}
    listed: dict[str, Any] = {column.name: None for column in LISTING.columns} | {"search": ""}
    async with database.writing() as connection:
        for mirror in (1, 2, 3):
            row = {"number": mirror, "organization_id": f"org_{mirror}", "sync": 2, "oldest_kept": 1}
            row |= {"keeps_window": False, "format": 1, "patients_in_cliniko": 0}
            await connection.execute(insert(MIRROR).values(row))
            patients, listings = [], []
            for one in range(1, PATIENTS + 1):
                spans = [(1, 2), (2, CURRENT)] if one in CHANGED else [(1, CURRENT)]
                for from_sync, to_sync in spans:
                    span = {"mirror": mirror, "id": one, "from_sync": from_sync, "to_sync": to_sync}
                    values = {"first_name": f"Name {from_sync}", "created_at": NOW - timedelta(days=one % 700)}
                    patients.append(empty | values | span)
                    listings += [listed | span | {"list": number, "name_key": f"name {one:05}"} for number in LISTS]
            await connection.execute(insert(PATIENT), patients)
            await connection.execute(insert(LISTING), listings)
    if database.path is None:
        async with database.writing() as connection:
            for table in (PATIENT, LISTING):
                await connection.execute(text(f"ANALYZE {table.name}"))
    return database


@pytest.mark.both_databases
async def test_no_statement_reads_whole_tables(filled):
    """The changed patients, their content, their lists and the counts are each found by an index."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    span = Span(2, 1, 2)
    async with filled.reading() as connection:
        engine = filled._engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        found = await differing_patients(connection, span, 1_000, 200)
        assert found == [one for one in CHANGED if one > 1_000]
        assert await next_patients(connection, span, 299, 3) == [300, 301, 302]
        assert [one.changed for one in await differences(connection, span, found, LISTS)] == [("first_name",)] * len(
            found
        )
        assert (await count_differences(connection, span)).patients == len(CHANGED)
        event.remove(engine, "before_cursor_execute", note)
        assert len(asked) == 5
        is_sqlite = filled.path is not None
        for statement, parameters in asked:
            explain = f"{'EXPLAIN QUERY PLAN' if is_sqlite else 'EXPLAIN'} {statement}"
            plan = [str(row[-1]) for row in await connection.exec_driver_sql(explain, parameters)]
            for line in plan:
                assert not ("_versions" in line and ("SCAN" in line or "Seq Scan" in line)), "\n".join(plan)
