"""Makes once for a whole test process what a server makes at each of its starts.

A test process starts about a thousand servers. Building the GraphQL schema, loading the migrations and collecting
garbage took three quarters of the processor time of a start. Compiling the statements anew took a tenth of a test.
"""

from functools import cache
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import LRUCache

from routiq_gql.api import page
from routiq_gql.api.graphql import view
from routiq_gql.database.postgresql import PostgresServer
from routiq_gql.database.sqlite import SqliteFile
from routiq_gql.serving import server


def share_between_servers(patch: pytest.MonkeyPatch) -> None:
    """Give all servers of this process the same schemas, migrations and policy of the page, which never change.

    Servers also stop tuning the garbage collector: each would freeze the objects of the tests before it, and they
    would stay in memory until the process ends.
    """
    patch.setattr(view, "make_schema", cache(view.make_schema))
    patch.setattr(page, "_policy", cache(page._policy))
    patch.setattr(server, "tune_gc", lambda: None)
    load = ScriptDirectory.from_config
    scripts: dict[str, ScriptDirectory] = {}

    def from_config(_class: Any, config: Config) -> ScriptDirectory:
        folder = config.get_main_option("script_location", "")
        if folder not in scripts:
            scripts[folder] = load(config)
        return scripts[folder]

    patch.setattr(ScriptDirectory, "from_config", classmethod(from_config))
    for storage, dialect in ((SqliteFile, SQLiteDialect_aiosqlite), (PostgresServer, PGDialectAsync_psycopg)):
        _share_compiled_statements(patch, storage, dialect)


def _share_compiled_statements(
    patch: pytest.MonkeyPatch, storage: type[SqliteFile | PostgresServer], dialect: type[Dialect]
) -> None:
    """Let all databases of a kind use the same cache of compiled statements, whose keys hold the dialect."""
    create = storage.create_engine
    compiled: LRUCache[Any, Any] = LRUCache(5_000)

    def create_engine(self: Any) -> AsyncEngine:
        engine: AsyncEngine = create(self)
        engine.sync_engine._compiled_cache = compiled
        return engine

    patch.setattr(storage, "create_engine", create_engine)
    patch.setattr(dialect, "__eq__", lambda one, other: type(one) is type(other))
    patch.setattr(dialect, "__hash__", lambda one: hash(type(one)))


def tune_gc_for_tests() -> None:
    """Keep the collected tests and the imported modules out of every garbage collection."""
    server.tune_gc()
