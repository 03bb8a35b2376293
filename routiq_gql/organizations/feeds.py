"""All feeds of a process, and the task that re-reads the database for them.

Notifications make feeds fast; this task makes them correct. With SQLite it compares the change token, so an unchanged
database costs no statement. Otherwise one statement covers all followed syncs and one all watched dashboards, whatever
the number of their followers.
"""

import asyncio
from contextlib import suppress
from math import ceil
from types import TracebackType
from typing import Self

from routiq_gql.database.engine import Database
from routiq_gql.live.bus import ProgressBus
from routiq_gql.live.patient_feeds import PatientFeeds
from routiq_gql.live.sync_feeds import SyncFeeds
from routiq_gql.organizations.dashboard import Dashboards
from routiq_gql.organizations.dashboard_feeds import DashboardFeeds
from routiq_gql.organizations.interest import Interest
from routiq_gql.settings import Settings
from routiq_gql.supervision import Supervisor
from routiq_gql.sync.engine import SyncEngine
from routiq_gql.waiting import set_within

REREAD_SECONDS_ELSEWHERE = 0.5
"""The interval in a process that is not notified of the changes of running syncs."""
CLOCK_SECONDS = 60.0
"""Within this time a dashboard follows the clock, such as when the next sync becomes a full sync."""
LONGEST_PAUSE_SECONDS = 5.0
"""The longest pause before a database that is away is tried again."""


class Feeds:
    """The feeds of a process. Use it as a context manager, which re-reads the database meanwhile.

    Attributes:
        syncs: Those of the syncs that are followed.
        dashboards: Those of the organizations whose dashboards are watched.
        patients: Those of the organizations whose patients are watched.
        interest: Notes the organizations that clients read.
    """

    def __init__(
        self, database: Database, bus: ProgressBus, engine: SyncEngine, settings: Settings, supervisor: Supervisor
    ) -> None:
        self._database = database
        self._engine = engine
        self._settings = settings
        self.syncs = SyncFeeds(database, bus)
        self.dashboards = DashboardFeeds(database, bus, Dashboards(database, settings))
        self.patients = PatientFeeds(database, bus)
        self.interest = Interest(database, settings)
        self._interest_task = supervisor.task("interest", "Changes in Cliniko are seen late.")
        self._supervised = supervisor.task("feeds", "Changes are shown late or not at all.", LONGEST_PAUSE_SECONDS)
        self._task: asyncio.Task[None] | None = None
        self._token: int | None = None
        self._step = 0
        self._wanted = asyncio.Event()
        bus.on_gap(self._wanted.set)
        self.interest.on_news = self._wanted.set
        self.interest.on_return = self._read_again

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._supervised.repeat(self._wait_and_reread), name="feeds")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self.syncs.close()
        self.patients.close()
        await self.dashboards.close()

    def __len__(self) -> int:
        """How many feeds are open."""
        return len(self.syncs) + len(self.dashboards) + len(self.patients)

    @property
    def interval_seconds(self) -> float:
        """Time between two looks at the database."""
        return self._settings.reread_seconds if self._engine.receives_updates else REREAD_SECONDS_ELSEWHERE

    async def _wait_and_reread(self) -> None:
        await set_within(self._wanted, self.interval_seconds)
        self._wanted.clear()
        self._note_time()
        await self._interest_task.attempt(self._write_interest)
        try:
            await self.reread()
        except Exception:
            self._wanted.set()  # right after the pause
            raise

    async def reread(self) -> None:
        """Bring all feeds up to date with the database; without any statement if it has not changed.

        Raises:
            StorageError: The database can't be read.
        """
        token = self._database.change_token()
        if token is not None and token == self._token and not self.dashboards.is_behind:
            return
        current_syncs = [sync for feed in self.dashboards if (sync := feed.current_sync) is not None]
        await self.syncs.reread(current_syncs)
        await self.dashboards.reread()
        await self.patients.reread()
        self._token = token

    async def _write_interest(self) -> None:
        followed = {feed.organization_id for feed in self.dashboards}
        followed |= {feed.topic.organization_id for feed in self.patients}
        await self.interest.write(followed)

    def _read_again(self, organization_id: str) -> None:
        """Read a watched dashboard: the interval of looks has changed."""
        feed = self.dashboards.find(organization_id)
        if feed is not None:
            feed.require_read()

    def _note_time(self) -> None:
        """Let a part of the dashboards follow the clock; all have had their turn within ``CLOCK_SECONDS``."""
        steps = ceil(CLOCK_SECONDS / self.interval_seconds)
        self._step = (self._step + 1) % steps
        for feed in list(self.dashboards)[self._step :: steps]:
            feed.note_time()
