"""Plays histories: emulated clinics behind HTTP, a real database, and syncs that are run by the product's runner.

The time stands still except where a history lets it pass, in the service and in the clinics alike. A `world` lives as
long as a test; each history uses two new organizations of its database.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from sqlalchemy import select

from routiq_gql import clock
from routiq_gql.cliniko import PacerRegistry, lists
from routiq_gql.connections.clients import ClientOpener
from routiq_gql.database.keys import KeyStore
from routiq_gql.database.mirror import MirrorList, visible
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.rows import MirrorRow, SyncRow
from routiq_gql.database.syncs import syncs_where
from routiq_gql.database.tables import ACTIVITY, SYNC
from routiq_gql.emulator import EMULATED_API_KEY, Clinic, Emulator, EmulatorServer, RecordedRequest
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync import drafting, pipeline, preparing, source
from routiq_gql.sync.model import SyncMode
from routiq_gql.sync.pipeline import Pipeline
from routiq_gql.sync.reconcile import bisecting, classes
from routiq_gql.sync.runner import SyncRunner
from tests.sync.histories.edits import carry_out, make_clinic
from tests.sync.histories.oracle import Content, Values, content_of
from tests.sync.histories.steps import (
    HISTORY_DAYS,
    RECENT_DAYS,
    UPCOMING_DAYS,
    History,
    Moment,
    Tuning,
)

BEGINNING = datetime(2026, 3, 10, 9, 17, 23, tzinfo=UTC)


class StandingTime:
    """Replaces ``datetime`` in ``routiq_gql.clock``."""

    def __init__(self) -> None:
        self.moment = BEGINNING

    def now(self, zone: tzinfo) -> datetime:
        return self.moment.astimezone(zone)


@dataclass
class Organization:
    """An organization, its clinic, and what its completed syncs have shown.

    Attributes:
        states: The content that the clinic had since the running sync has begun, oldest first.
        shown: By the numbers of the published syncs: their content and activity.
    """

    name: str
    emulator: Emulator
    states: list[Content] = field(default_factory=list)
    shown: dict[int, tuple[Content, dict[int, Values]]] = field(default_factory=dict)

    @property
    def clinic(self) -> Clinic:
        return self.emulator.clinic


class World:
    """The parts that play histories."""

    def __init__(
        self, runtime: Runtime, runner: SyncRunner, servers: list[EmulatorServer], patch: pytest.MonkeyPatch
    ) -> None:
        self.runtime = runtime
        self.runner = runner
        self.time = StandingTime()
        self._servers = servers
        self._patch = patch
        self._made = 0
        patch.setattr(clock, "datetime", self.time)

    def tune(self, tuning: Tuning) -> None:
        """Set the sizes of pages and steps."""
        assert lists.read_list.__kwdefaults__ is not None
        self._patch.setitem(lists.read_list.__kwdefaults__, "per_page", tuning.per_page)
        self._patch.setattr(bisecting, "LEAF_ROWS", tuning.leaf_rows)
        self._patch.setattr(drafting, "ROWS_PER_STEP", tuning.rows_per_step)
        self._patch.setattr(preparing, "ROWS_PER_STEP", tuning.rows_per_step)
        self._patch.setattr(source, "IDS_PER_STEP", tuning.rows_per_step)
        self._patch.setattr(pipeline, "SLICE_PATIENTS", tuning.rows_per_step)
        for module in (drafting, classes):
            self._patch.setattr(module, "MOST_IDS", tuning.ids_per_request)
        self._patch.setattr(source, "CLASSES_PER_REQUEST", tuning.ids_per_request)
        self._patch.setattr(classes, "REQUESTS", tuning.class_requests)

    async def organizations(self, history: History) -> list[Organization]:
        """Two new organizations with the clinics of a history."""
        self.time.moment = BEGINNING
        made = []
        for server, size in zip(self._servers, history.sizes, strict=True):
            self._made += 1
            server.emulator.clinic = make_clinic(size, self.time.moment)
            server.emulator.requests.clear()
            organization = Organization(f"org_{self._made}", server.emulator)
            await self.runtime.connections.connect(
                LOCAL_OPERATOR, organization.name, EMULATED_API_KEY, server.base_url, check=False
            )
            made.append(organization)
        return made

    async def sync(self, organization: Organization, mode: SyncMode, during: tuple[Moment, ...]) -> SyncRow:
        """Run a sync to its end, and return its row."""
        started = await self.runtime.syncs.start(LOCAL_OPERATOR, organization.name, mode)
        assert started.created
        key = started.sync.key
        horizon = await self._horizon(organization, started.sync.started_at)
        organization.states = [content_of(organization.clinic, horizon)]
        number = 0

        def happen(*, is_before: bool) -> None:
            for moment in during:
                if moment.number == number and moment.is_before is is_before and (moment.edits or moment.passes):
                    for edit in moment.edits:
                        carry_out(edit, organization.clinic)
                        organization.states.append(content_of(organization.clinic, horizon))
                    self.time.moment += moment.passes

        def before(_request: RecordedRequest) -> None:
            nonlocal number
            number += 1
            happen(is_before=True)

        organization.emulator.before_request = before
        organization.emulator.after_request = lambda _request: happen(is_before=False)
        try:
            while (run := await self.runner.claim(key)) is not None:
                await self.runner.run(run)
        finally:
            organization.emulator.before_request = organization.emulator.after_request = None
        async with self.runtime.database.reading() as connection:
            (row,) = await syncs_where(connection, SYNC.c.key == key)
        return row

    async def _horizon(self, organization: Organization, started_at: datetime) -> datetime:
        mirror = await self.mirror(organization)
        start = started_at.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=HISTORY_DAYS)
        return start if mirror is None or mirror.horizon_from is None else max(start, mirror.horizon_from)

    async def mirror(self, organization: Organization) -> MirrorRow | None:
        async with self.runtime.database.reading() as connection:
            return await mirror_of(connection, organization.name)

    async def content_at(self, organization: Organization, sync: int) -> tuple[Content, dict[int, Values]]:
        """The content and the activity that readers see at a sync, or would see."""
        mirror = await self.mirror(organization)
        assert mirror is not None
        content: dict[str, dict[int, Values]] = {}
        async with self.runtime.database.reading() as connection:
            for target in MirrorList:
                columns = [target.table.c[name] for name in target.read_columns]
                query = select(target.table.c.id, target.table.c.is_stub, *columns)
                query = query.where(target.of(mirror.number), visible(target.table, mirror.number, sync))
                content[target.resource] = {}
                for row_id, is_stub, *values in await connection.execute(query):
                    assert row_id not in content[target.resource], "two versions of a row are visible"
                    row = {} if is_stub else dict(zip(target.read_columns, values, strict=True))
                    content[target.resource][row_id] = row
            names = [name for name in ACTIVITY.c.keys() if name not in {"mirror", "id", "from_sync", "to_sync"}]
            query = select(ACTIVITY.c.id, *(ACTIVITY.c[name] for name in names))
            activity: dict[int, Values] = {}
            for row_id, *values in await connection.execute(query.where(visible(ACTIVITY, mirror.number, sync))):
                assert row_id not in activity, "two results of a patient are visible"
                activity[row_id] = dict(zip(names, values, strict=True))
        return content, activity


@asynccontextmanager
async def open_world(settings: Settings) -> AsyncIterator[World]:
    """A world with two emulated Clinikos, and a runtime whose syncs are run by the test."""
    changes = {
        "recent_days": RECENT_DAYS,
        "upcoming_days": UPCOMING_DAYS,
        "history_days": HISTORY_DAYS,
        "starts_per_minute": 100_000,
        "connects_per_minute": 100_000,
        "sync_time_limit": 100 * 86_400,
        "cliniko_retry_seconds": 0.001,
    }
    settings = settings.model_copy(update=changes)
    settings.model_fields_set.update(changes)
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        servers = [await stack.enter_async_context(EmulatorServer(Emulator(Clinic("Histories")))) for _ in range(2)]
        runtime = await stack.enter_async_context(open_runtime(settings, run_syncs=False))
        database = runtime.database
        clients = ClientOpener(database, KeyStore(settings.encryption_keys, database.path), settings, PacerRegistry(0))
        steps = Pipeline(database, clients, settings).run
        runner = SyncRunner(database, runtime.bus, steps, timedelta(days=100), runtime.supervisor)
        yield World(runtime, runner, servers, patch)


def playing(settings: Settings) -> "Player":
    """A player of histories, for tests that are not asynchronous."""
    return Player(settings)


class Player:
    """Runs coroutines with a world, one after the other, in an event loop of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runner = asyncio.Runner()
        self._opened = open_world(settings)

    def __enter__(self) -> Callable[[Callable[[World], "asyncio.Future[None]"]], None]:
        self._world = self._runner.run(self._opened.__aenter__())
        return lambda play: self._runner.run(play(self._world))  # type: ignore[arg-type]

    def __exit__(self, *error: object) -> None:
        try:
            self._runner.run(self._opened.__aexit__(None, None, None))
        finally:
            self._runner.close()
