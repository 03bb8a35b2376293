"""Processes that deliver are killed with ``kill -9`` while they send; no event is lost, and the order stays."""

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import update

from routiq_gql.database.tables import WEBHOOK
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.forked import Started, start
from tests.organization import ORGANIZATION
from tests.ports import free_port
from tests.syncs import start as start_sync
from tests.waiting import LIMIT_SECONDS
from tests.webhooks.delivery import PRIVATE, accepted_in_order, register, until_sent, write
from tests.webhooks.receiver import OK, Received, Receiver

pytestmark = pytest.mark.both_databases
ROOT = Path(__file__).parents[2]
KILLS = 2
EVENTS_BETWEEN = 10


def _process(settings: Settings) -> Started:
    environment = {
        **os.environ,
        "ROUTIQ_DATABASE_URL": settings.database_url,
        "ROUTIQ_ENCRYPTION_KEYS": settings.encryption_keys,
        "ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE": "0",
        "ROUTIQ_WEBHOOK_PRIVATE": " ".join(PRIVATE),
        "ROUTIQ_LOG_LEVEL": "ERROR",
    }
    command = "serve" if settings.database_url.startswith("sqlite") else "worker"
    return start(command, "--port", str(free_port()), cwd=ROOT, env=environment)


async def _lapse_claims(runtime: Runtime) -> None:
    """With PostgreSQL a claim of a killed process lapses after a time, which the test does not wait for."""
    if runtime.database.path is None:
        async with runtime.database.writing() as connection:
            lapsed = update(WEBHOOK).where(WEBHOOK.c.claimed_until.is_not(None))
            await connection.execute(lapsed.values(claimed_until=WEBHOOK.c.created_at))


class _Holding(Receiver):
    """Accepts all requests, but holds back the answer to each request in ``held`` until ``release``."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.hold_at = 0
        self.is_holding = asyncio.Event()
        self.release = asyncio.Event()

    async def _answer(self, request: Received) -> bytes | None:
        if request.number == self.hold_at:
            self.is_holding.set()
            await self.release.wait()
        return OK


async def test_no_event_is_lost_when_processes_are_killed(settings: Settings, cliniko: Cliniko):
    """A clinic's syncs and deliveries are killed again and again; its receiver gets each event, in order."""
    settings = settings.model_copy(update={"webhook_private": PRIVATE})
    async with open_runtime(settings, run_syncs=False) as runtime, _Holding() as receiver:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        webhook_id, _ = await register(runtime, receiver)
        subjects = [f"sync_{number}" for number in range(KILLS * EVENTS_BETWEEN)]
        sync_id = await start_sync(runtime)
        for kill in range(KILLS):
            receiver.hold_at = len(receiver.received) + 4 + kill
            receiver.is_holding.clear()
            receiver.release.clear()
            for subject in subjects[kill * EVENTS_BETWEEN :][:EVENTS_BETWEEN]:
                await write(runtime.database, subject)
            process = _process(settings)
            try:
                async with asyncio.timeout(LIMIT_SECONDS):
                    await receiver.is_holding.wait()
            finally:
                process.kill()
                await asyncio.to_thread(process.wait)
            receiver.release.set()
            await _lapse_claims(runtime)
        process = _process(settings)
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                while not (await runtime.syncs.status(LOCAL_OPERATOR, sync_id)).is_terminal:
                    await asyncio.sleep(0.05)
            sent = await until_sent(runtime.database, webhook_id)
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)
        accepted_in_order(receiver, sent)
        assert [one.subject for one in sent if one.subject in set(subjects)] == subjects
        # The receiver had each event whose sender was killed, and got it again.
        assert len(receiver.accepted) == len(sent) + KILLS
