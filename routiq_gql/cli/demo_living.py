"""Lets the demo's clinic live: after the first completed sync its people change something every few seconds."""

import asyncio

from routiq_gql.clock import utc_now
from routiq_gql.emulator import Clinic, ClinicLife
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.supervision import SupervisedTask

ASK_SECONDS = 1.0
"""How often the demo asks whether its first sync has completed."""


async def keep_living(clinic: Clinic, runtime: Runtime, organization_id: str) -> None:
    """Change ``clinic`` until cancelled, once a sync of this demo has completed."""
    task = SupervisedTask("living clinic", "The emulated clinic stays as it is.")
    life, began = ClinicLife(clinic), utc_now()

    async def until_synced() -> None:
        while True:
            await asyncio.sleep(ASK_SECONDS)
            newest = (await runtime.syncs.dashboard(LOCAL_OPERATOR, organization_id)).last_successful_sync
            if newest is not None and newest.completed_at is not None and newest.completed_at >= began:
                return

    async def step() -> None:
        life.step()
        await asyncio.sleep(life.seconds_to_next())

    await task.until_done(until_synced)
    await task.repeat(step)
