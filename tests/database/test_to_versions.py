"""A database with a copy per sync becomes one with versions: readers see the same, and a running sync stays."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text
from structlog.testing import capture_logs

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList, visible
from routiq_gql.database.publishing import ensure_mirror, mirror_of, open_draft
from routiq_gql.database.schema import upgrade
from routiq_gql.database.syncs import change_running
from routiq_gql.database.tables import ACTIVITY, CONNECTION, CURRENT, LOG, MIRROR, SYNC, VERSIONED
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode
from tests.database.earlier_rows import earlier_sync, insert_earlier

pytestmark = pytest.mark.both_databases

NOW = datetime(2026, 7, 1, 9, 30, 15, 123999, tzinfo=UTC)
CUT = NOW.replace(microsecond=123000)
TIMES = {"created_at": NOW, "updated_at": NOW + timedelta(microseconds=600)}
HUGE, LARGEST = str(2**63), str(2**63 - 1)

COMPLETED, FAILED, RUNNING, OTHER = 3, 4, 5, 6
ENDED = {COMPLETED: "completed", FAILED: "failed", OTHER: "completed"}


def _sync(key: int, organization_id: str) -> dict[str, Any]:
    values = {**earlier_sync(NOW), "organization_id": organization_id, "version": 7, "epoch": 3}
    values |= {"key": key, "sync_id": f"sync_{key}", "has_rows": True, "checkpoint": {"format": 2, "step": 4}}
    values |= {"progress_percentage": 40, "last_log_seq": 2, "completed_at": NOW if key in ENDED else None}
    return values | {"status": ENDED.get(key, "fetching_patients")}


def _patient(row_id: str, generation: int, **values: object) -> dict[str, Any]:
    names = dict.fromkeys(("last_name", "preferred_first_name", "email", "phone", "archived_at", "deleted_at"))
    return {"generation": generation, "id": row_id, "first_name": f"N{row_id}", **names, **TIMES, **values}


def _visit(row_id: str, kind: str, generation: int, **values: object) -> dict[str, Any]:
    empty = dict.fromkeys(("ends_at", "did_not_arrive", "cancelled_at", "archived_at", "deleted_at"))
    row = {"generation": generation, "id": row_id, "kind": kind, "patient_id": "1", "appointment_type_id": "8"}
    return {**row, "starts_at": NOW, **empty, **TIMES, **values}


def _attendee(row_id: str, generation: int, **values: object) -> dict[str, Any]:
    empty = dict.fromkeys(("arrived", "cancelled_at", "archived_at", "deleted_at"))
    return {"generation": generation, "id": row_id, "booking_id": "2", "patient_id": "1", **empty, **TIMES, **values}


def _active(organization_id: str, row_id: str, is_active: bool, recent: int, upcoming: int) -> dict[str, Any]:
    counts = {"recent_appointments": recent, "upcoming_appointments": upcoming, "missed_appointments": 1}
    times = {"last_appointment_at": NOW, "next_appointment_at": None, "updated_at": NOW}
    return {"organization_id": organization_id, "patient_id": row_id, "is_active": is_active, **counts, **times}


async def _fill(database: Database) -> None:
    """Two organizations with results, and one with a connection only."""
    async with database.writing() as connection:
        syncs = [_sync(key, "org_a") for key in (COMPLETED, FAILED, RUNNING)] + [_sync(OTHER, "org_b")]
        await insert_earlier(connection, "syncs", *syncs)
        for sync in syncs:
            line = {"sync_key": sync["key"], "time": NOW, "level": "info", "step": 1, "message": "…"}
            await insert_earlier(connection, "sync_log", *({**line, "seq": seq} for seq in (1, 2)))
        access = {"state": "connected", "base_url": "https://a", "shard": "au1", "encrypted_key": b"\x00\xff"}
        access |= {"encryption_key_id": "k", "created_at": NOW, "updated_at": NOW}
        await insert_earlier(
            connection, "connections", *({**access, "organization_id": f"org_{one}"} for one in ("a", "c"))
        )
        shown = [
            {"organization_id": "org_a", "generation": COMPLETED, "patients_in_cliniko": 641, "synced_at": NOW},
            {"organization_id": "org_b", "generation": OTHER, "patients_in_cliniko": 5, "synced_at": NOW},
        ]
        await insert_earlier(connection, "mirrors", *shown)
        people = [_patient("1", generation) for generation in (COMPLETED, FAILED, RUNNING, OTHER, 77)]
        people += [_patient(one, COMPLETED) for one in (LARGEST, HUGE, "x1", "007", "12x", "-3", "")]
        people += [_patient("5", COMPLETED, archived_at=NOW), _patient("6", COMPLETED, deleted_at=NOW)]
        await insert_earlier(connection, "mirrored_patients", *people)
        visits = [
            _visit("1", "individual", COMPLETED, ends_at=NOW, did_not_arrive=True, cancelled_at=NOW),
            _visit("1", "group", COMPLETED, patient_id=None),
            _visit("2", "individual", COMPLETED, patient_id=HUGE, appointment_type_id=None),
            _visit("3", "individual", COMPLETED, archived_at=NOW),
            _visit("4", "individual", RUNNING),
        ]
        await insert_earlier(connection, "mirrored_appointments", *visits)
        places = [_attendee("1", COMPLETED, arrived=False), _attendee("2", COMPLETED, deleted_at=NOW)]
        await insert_earlier(connection, "mirrored_attendees", *places)
        kind = {"generation": COMPLETED, "id": "8", "name": "Yoga", "category": None, "duration_in_minutes": 45}
        await insert_earlier(connection, "mirrored_appointment_types", {**kind, "archived_at": None, **TIMES})
        found = [_active("org_a", "1", True, 2, 0), _active("org_a", "2", True, 0, 1)]
        found += [_active("org_a", "3", False, 0, 0), _active("org_b", "1", True, 1, 1)]
        await insert_earlier(connection, "active_patients", *found)


@pytest.fixture
async def database(empty_database_url):
    """A database of the revision before versions."""
    opened = Database(empty_database_url)
    await upgrade(opened, "0009")
    yield opened
    await opened.close()


async def _dashboard(database: Database, table: str, condition: str) -> Mapping[str, int]:
    """What the dashboard counts, in the old and in the new table of results."""
    sums = ", ".join(
        f"sum(CASE WHEN is_active AND {which} THEN 1 ELSE 0 END) AS {name}"
        for name, which in {
            "active": "TRUE",
            "with_recent": "recent_appointments > 0",
            "with_upcoming": "upcoming_appointments > 0",
        }.items()
    )
    async with database.reading() as connection:
        row = (
            await connection.execute(text(f"SELECT count(*) AS stored, {sums} FROM {table} WHERE {condition}"))
        ).one()
        return dict(row._mapping)


async def test_readers_see_the_same_before_and_after(database: Database):
    """The counts of the dashboard, the number of patients and the shown rows are those of before."""
    await _fill(database)
    organizations = ("org_a", "org_b")
    before = {one: await _dashboard(database, "active_patients", f"organization_id = '{one}'") for one in organizations}
    with capture_logs() as logs:
        await upgrade(database)
    assert [(line["table"], line["rows"]) for line in logs] == [("mirrored_patients", 6)]
    async with database.reading() as connection:
        mirrors = {one: await mirror_of(connection, one) for one in ("org_a", "org_b", "org_c", "org_d")}
    assert mirrors["org_d"] is None
    for organization_id in organizations:
        mirror = mirrors[organization_id]
        at = f"mirror = {mirror.number} AND from_sync <= {mirror.sync} AND to_sync > {mirror.sync}"
        assert await _dashboard(database, "activity_versions", at) == before[organization_id]
    assert [(one.sync, one.oldest_kept, one.patients_in_cliniko) for one in list(mirrors.values())[:3]] == [
        (COMPLETED, COMPLETED, 641),
        (OTHER, OTHER, 5),
        (0, 0, 0),
    ]
    for mirror in list(mirrors.values())[:3]:
        assert mirror.keeps_window, "a longer horizon would store more about people"
        assert (mirror.writing, mirror.mark, mirror.full_at, mirror.format) == (None, None, None, 0)
    assert mirrors["org_a"].published_at == NOW


async def _shown(database: Database, target: MirrorList) -> list[dict[str, Any]]:
    async with database.reading() as connection:
        mirror = await mirror_of(connection, "org_a")
        shown = visible(target.table, mirror.number, mirror.sync)
        rows = await connection.execute(select(target.table).where(shown, target.of(mirror.number)))
        return sorted((dict(row._mapping) for row in rows), key=lambda row: row["id"])


async def test_every_shown_row_becomes_a_version(database: Database):
    """The rows that readers see are kept with all their values; deleted rows and copies of other syncs are not."""
    await _fill(database)
    await upgrade(database)
    patients = await _shown(database, MirrorList.PATIENTS)
    assert [(row["id"], row["archived_at"]) for row in patients] == [(1, None), (5, CUT), (2**63 - 1, None)]
    assert patients[0]["first_name"] == "N1"
    assert patients[0]["created_at"] == CUT
    assert patients[0]["updated_at"] == CUT + timedelta(milliseconds=1)
    assert {(row["from_sync"], row["to_sync"], row["is_stub"]) for row in patients} == {(COMPLETED, CURRENT, False)}
    first, second = await _shown(database, MirrorList.INDIVIDUAL_APPOINTMENTS)
    assert (first["id"], first["patient_id"], first["appointment_type_id"]) == (1, 1, 8)
    assert (first["starts_at"], first["ends_at"], first["cancelled_at"]) == (CUT, CUT, CUT)
    assert first["did_not_arrive"] is True
    assert (second["id"], second["patient_id"], second["appointment_type_id"]) == (2, None, None)
    (course,) = await _shown(database, MirrorList.GROUP_APPOINTMENTS)
    assert (course["id"], course["patient_id"], course["starts_at"]) == (1, None, CUT)
    (place,) = await _shown(database, MirrorList.ATTENDEES)
    assert (place["booking_id"], place["patient_id"], place["arrived"]) == (2, 1, False)
    (kind,) = await _shown(database, MirrorList.APPOINTMENT_TYPES)
    assert (kind["name"], kind["duration_in_minutes"]) == ("Yoga", 45)
    async with database.reading() as connection:
        total = 0
        for table in VERSIONED:
            total += (await connection.execute(select(func.count()).select_from(table))).scalar_one()
        results = await connection.execute(select(ACTIVITY).order_by(ACTIVITY.c.mirror, ACTIVITY.c.id))
        assert [(row.id, row.is_active, row.was_active, row.active_since) for row in results] == [
            (1, True, True, None),
            (2, True, True, None),
            (3, False, True, None),
            (1, True, True, None),
        ]
    assert total == 3 + 2 + 1 + 1 + 1 + 1 + 4, "with the patient of the other organization"


async def test_syncs_and_their_logs_stay(database: Database):
    """All syncs and log lines stay; the running sync keeps its percentage, can be written, and opens a draft."""
    await _fill(database)
    await upgrade(database)
    async with database.writing() as connection:
        keys = list((await connection.execute(select(SYNC.c.key).order_by(SYNC.c.key))).scalars())
        assert keys == [COMPLETED, FAILED, RUNNING, OTHER]
        lines = list((await connection.execute(select(LOG.c.sync_key, LOG.c.seq))).all())
        assert sorted(map(tuple, lines)) == [(key, seq) for key in keys for seq in (1, 2)]
        row = await change_running(connection, RUNNING, 3, {"patients_found": 8})
        assert row is not None
        assert (row.progress_percentage, row.requests, row.baseline, row.receipt) == (40, 0, False, None)
        draft = await open_draft(connection, "org_a", RUNNING)
        assert draft is not None
        assert (draft.base, draft.sync) == (COMPLETED, RUNNING)
        assert (await connection.execute(select(CONNECTION.c.encrypted_key).limit(1))).scalar_one() == b"\x00\xff"
        assert (await ensure_mirror(connection, "org_new")).keeps_window
        await connection.execute(delete(SYNC).where(SYNC.c.key == FAILED))
        logged = await connection.execute(select(LOG.c.sync_key).distinct())
        assert set(logged.scalars()) == {COMPLETED, RUNNING, OTHER}, "a log goes with its sync"


async def test_the_number_of_an_erased_sync_is_never_used_again(database: Database):
    """Numbers above every earlier one are given to new syncs, even if the newest syncs were erased."""
    await _fill(database)
    if database.path is None:  # PostgreSQL counts by itself, but this test wrote the numbers
        async with database.writing() as connection:
            await connection.execute(text("SELECT setval(pg_get_serial_sequence('syncs', 'key'), 77)"))
    await upgrade(database)
    async with database.writing() as connection:
        values = {**first_values(SyncMode.FULL, utc_now()), "version": 1, "epoch": 0, "organization_id": "org_d"}
        for number in (78, 79):
            added = insert(SYNC).values(**values, sync_id=f"new_{number}").returning(SYNC.c.key)
            assert (await connection.execute(added)).scalar_one() == number
            await connection.execute(delete(SYNC).where(SYNC.c.key == number))


async def test_an_empty_database_keeps_no_window(database: Database):
    """A database without an organization stores the whole horizon, like a new one."""
    await upgrade(database)
    async with database.writing() as connection:
        assert not (await ensure_mirror(connection, "org_a")).keeps_window
        assert (await connection.execute(select(func.count()).select_from(MIRROR))).scalar_one() == 1
