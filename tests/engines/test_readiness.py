"""``/readyz`` tries a write, responds in time whatever the database does, and detects a replaced file."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import create_async_engine
from structlog.testing import capture_logs

from routiq_gql.database import sqlite
from routiq_gql.database.engine import Database
from routiq_gql.database.tables import PROBE
from routiq_gql.engines import file_watch, readiness
from routiq_gql.errors import DatabaseAway, DatabaseFileLost, StorageError
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.descriptors import no_descriptors
from tests.server import Server
from tests.waiting import LIMIT_SECONDS


async def _ready(server: Server) -> tuple[int, str]:
    answer = await server.http.get("/readyz")
    return answer.status_code, answer.json().get("detail", "")


@asynccontextmanager
async def _locked(settings: Settings) -> AsyncIterator[None]:
    """Another program keeps the database from being written to."""
    if settings.uses_postgres:
        engine = create_async_engine(settings.database_url)
        async with engine.connect() as connection:
            await connection.execute(text("LOCK TABLE write_probe IN ACCESS EXCLUSIVE MODE"))
            yield
        await engine.dispose()
        return
    path = settings.database_url.partition("///")[2]
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")  # it may have to wait for the server
    yield
    other.execute("ROLLBACK")
    other.close()


@pytest.mark.both_databases
async def test_a_locked_database_is_reported_within_seconds(
    bare_server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """While another program holds the lock, a probe neither hangs nor reports success."""
    monkeypatch.setattr(readiness, "WRITE_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(readiness, "WRITE_PATIENCE_SECONDS", 0.2)
    assert await _ready(bare_server) == (200, "")
    with capture_logs() as logged:
        async with _locked(settings), asyncio.timeout(LIMIT_SECONDS):
            for _ in range(3):
                status, detail = await _ready(bare_server)
                assert (status, "can't be written" in detail) == (503, True)
        async with asyncio.timeout(LIMIT_SECONDS):
            while await _ready(bare_server) != (200, ""):  # an earlier attempt is still ending
                await asyncio.sleep(0.05)
    told = [line["event"] for line in logged if line.get("task") == "readiness check"]
    # Locked by the other program, or by a write of the server that waits for it: a line for each at most.
    assert told in (["task_failing", "task_recovered"], ["task_failing", "task_failing", "task_recovered"])


@pytest.mark.both_databases
async def test_a_write_is_made_when_asked_and_at_most_every_ten_seconds(
    bare_server: Server, monkeypatch: pytest.MonkeyPatch
):
    """A probe that is requested every second does not write every second, and without requests there are no writes."""

    async def written() -> list[object]:
        async with bare_server.runtime.database.reading() as connection:
            return list((await connection.execute(select(PROBE.c.written_at))).scalars())

    assert await written() == []
    await asyncio.gather(*(_ready(bare_server) for _ in range(20)))
    (first,) = await written()
    await _ready(bare_server)
    assert await written() == [first]
    monkeypatch.setattr(readiness, "WRITE_INTERVAL_SECONDS", 0.0)
    await _ready(bare_server)
    (second,) = await written()
    assert second > first


@pytest.mark.postgres_only
async def test_a_full_disk_of_postgresql_is_not_ready(bare_server: Server, monkeypatch: pytest.MonkeyPatch):
    """A PostgreSQL server that accepts no changes is not ready, until there is space."""
    monkeypatch.setattr(readiness, "WRITE_INTERVAL_SECONDS", 0.0)
    full = """
        CREATE FUNCTION full_disk() RETURNS trigger AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql;
        CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON write_probe FOR EACH ROW EXECUTE FUNCTION full_disk();
    """
    async with bare_server.runtime.database.writing() as connection:
        await connection.exec_driver_sql(full, execution_options={"no_parameters": True})
    assert (await _ready(bare_server))[0] == 503
    async with bare_server.runtime.database.writing() as connection:
        await connection.execute(text("DROP TRIGGER full_disk ON write_probe"))
    assert await _ready(bare_server) == (200, "")


@pytest.mark.sqlite_only
async def test_a_full_disk_is_not_ready(bare_server: Server, monkeypatch: pytest.MonkeyPatch):
    """A full disk is reported, even if the probe's small write would still fit."""
    monkeypatch.setattr(readiness, "WRITE_INTERVAL_SECONDS", 0.0)
    least = sqlite.LEAST_FREE_BYTES
    monkeypatch.setattr(sqlite, "LEAST_FREE_BYTES", 2**62)
    with capture_logs() as logged:
        status, detail = await _ready(bare_server)
    assert (status, "disk is full" in detail) == (503, True)
    assert any("is full. Free some space" in line.get("reason", "") for line in logged)
    monkeypatch.setattr(sqlite, "LEAST_FREE_BYTES", least)
    assert await _ready(bare_server) == (200, "")


@pytest.mark.sqlite_only
async def test_a_full_descriptor_table_is_reported(settings: Settings):
    """With too many open files, the response names the limit to raise rather than a missing folder."""
    async with open_runtime(settings, run_syncs=False):
        database = Database(settings.database_url)
        try:
            with no_descriptors(), pytest.raises(StorageError, match=r"Too many open files.*ulimit -n") as caught:
                async with database.reading():
                    pass
            assert "folder" not in caught.value.message
        finally:
            await database.close()


@pytest.mark.sqlite_only
async def test_a_busy_pool_is_a_database_that_is_away(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """A caller without a connection in time is asked to try again, and no error is logged."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        pool = runtime.database._engine.sync_engine.pool
        monkeypatch.setattr(pool, "_timeout", 0.05)
        monkeypatch.setattr(pool, "_max_overflow", 0)
        async with asyncio.timeout(LIMIT_SECONDS):
            holding = [runtime.database._engine.connect() for _ in range(pool.size())]
            for one in holding:
                await one.start()
            try:
                with pytest.raises(DatabaseAway):
                    await runtime.syncs.dashboard(LOCAL_OPERATOR, "org_1")
            finally:
                for one in holding:
                    await one.close()


def _delete(path: Path) -> None:
    path.unlink()


def _replace_by_a_copy(path: Path) -> None:
    copy = path.with_name("copy")
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    copy.replace(path)


def _replace_log(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    shutil.copy(log, copy := path.with_name("copy"))
    copy.replace(log)


def _delete_index(path: Path) -> None:
    path.with_name(path.name + "-shm").unlink()


@pytest.mark.sqlite_only
@pytest.mark.parametrize("damage", [_delete, _replace_by_a_copy, _replace_log, _delete_index])
async def test_a_process_whose_file_was_taken_away_writes_nothing_more(
    settings: Settings, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
):
    """A process whose database file was replaced stops at once, says so, and makes no new file."""
    monkeypatch.setattr(file_watch, "LOOK_SECONDS", 0.05)
    async with Server(settings) as server:
        runtime, path = server.runtime, server.runtime.database.path
        assert path is not None
        assert await _ready(server) == (200, "")
        waiting = asyncio.create_task(runtime.file_watch.until_lost())
        with capture_logs() as logged:
            damage(path)
            before = sorted(os.listdir(path.parent))
            for _ in range(20):  # more than the pool has connections
                with pytest.raises(DatabaseFileLost):
                    await runtime.syncs.start(LOCAL_OPERATOR, "org_1")
            status, detail = await _ready(server)
            assert (status, "deleted or replaced" in detail) == (503, True)
            assert str(path) not in detail
            async with asyncio.timeout(LIMIT_SECONDS):
                with pytest.raises(DatabaseFileLost, match="put the right file in place"):
                    await waiting
        assert sum(line["event"] == "database_file_lost" for line in logged) == 1
        assert sorted(os.listdir(path.parent)) == before
    assert sorted(set(os.listdir(path.parent)) - {"routiq.db-wal", "routiq.db-shm"}) == sorted(
        set(before) - {"routiq.db-wal", "routiq.db-shm"}
    )
