"""Old rows are deleted day by day: neither a wrong clock nor a restart speeds that up."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.audit import insert_audit
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import INDIVIDUAL
from routiq_gql.database.pruning import Cutoffs
from routiq_gql.database.schema import upgrade
from routiq_gql.database.tables import APPOINTMENT, AUDIT, CURRENT, LOG, MIRROR, PATIENT, RETENTION, SYNC, WEBHOOK_EVENT
from routiq_gql.engines import housekeeping
from routiq_gql.engines.housekeeping import Housekeeping
from routiq_gql.settings import Settings
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode, SyncState

pytestmark = pytest.mark.both_databases

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
HOUR, DAY, YEARS = timedelta(hours=1), timedelta(days=1), timedelta(days=730)
KEPT_DAYS = 10
SETTINGS = Settings(
    keep_log_days=KEPT_DAYS, keep_history_days=KEPT_DAYS, webhook_deliveries_days=KEPT_DAYS, recent_days=30
)
HORIZON_DAYS = 100
SILENT, SYNCING, OTHER = "org_silent", "org_syncing", "org_other"
NEWEST = 10_000
"""The published sync of each organization."""
COUNTED = {
    "log": select(LOG.c.sync_key),
    "history": select(SYNC.c.key).where(SYNC.c.organization_id == OTHER),
    "webhooks": select(WEBHOOK_EVENT.c.key),
    "audit": select(AUDIT.c.key),
    "appointments": select(APPOINTMENT.c.id),
    "versions": select(PATIENT.c.id),
}


@pytest.fixture(autouse=True)
def _equal_retention(monkeypatch: pytest.MonkeyPatch) -> None:
    """All kinds of rows are kept for as many days."""
    for name in ("KEEP_VERSIONS", "KEEP_LEFT_APPOINTMENTS"):
        monkeypatch.setattr(housekeeping, name, KEPT_DAYS * DAY)


@pytest.fixture
async def database(database_url):
    opened = Database(database_url)
    await upgrade(opened)
    yield opened
    await opened.close()


async def fill(database: Database, days: int) -> None:
    """Rows of the last days, half a day off: a sync with a line, an audit entry, an event, an appointment, a version.

    The appointments left the horizon of a clinic that no longer syncs. Each version was closed by the sync after it.
    """
    async with database.writing() as connection:
        for number, organization_id in enumerate((SILENT, SYNCING), 1):
            shown = {"sync": NEWEST + number, "oldest_kept": 1, "keeps_window": False, "patients_in_cliniko": 1}
            shown |= {"number": number, "organization_id": organization_id, "horizon_days": HORIZON_DAYS, "format": 1}
            await connection.execute(insert(MIRROR).values(**shown))
            await _insert_sync(connection, NEWEST + number, organization_id, NOW - YEARS)
        for number in range(1, days + 1):
            moment = NOW - number * DAY + DAY / 2
            await _insert_sync(connection, number, OTHER, moment)
            await _insert_sync(connection, 5000 - number, SYNCING, moment)
            line = {"sync_key": number, "seq": 1, "time": moment, "level": "info", "step": 1, "message": ""}
            await connection.execute(insert(LOG), [line])
            noted = {"time": moment, "action": "start", "outcome": "DONE", "organization_id": "org_a", "subject": None}
            await insert_audit(connection, [{**noted, "address": None, "sync_id": None, "times": 1}])
            event = {"id": f"evt_{number}", "type": "sync.completed", "subject": f"sync_{number}", "data": {}}
            await connection.execute(insert(WEBHOOK_EVENT).values(**event, organization_id=OTHER, at=moment))
            version = {"id": number, "from_sync": 1, "is_stub": False}
            visit = {**version, "mirror": 1, "kind": INDIVIDUAL, "to_sync": CURRENT}
            await connection.execute(insert(APPOINTMENT).values(**visit, starts_at=moment - HORIZON_DAYS * DAY))
            await connection.execute(insert(PATIENT).values(**version, mirror=2, to_sync=5000 - number + 1))


async def _insert_sync(connection: AsyncConnection, key: int, organization_id: str, ended: datetime) -> None:
    values = {**first_values(SyncMode.FULL, ended), "organization_id": organization_id, "version": 1, "epoch": 0}
    values |= {"completed_at": ended, "status": SyncState.COMPLETED.value, "sync_id": f"sync_{key}"}
    await connection.execute(insert(SYNC).values(**values, key=key))


async def tidy(
    database: Database, moment: datetime, settings: Settings = SETTINGS, tidying: Housekeeping | None = None
) -> dict[str, int]:
    """Start housekeeping at this time, run it until it has no work left, and count the remaining rows.

    Args:
        tidying: Continue with this housekeeping, as a server does that keeps running.
    """
    with time_machine.travel(moment):
        tidying = tidying or Housekeeping(database, settings)
        while await tidying.step():
            pass
    async with database.reading() as connection:
        return {
            name: (await connection.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
            for name, query in COUNTED.items()
        }


def all_have(number: int) -> dict[str, int]:
    return dict.fromkeys(COUNTED, number)


async def test_a_clock_that_is_years_ahead_costs_a_day_at_most_in_an_hour(database: Database):
    """With a wrong clock, logs, history, audit log and appointments lose a single day per hour, restarts included."""
    await fill(database, 10)
    assert await tidy(database, NOW) == all_have(10)
    for restart in range(4):
        assert await tidy(database, NOW + YEARS + timedelta(seconds=restart)) == all_have(9)
    assert await tidy(database, NOW + YEARS + HOUR) == all_have(8)
    for hours in (1, 2, 3):
        assert await tidy(database, NOW + hours * HOUR) == all_have(8), "the clock is right again"
    # The next wrong clock has the same limit.
    for minutes in (0, 5, 30):
        assert await tidy(database, NOW + YEARS + timedelta(hours=4, minutes=minutes)) == all_have(7)


async def test_a_new_database_under_a_wrong_clock_loses_a_day_at_most(database: Database):
    """The first deletion ever has the same limit, for example after an upgrade."""
    await fill(database, 10)
    assert await tidy(database, NOW + YEARS) == all_have(9)


async def test_a_backlog_is_deleted_day_by_day(database: Database):
    """After an upgrade, a standstill or a change of settings, all rows past their retention are deleted in the end."""
    await fill(database, 15)
    for hours, left in enumerate((14, 13, 12, 11, 10, 10, 10)):
        assert await tidy(database, NOW + hours * HOUR) == all_have(left)
    shorter = SETTINGS.model_copy(update={"keep_log_days": 8})
    counts = [(await tidy(database, NOW + hours * HOUR, shorter))["log"] for hours in (8, 9, 10, 11)]
    assert counts == [9, 8, 8, 8]


@pytest.mark.parametrize("keeps_running", [False, True])
async def test_the_regular_removal_is_not_delayed(
    database: Database, monkeypatch: pytest.MonkeyPatch, keeps_running: bool
):
    """Each day a server deletes the rows that became too old that day, however long it has been running."""
    monkeypatch.setattr(housekeeping, "PRUNING_INTERVAL_SECONDS", 0.0)
    await fill(database, 10)
    tidying = Housekeeping(database, SETTINGS) if keeps_running else None
    for days in range(4):
        assert await tidy(database, NOW + days * DAY, tidying=tidying) == all_have(10 - days)


async def test_after_a_clock_that_was_years_behind_nothing_has_to_be_caught_up_with(database: Database):
    """Times without rows are skipped, so that old rows don't stay for years."""
    await fill(database, 12)
    assert await tidy(database, NOW - 20 * YEARS) == all_have(12)
    assert await tidy(database, NOW) == all_have(11)
    assert await tidy(database, NOW + HOUR) == all_have(10)


async def test_after_a_clock_that_was_years_ahead_the_regular_removal_continues(database: Database):
    """Once the clock is right again, each day's old rows are deleted: a server does not keep them for years."""
    await fill(database, 10)
    assert await tidy(database, NOW + YEARS) == all_have(9)
    for days, left in ((1, 9), (2, 8), (3, 7)):
        assert await tidy(database, NOW + days * DAY) == all_have(left)


async def test_days_without_rows_are_skipped(database: Database):
    """A server that was off for a year deletes all older rows within hours."""
    await fill(database, 2)
    assert await tidy(database, NOW) == all_have(2)
    assert await tidy(database, NOW + 365 * DAY) == all_have(1)
    assert await tidy(database, NOW + 365 * DAY + HOUR) == all_have(0)


async def test_every_kind_of_deleted_row_has_separate_progress(database: Database):
    """The limit applies to every kind of deleted rows."""
    await tidy(database, NOW)
    async with database.reading() as connection:
        kinds = set((await connection.execute(select(RETENTION.c.kind))).scalars())
    assert kinds == {*COUNTED, "paces"} == {field.name for field in fields(Cutoffs)}
