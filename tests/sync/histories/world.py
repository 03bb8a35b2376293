"""Plays histories: emulated clinics behind HTTP, a real database, and syncs that are run by the product's runner.

The time stands still except where a history lets it pass, in the service and in the clinics alike. A `world` lives as
long as a test; each history uses two new organizations of its database.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
from sqlalchemy import select

from routiq_gql import clock
from routiq_gql.cliniko import Backoff, PacerRegistry, lists
from routiq_gql.connections.clients import ClientOpener
from routiq_gql.database.keep_out import KeepOut
from routiq_gql.database.keys import KeyStore
from routiq_gql.database.mirror import MirrorList, visible
from routiq_gql.database.pruning import Cutoffs, prune_batch
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.rows import MirrorRow, SyncRow
from routiq_gql.database.syncs import syncs_where
from routiq_gql.database.tables import ACTIVITY, LISTING, SYNC
from routiq_gql.database.version_pruning import KEEP_VERSIONS
from routiq_gql.emulator import EMULATED_API_KEY, Clinic, Emulator, EmulatorServer
from routiq_gql.patients.lists import PatientList
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync import drafting, pipeline, preparing, run, source
from routiq_gql.sync.found_pages import FoundPagesKeeper
from routiq_gql.sync.model import SyncSnapshot
from routiq_gql.sync.pipeline import Pipeline
from routiq_gql.sync.reconcile import bisecting, classes
from routiq_gql.sync.runner import Outcome, SyncRunner
from tests.sync.histories.edits import carry_out, make_clinic
from tests.sync.histories.oracle import Content, Values, content_of
from tests.sync.histories.steps import (
    FAULTS,
    HISTORY_DAYS,
    MINUTE,
    RECENT_DAYS,
    UPCOMING_DAYS,
    History,
    Moment,
    Round,
    Trouble,
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
        lists: Likewise: the patients of each list.
    """

    name: str
    emulator: Emulator
    states: list[Content] = field(default_factory=list)
    shown: dict[int, tuple[Content, dict[int, Values]]] = field(default_factory=dict)
    lists: dict[int, dict[str, set[int]]] = field(default_factory=dict)

    @property
    def clinic(self) -> Clinic:
        return self.emulator.clinic


class _Playing:
    """A running sync, and what happens to it at its requests and transactions."""

    def __init__(
        self,
        world: "World",
        organization: Organization,
        snapshot: SyncSnapshot,
        during: tuple[Moment, ...],
        horizon: datetime,
    ) -> None:
        self._world = world
        self._organization = organization
        self._snapshot = snapshot
        self._during = during
        self._horizon = horizon
        self._number = 0
        self._task: asyncio.Task[Outcome] | None = None
        self._others: list[asyncio.Task[Any]] = []

    async def to_the_end(self) -> None:
        await self._claim_and_run()
        while self._others:
            await self._others.pop()

    async def _claim_and_run(self) -> None:
        runner = self._world.runner
        while (claimed := await runner.claim(self._snapshot.key)) is not None:
            task = self._task = asyncio.create_task(runner.run(claimed))
            await asyncio.wait([task])
            if task.cancelled():
                continue
            assert task.result() is not Outcome.PAUSED, "the sync crashed"
            return

    def count(self) -> None:
        self._number += 1
        self.happen(is_before=True)

    def counted(self, change: Callable[..., Any]) -> Callable[..., Any]:
        async def counting(connection: Any, key: int, *arguments: Any) -> Any:
            if key == self._snapshot.key:
                self.count()
            row = await change(connection, key, *arguments)
            if key == self._snapshot.key:
                self.happen(is_before=False)
            return row

        return counting

    def happen(self, *, is_before: bool) -> None:
        """Play the moments of the event under way."""
        due = [one for one in self._during if one.number == self._number and one.is_before is is_before]
        self._during = tuple(one for one in self._during if one not in due)
        for moment in due:
            for edit in moment.edits:
                carry_out(edit, self._organization.clinic)
                self._organization.states.append(content_of(self._organization.clinic, self._horizon))
            self._world.time.moment += moment.passes
            match moment.trouble:
                case Trouble.KILL if self._task is not None:
                    self._task.cancel()
                case Trouble.OVERTAKE:
                    self._others.append(asyncio.create_task(self._claim_and_run()))
                case Trouble.CANCEL:
                    cancel = self._world.runtime.syncs.cancel(LOCAL_OPERATOR, self._snapshot.sync_id)
                    self._others.append(asyncio.create_task(cancel))


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
        patch.setattr(Backoff, "until_reset", lambda *_arguments: 0.0)

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
            server.emulator.clinic.clock.ahead = history.clocks[0] * MINUTE
            server.emulator.date_skew_seconds = history.clocks[1] * 60
            organization = Organization(f"org_{self._made}", server.emulator)
            await self.runtime.connections.connect(
                LOCAL_OPERATOR, organization.name, EMULATED_API_KEY, server.base_url, check=False
            )
            made.append(organization)
        return made

    async def sync(self, organization: Organization, one: Round) -> SyncRow:
        """Run the sync of a round to its end, however often it is interrupted, and return its row."""
        started = await self.runtime.syncs.start(LOCAL_OPERATOR, organization.name, one.mode)
        assert started.created
        horizon = await self._horizon(organization, started.sync.started_at)
        organization.states = [content_of(organization.clinic, horizon)]
        faults = organization.emulator.faults
        faults.add(*(replace(FAULTS[name], resource=resource) for name, resource in one.faults))
        playing = _Playing(self, organization, started.sync, one.during, horizon)
        organization.emulator.before_request = lambda _request: playing.count()
        organization.emulator.after_request = lambda _request: playing.happen(is_before=False)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(run, "change_running", playing.counted(run.change_running))
                await playing.to_the_end()
        finally:
            organization.emulator.before_request = organization.emulator.after_request = None
            faults.clear()
        async with self.runtime.database.reading() as connection:
            (row,) = await syncs_where(connection, SYNC.c.key == started.sync.key)
        return row

    async def tidy(self) -> None:
        """Delete versions that no kept sync shows, as the housekeeping does."""
        now = self.time.moment
        never, kept_from = now - timedelta(days=10_000), now - KEEP_VERSIONS
        cutoffs = Cutoffs(never, never, never, never, versions=kept_from, appointments=never, paces=never)
        has_more = True
        while has_more:
            async with self.runtime.database.writing() as connection:
                has_more = await prune_batch(connection, cutoffs, 50, now=now, window=timedelta(days=RECENT_DAYS))

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
            names = [one.name for one in ACTIVITY.c if one.name not in {"mirror", "id", "from_sync", "to_sync"}]
            query = select(ACTIVITY.c.id, *(ACTIVITY.c[name] for name in names))
            activity: dict[int, Values] = {}
            for row_id, *values in await connection.execute(query.where(visible(ACTIVITY, mirror.number, sync))):
                assert row_id not in activity, "two results of a patient are visible"
                activity[row_id] = dict(zip(names, values, strict=True))
        return content, activity

    async def lists_at(self, organization: Organization, sync: int) -> dict[str, set[int]]:
        """The patients of each list at a sync, by the name of the list."""
        mirror = await self.mirror(organization)
        assert mirror is not None
        query = select(LISTING.c.list, LISTING.c.id).where(visible(LISTING, mirror.number, sync))
        async with self.runtime.database.reading() as connection:
            return by_list((row[0], row[1]) for row in await connection.execute(query))


def by_list(rows: Iterable[tuple[int, int]]) -> dict[str, set[int]]:
    """The patients of each list, from numbers of lists and ids of patients."""
    found: dict[str, set[int]] = {one.name: set() for one in PatientList}
    for number, patient in rows:
        name = PatientList(number).name
        assert patient not in found[name], "a patient is in a list twice"
        found[name].add(patient)
    return found


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
        keys = KeyStore(settings.encryption_keys, database.path)
        clients = ClientOpener(database, keys, settings, PacerRegistry(0))
        steps = Pipeline(database, clients, KeepOut(keys), settings, FoundPagesKeeper()).run
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
