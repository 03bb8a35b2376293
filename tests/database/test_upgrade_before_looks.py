"""A clinic that was synced before looks, webhooks and local times existed: an upgrade keeps all that readers see."""

from collections.abc import Callable

import pytest
from sqlalchemy import MetaData, func, insert, select, text
from sqlalchemy.types import NullType

from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.organizations.freshness import FreshnessMode
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncState
from tests.conftest import ENCRYPTION_KEYS
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import looks_of
from tests.organization import ORGANIZATION
from tests.syncs import run_sync, shown_rows

BEFORE_LOOKS = "0018"
PATIENT = "9"


async def copy_rows(source: Database, target: Database) -> set[str]:
    """Copy the rows of all tables and columns that the target has; the names of the tables with rows."""
    is_sqlite, tables, filled = source.path is not None, MetaData(), set[str]()
    async with target.writing() as into:
        await into.run_sync(tables.reflect)
        for table in tables.sorted_tables:
            if table.name in {"alembic_version"} or table.name.startswith(("procrastinate", "sqlite")):
                continue
            if is_sqlite:
                for column in table.columns:
                    column.type = NullType()
            async with source.reading() as connection:
                rows = [dict(row._mapping) for row in await connection.execute(select(table))]
            if rows:
                filled.add(table.name)
                await into.execute(insert(table), rows)
        if not is_sqlite:
            syncs = tables.tables["syncs"]
            last = (await into.execute(select(func.max(syncs.c.key)))).scalar_one()
            await into.execute(text("SELECT setval(pg_get_serial_sequence('syncs', 'key'), :last)"), {"last": last})
    return filled


@pytest.mark.both_databases
async def test_an_upgrade_to_looks_keeps_the_clinic(
    settings: Settings, cliniko: Cliniko, new_database_url: Callable[[], str], empty_database_url: str
):
    """Dashboard, history and lists are as before. A look then shows a change, and a comparison follows."""
    keyed = settings.model_copy(update={"encryption_keys": ENCRYPTION_KEYS, "database_url": new_database_url()})
    old = Database(empty_database_url)
    await upgrade(old, BEFORE_LOOKS)
    async with open_runtime(keyed) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        await run_sync(runtime)
        rows = await shown_rows(runtime.database)
        dashboard = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
        history = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)
        filled = await copy_rows(runtime.database, old)
    assert {"patient_versions", "syncs", "sync_log", "connections", "mirrors"} <= filled, filled
    await upgrade(old)
    await old.close()
    async with open_runtime(keyed.model_copy(update={"database_url": empty_database_url})) as runtime:
        assert await shown_rows(runtime.database) == rows
        upgraded = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
        assert upgraded.patient_stats == dashboard.patient_stats
        assert upgraded.last_sync == dashboard.last_sync
        assert await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION) == history
        assert upgraded.freshness is not None
        assert upgraded.freshness.mode is FreshnessMode.ON_DEMAND
        looks = looks_of(runtime)
        cliniko.emulator.clinic.rename(PATIENT, first_name="Zoë")
        last = await looks.look()
        assert last is not None
        assert (last.status, last.is_live_update) == (SyncState.COMPLETED, True), last.failure
        assert any(row[2] == "Zoë" for row in (await shown_rows(runtime.database))["PATIENTS"])
        assert (await looks.compare())[-1].status is SyncState.COMPLETED
