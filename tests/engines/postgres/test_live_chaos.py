"""Organizations that are kept live, while the workers that look at Cliniko are killed or replaced.

Looks continue in the other process, all of them keep to the share of the key, and the rows end up as in the clinic.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.engines.postgres.workers import read_workers
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncMode
from tests.engines.postgres.processes import LIMIT_SECONDS, Clinics, Process, clinics
from tests.syncs import run_sync, shown_rows

pytestmark = [pytest.mark.postgres_only, pytest.mark.timeout(600)]

PACE = 200
SHARE = PACE // 10
LATENCY_SECONDS = 0.2
ORGANIZATIONS = 2


class Live:
    """Two workers that keep organizations with the same key live."""

    def __init__(self, group: Clinics, workers: list[Process]) -> None:
        self.group = group
        self.workers = workers
        self.begun = len(group.emulator.requests)
        self.edits = 0

    def edit(self) -> str:
        """A class with a new patient, so that the sync of the look asks for more than the look has read."""
        clinic, self.edits = self.group.emulator.clinic, self.edits + 1
        name = f"Zoë {self.edits}"
        group = clinic.insert_class(utc_now() + timedelta(days=2))
        clinic.insert_attendee(group, clinic.insert_patient(first_name=name))
        return name

    async def until_shown(self, name: str) -> None:
        """Return once readers of every organization see the patient."""
        for organization_id in self.group.organizations:
            await until(lambda one=organization_id: self._shows(one, name))

    async def _shows(self, organization_id: str, name: str) -> bool:
        rows = await shown_rows(self.group.runtime.database, organization_id)
        return any(row[2] == name for row in rows["PATIENTS"])

    async def at_work(self) -> Process:
        """The worker that runs the sync of a look, as soon as there is one."""
        found: list[Process] = []

        async def is_found() -> bool:
            async with self.group.runtime.database.reading() as connection:
                names = [one.name for one in await read_workers(connection) if one.sync_ids]
            found.extend(one for one in self.workers for name in names if name.endswith(f":{one.pid}"))
            return bool(found)

        await until(is_found)
        return found[0]

    def check_share(self) -> None:
        """Within any minute since the first syncs, all organizations together have sent no more than the share."""
        times = [request.time for request in self.group.emulator.requests[self.begun :]]
        for place, first in enumerate(times):
            assert sum(one < first + timedelta(minutes=1) for one in times[place:]) <= SHARE, first

    async def check(self) -> None:
        """A sync of everything finds nothing to correct."""
        for organization_id in self.group.organizations:
            found = await shown_rows(self.group.runtime.database, organization_id)
            whole = await run_sync(self.group.runtime, organization_id, SyncMode.FULL)
            assert whole.receipt is not None
            assert (whole.receipt.added, whole.receipt.updated, whole.receipt.removed) == (0, 0, 0)
            assert await shown_rows(self.group.runtime.database, organization_id) == found


async def until(condition: Callable[[], object]) -> None:
    """Return once a condition, which reads the database, holds."""
    async with asyncio.timeout(3 * LIMIT_SECONDS):
        while not await condition():  # type: ignore[misc]
            await asyncio.sleep(0.05)


@asynccontextmanager
async def live(settings: Settings, pace: int, every_seconds: int) -> AsyncIterator[Live]:
    """Organizations that are synced and live."""
    paced = settings.model_copy(update={"cliniko_requests_per_minute": pace})
    async with (
        clinics(paced, ORGANIZATIONS, patients=60, latency_seconds=LATENCY_SECONDS) as group,
        AsyncExitStack() as stack,
    ):
        keeps_live = {"ROUTIQ_REFRESH_SECONDS": str(every_seconds)}
        workers = [await stack.enter_async_context(Process(paced, "worker", more=lambda: keeps_live)) for _ in range(2)]
        for worker in workers:
            await worker.until_printed("Runs up to")
        await group.start()
        await group.until_ended()
        yield Live(group, workers)


async def test_workers_that_look_are_killed(settings: Settings):
    """A worker is killed, at a look or between two: the other worker shows the next change in Cliniko."""
    async with live(settings, 0, 1) as kept:
        for worker in kept.workers:
            name = kept.edit()
            before = len(kept.group.emulator.requests)

            async def is_asked(before: int = before) -> bool:
                return len(kept.group.emulator.requests) > before

            await until(is_asked)
            worker.send(signal.SIGKILL)
            await kept.until_shown(name)
        await kept.check()


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_worker_of_a_look_s_sync_is_killed_or_replaced(settings: Settings, number: signal.Signals):
    """Another worker, or its successor, ends the sync. It knows what the first one has sent."""
    async with live(settings, PACE, 12) as kept:
        name = kept.edit()
        worker = await kept.at_work()
        worker.send(number)
        await kept.until_shown(name)
        assert worker.codes
        await kept.until_shown(kept.edit())
        kept.check_share()
        await kept.check()
