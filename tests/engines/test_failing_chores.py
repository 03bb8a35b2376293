"""Periodic work does all that is due, although each of its transactions fails once."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Select, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.drafts import ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.history import TIME_ONLY
from routiq_gql.database.tables import ACTIVITY, REFRESH, SCHEDULE, SYNC
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.engines import housekeeping, time_only
from routiq_gql.engines.housekeeping import Housekeeping
from routiq_gql.engines.refreshing import Refreshes
from routiq_gql.engines.scheduler import Scheduler
from routiq_gql.engines.time_only import TimeOnlySyncs
from routiq_gql.errors import DatabaseAway
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.found_pages import FoundPagesKeeper
from tests.database.clinics import PATIENTS, WHOLE, Clinic, first_sync, patient
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import run_sync

pytestmark = [pytest.mark.sqlite_only, pytest.mark.usefixtures("inline_sqlite")]

Step = Callable[[], Awaitable[bool]]


class FailingOnce:
    """Every second transaction that writes fails, at its beginning or its end, the first one included."""

    def __init__(self, patch: pytest.MonkeyPatch, *, at_end: bool) -> None:
        self.count = 0
        writing = Database.writing

        @asynccontextmanager
        async def failing(database: Database, patience_seconds: float | None = None) -> AsyncIterator[AsyncConnection]:
            self.count += 1
            fails = self.count % 2
            if fails and not at_end:
                raise DatabaseAway("The database can't be reached at the moment.")
            async with writing(database, patience_seconds) as connection:
                yield connection
                if fails:
                    raise DatabaseAway("The database can't be reached at the moment.")

        patch.setattr(Database, "writing", failing)


async def _repeat(step: Step) -> None:
    """Do steps as an engine does, until one has nothing more to do."""
    has_more = True
    while has_more:
        try:
            has_more = await step()
        except DatabaseAway:
            has_more = True


async def _left(file: Path, fails_at: str) -> list[tuple[int, int, int, int | None]]:
    """The versions of rows that housekeeping leaves of a failed sync."""
    database = Database(f"sqlite+aiosqlite:///{file}")
    clinic = Clinic(database, "org_a")
    await first_sync(clinic, PATIENTS, *(patient(number) for number in range(1, 6)))
    failed = await clinic.begin()
    await clinic.merge(failed, PATIENTS, ReadPage([patient(number, "Mia") for number in range(2, 9)], covered=WHOLE))
    await clinic.end(failed)
    with pytest.MonkeyPatch.context() as patch:
        if fails_at:
            FailingOnce(patch, at_end=fails_at == "end")
        await _repeat(Housekeeping(database, Settings()).step)
    left = await clinic.versions(PATIENTS)
    assert (await clinic.mirror()).writing is None
    await database.close()
    return left


@pytest.mark.parametrize("size", [1, 3, 2_000])
async def test_nothing_of_a_failed_sync_is_left(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
):
    """Housekeeping removes as much as without a failure, in batches of a row or of many."""
    monkeypatch.setattr(housekeeping, "ROWS_PER_STEP", size)
    left = []
    for fails_at in ("", "beginning", "end"):
        file = tmp_path / f"{fails_at}.db"
        shutil.copyfile(sqlite_template, file)
        left.append(await _left(file, fails_at))
    assert len(left[0]) == 5
    assert left == [left[0]] * 3


async def test_every_chore_does_what_it_could_not_do(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """A due schedule, a change by time alone, and an organization that is to be kept live wait for the next step."""
    async with open_runtime(settings) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        await run_sync(runtime)
    async with open_runtime(settings, run_syncs=False) as runtime:
        await _do_chores(runtime, monkeypatch)


async def _do_chores(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    database, bus, engine = runtime.database, runtime.bus, runtime.engine
    monkeypatch.setattr(time_only, "LEAST_INTERVAL", timedelta(0))
    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, timedelta(hours=6))
    long_ago = utc_now() - timedelta(minutes=1)
    async with database.writing() as connection:
        await connection.execute(update(SCHEDULE).values(next_at=long_ago))
        await connection.execute(update(ACTIVITY).values(changes_at=long_ago))
    live = runtime.settings.model_copy(update={"refresh_seconds": 60})
    refreshes = Refreshes(database, bus, runtime.clients, live, FoundPagesKeeper())
    chores: list[tuple[Step, Select[tuple[int]]]] = [
        (TimeOnlySyncs(database, bus).step, select(SYNC.c.key).where(SYNC.c.mode == TIME_ONLY)),
        (lambda: refreshes.step(engine), select(literal(1)).select_from(REFRESH)),
        (
            lambda: Scheduler(database, bus, runtime.audit).step(engine),
            select(SYNC.c.key).where(SYNC.c.completed_at.is_(None)),
        ),
    ]
    for step, done in chores:
        for at_end in (False, True):
            with pytest.MonkeyPatch.context() as patch, pytest.raises(DatabaseAway):
                FailingOnce(patch, at_end=at_end)
                await step()
        async with database.reading() as connection:
            assert (await connection.execute(done)).first() is None
        await step()
        async with database.reading() as connection:
            assert (await connection.execute(done)).first() is not None
    await refreshes.close()
