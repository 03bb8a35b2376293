"""The cost of the next sync, remembered between dashboards, is that which a process without memory reads."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from routiq_gql.database.engine import Database
from routiq_gql.database.tables import MIRROR, SYNC
from routiq_gql.settings import Settings
from routiq_gql.sync import forecast
from routiq_gql.sync.forecast import Forecasts
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
ORGANIZATIONS = ("org_a", "org_b", "org_c")
SETTINGS = Settings(history_days=730, cliniko_requests_per_minute=0)


async def complete(database: Database, chance: random.Random, organization_id: str, at: datetime) -> None:
    """A sync that has taken some requests; now and then it is published after a switch of the account."""
    mode = chance.choice([SyncMode.FULL, SyncMode.INCREMENTAL])
    values = {**first_values(mode, at), "organization_id": organization_id, "version": 1, "epoch": 0}
    values |= {"sync_id": f"sync_{organization_id}_{at:%H%M%S}", "status": "completed"}
    values |= {"completed_at": at + timedelta(seconds=chance.randint(1, 90)), "requests": chance.randint(5, 500)}
    async with database.writing() as connection:
        key = (await connection.execute(insert(SYNC).values(values).returning(SYNC.c.key))).scalar_one()
        shown = {"sync": key, "oldest_kept": key, "mark": at, "full_at": at, "account": "a", "format": 1}
        row = {"organization_id": organization_id, "keeps_window": False, "patients_in_cliniko": 1, **shown}
        made = upsert(MIRROR).values(row).on_conflict_do_update(index_elements=["organization_id"], set_=shown)
        await connection.execute(made)
        if chance.random() < 0.2:
            await connection.execute(update(MIRROR).where(MIRROR.c.sync == key).values(sync=0))


@pytest.mark.parametrize("seed", range(2))
async def test_what_is_remembered_is_what_would_be_read(database: Database, monkeypatch: pytest.MonkeyPatch, seed: int):
    """After any syncs of several clinics each clinic's estimate is that of its own newest syncs."""
    monkeypatch.setattr(forecast, "REMEMBERED_ORGANIZATIONS", 2)
    chance, remembering = random.Random(seed), Forecasts(SETTINGS)
    by_mode = set()
    for number in range(15):
        await complete(database, chance, chance.choice(ORGANIZATIONS), NOW + number * timedelta(hours=1))
        for one in ORGANIZATIONS:
            query = select(SYNC.c.key).where(SYNC.c.organization_id == one).order_by(SYNC.c.key.desc()).limit(1)
            async with database.reading() as connection:
                newest = (await connection.execute(query)).scalar_one_or_none()
                found = await remembering.next_sync(connection, one, newest)
                assert found == await Forecasts(SETTINGS).next_sync(connection, one, newest)
                by_mode.add(str(found))
    assert len(by_mode) > 10
