"""PostgreSQL with the same two kinds of transaction: concurrent writes, and the content of errors."""

import asyncio
from contextlib import suppress

import psycopg
import pytest
import structlog
from sqlalchemy import insert, select, text
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import IntegrityError

from routiq_gql.clock import utc_now
from routiq_gql.database.columns import among
from routiq_gql.database.connections import connection_of, save_connection
from routiq_gql.database.engine import Database
from routiq_gql.database.keys import KeyStore
from routiq_gql.database.postgresql import TRUSTED_SECONDS
from routiq_gql.database.schema import upgrade
from routiq_gql.database.tables import SYNC
from routiq_gql.errors import DatabaseAway, SettingsError, StorageError
from routiq_gql.settings import load_settings
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode
from tests.postgres import Cluster
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.postgres_only

VALUES = {
    **dict.fromkeys(("account_name", "account_subdomain", "role", "last_validated_at", "problem_code")),
    "problem_message": None,
    "problem_what_to_do": None,
    "state": "connected",
    "base_url": "",
    "shard": "au1",
    "encrypted_key": b"",
    "encryption_key_id": "0",
}


@pytest.fixture
async def database(database_url):
    """A database with all tables."""
    opened = Database(database_url)
    yield opened
    await opened.close()


async def test_two_reads_of_one_transaction_agree(database):
    """A reader sees the state of a single moment, whatever is written meanwhile."""
    async with database.reading() as reader:
        before = await connection_of(reader, "org_a")
        async with database.writing() as writer:
            await save_connection(writer, "org_a", VALUES)
        assert await connection_of(reader, "org_a") == before is None
    async with database.reading() as reader:
        assert await connection_of(reader, "org_a") is not None


async def test_a_cancelled_read_leaves_its_connection_writable(database, monkeypatch: pytest.MonkeyPatch):
    """A page that is closed at a busy moment does not make later starts of syncs fail."""
    # A busy psycopg suspends its caller in any method, also in those that only store an option.
    monkeypatch.setattr(psycopg.waiting, "MAX_BUSY_TIME", 0)
    monkeypatch.setattr(DefaultDialect, "_set_connection_characteristics", _read_only_first)

    async def read() -> None:
        async with database.reading() as connection:
            await connection_of(connection, "org_a")

    for turns in range(30):
        reading = asyncio.create_task(read())
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        async with database.writing() as connection:
            await connection.execute(text("UPDATE connections SET role = role"))


def _read_only_first(dialect, connection, characteristics):
    """SQLAlchemy's method with its options in a fixed order; they come from a set of names."""
    _set_options(dialect, connection, dict(sorted(characteristics.items(), reverse=True)))


_set_options = DefaultDialect._set_connection_characteristics


async def test_a_reader_can_not_write(database):
    """A reading transaction that writes is refused."""
    with pytest.raises(StorageError, match="is read-only"):
        async with database.reading() as connection:
            await save_connection(connection, "org_a", VALUES)


async def test_no_change_of_a_row_that_was_read_for_it_is_lost(database):
    """Twenty concurrent increments of the same row all count."""
    async with database.writing() as connection:
        await save_connection(connection, "org_a", VALUES)

    async def count() -> None:
        for _ in range(5):
            async with database.writing() as connection:
                row = await connection_of(connection, "org_a", to_change=True)
                await save_connection(connection, "org_a", {**VALUES, "encryption_key_id": f"{row.encryption_key_id}1"})

    async with asyncio.timeout(LIMIT_SECONDS):
        await asyncio.gather(*(count() for _ in range(12)))
    async with database.reading() as connection:
        assert (await connection_of(connection, "org_a")).encryption_key_id == "0" + "1" * 60


async def test_a_cancelled_long_statement_frees_its_locks_at_once(database):
    """A cancellation does not wait for a long computation in the database."""
    async with database.writing() as connection:
        await save_connection(connection, "org_a", VALUES)
    started = asyncio.Event()

    async def compute_for_long() -> None:
        async with database.writing() as connection:
            await save_connection(connection, "org_a", {**VALUES, "shard": "uk1"})
            started.set()
            await connection.execute(text("SELECT pg_sleep(600)"))

    task = asyncio.create_task(compute_for_long())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(LIMIT_SECONDS), database.writing() as connection:
        assert (await connection_of(connection, "org_a", to_change=True)).shard == "au1"


async def test_errors_do_not_show_the_row(database):
    """An error never shows the refused row, although the server reports it."""
    row = {**first_values(SyncMode.FULL, utc_now()), "organization_id": "org_secret", "version": 1, "epoch": 0}
    with pytest.raises(IntegrityError) as caught:
        async with database.writing() as connection:
            for sync_id in ("one", "two"):
                await connection.execute(insert(SYNC).values(**row, sync_id=sync_id))
    assert "uq_syncs_active_organization" in str(caught.value)
    assert "org_secret" not in f"{caught.value!s}{caught.value.orig!s}"


async def test_many_processes_may_upgrade_at_once(postgres):
    """Ten servers that start together on an empty database make its tables once."""
    url = postgres.create()
    databases = [Database(url) for _ in range(10)]
    async with asyncio.timeout(LIMIT_SECONDS):
        revisions = await asyncio.gather(*(upgrade(one) for one in databases))
    assert len(set(revisions)) == 1
    for one in databases:
        await one.close()
    postgres.drop(url)


async def test_an_unreachable_server_is_reported_in_a_sentence():
    """At the start the operator reads libpq's reason, and where to look."""
    database = Database("postgresql+psycopg://routiq:s3cret@127.0.0.1:1/routiq")
    with pytest.raises(StorageError, match=r"PostgreSQL can't be used .*refused.*Check ROUTIQ_DATABASE_URL") as caught:
        await upgrade(database)
    assert "s3cret" not in str(caught.value)
    await database.close()


async def test_a_server_that_is_down_for_a_while():
    """While the server is down, clients get an error and the log has the reason once; afterwards everything works."""
    with Cluster() as cluster, structlog.testing.capture_logs() as logged:
        database = Database(cluster.url)
        await upgrade(database)
        cluster.stop()
        for _ in range(3):
            with pytest.raises(DatabaseAway, match="can't be reached at the moment"):
                async with database.reading() as connection:
                    await connection_of(connection, "org_a")
        cluster.start()
        async with asyncio.timeout(LIMIT_SECONDS), database.writing() as connection:
            await save_connection(connection, "org_a", VALUES)
        await database.close()
    assert [line["event"] for line in logged if line["event"].startswith("database")] == [
        "database_unreachable",
        "database_reachable",
    ]


async def test_connections_that_were_lost_at_rest_are_exchanged(database, postgres):
    """Idle connections cut by a firewall or a restart don't make the next transaction fail."""

    async def use(together: asyncio.Barrier) -> int:
        async with database.reading() as connection:
            await together.wait()
            return (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()

    async def use_three() -> list[int]:
        together = asyncio.Barrier(3)
        return await asyncio.gather(*(use(together) for _ in range(3)))

    before = await use_three()
    other = Database(postgres.create())
    async with other.writing() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(pid) FROM unnest(:pids) AS pid"), {"pids": before})
    await other.close()
    await asyncio.sleep(TRUSTED_SECONDS + 0.1)
    assert set(await use_three()).isdisjoint(before)


async def test_a_frozen_process_loses_its_locks(database, monkeypatch):
    """The server ends a transaction of a frozen process; other processes continue."""
    monkeypatch.setattr("routiq_gql.database.postgresql.SERVER_OPTIONS", "-c idle_in_transaction_session_timeout=200ms")
    frozen = Database(database.url.render_as_string(hide_password=False))
    async with database.writing() as connection:
        await save_connection(connection, "org_a", VALUES)
    with suppress(DatabaseAway):
        async with frozen.writing() as holder:
            await connection_of(holder, "org_a", to_change=True)
            async with asyncio.timeout(LIMIT_SECONDS), database.writing() as other:
                await save_connection(other, "org_a", {**VALUES, "shard": "uk1"})
    await frozen.close()
    async with database.reading() as connection:
        assert (await connection_of(connection, "org_a")).shard == "uk1"


def test_without_configured_keys_the_sentence_says_how_to_make_one():
    """The error explains how to make a key, since PostgreSQL has no folder for a key file."""
    with pytest.raises(SettingsError, match=r"ROUTIQ_ENCRYPTION_KEYS is not set.*base64"):
        KeyStore("", None).load()


@pytest.mark.parametrize("url", ["mysql://a/b", "postgresql://a/b", "postgresql+psycopg://a:b@c@d:port/x"])
def test_another_kind_of_database_is_refused(url):
    """The error names both forms, and never shows the URL, which may hold a password."""
    with pytest.raises(SettingsError, match="ROUTIQ_DATABASE_URL is wrong") as caught:
        load_settings(database_url=url)
    assert url not in str(caught.value)


async def test_a_list_of_numbers_is_parsed_once_per_statement(database):
    """A query for thousands of syncs takes milliseconds, even where the server scans a table for lack of statistics."""
    query = select(SYNC.c.key).where(among(SYNC.c.key, range(5_000)))
    text_of_query = str(query.compile(dialect=database._engine.dialect))
    (name,) = query.compile(dialect=database._engine.dialect).params
    numbers = "{" + ",".join(map(str, range(5_000))) + "}"
    async with database.reading() as connection:
        for method in ("indexscan", "bitmapscan", "indexonlyscan"):
            await connection.exec_driver_sql(f"SET LOCAL enable_{method} = off")
        plan = await connection.exec_driver_sql(f"EXPLAIN {text_of_query}", {name: numbers})
        lines = [line for (line,) in plan]
    assert any("Seq Scan" in line for line in lines)
    assert any("InitPlan" in line for line in lines)
    assert not any("4998,4999" in line for line in lines if "Filter" in line)
