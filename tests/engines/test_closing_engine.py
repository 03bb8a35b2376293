"""An engine that is closed while it claims a sync."""

import asyncio
from datetime import timedelta

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.database.syncs import syncs_where
from routiq_gql.database.tables import SYNC
from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, awkward_clinic
from routiq_gql.engines.embedded import EmbeddedEngine
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.run import SyncRun


@pytest.mark.sqlite_only  # the workers of PostgreSQL get their syncs from a queue
async def test_a_sync_that_is_claimed_while_the_server_stops_is_left_to_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """A server that stops in the moment of a claim does not begin the sync, and the claim does not count as lost."""
    emulator = Emulator(awkward_clinic(utc_now()))
    claimed, may_return = asyncio.Event(), asyncio.Event()
    async with EmulatorServer(emulator) as cliniko, open_runtime(settings) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, "org_1", EMULATED_API_KEY, cliniko.base_url, check=False)
        engine = runtime.engine
        assert isinstance(engine, EmbeddedEngine)
        claim = engine._runner.claim

        async def claim_slowly(key: int, epoch: int) -> SyncRun | None:
            run = await claim(key, epoch)
            claimed.set()
            await may_return.wait()
            return run

        monkeypatch.setattr(engine._runner, "claim", claim_slowly)
        started = await runtime.syncs.start(LOCAL_OPERATOR, "org_1")
        await claimed.wait()
        await engine.close(timedelta(seconds=1))
        may_return.set()
        await until_idle(engine)
        async with runtime.database.reading() as connection:
            (row,) = await syncs_where(connection, SYNC.c.sync_id == started.sync.sync_id)
    assert emulator.requests == []
    assert (row.claimed_by, row.completed_at, row.lost_claims) == (None, None, 0)


async def until_idle(engine: EmbeddedEngine) -> None:
    """Wait until the engine's worker has ended, and check that it has begun no run."""
    for _ in range(20):
        await asyncio.sleep(0.01)
        assert engine.running == 0
