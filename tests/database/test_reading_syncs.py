"""Statements that read syncs and their logs return what plain Python selects from the same rows."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from sqlalchemy import insert

from routiq_gql.database.engine import Database
from routiq_gql.database.history import average_duration, counts_by_status, newest_ended, newest_receipt
from routiq_gql.database.live_updates import live_updates_after
from routiq_gql.database.log_pages import LogWindow, log_pages_of
from routiq_gql.database.organization_facts import facts_of
from routiq_gql.database.past_syncs import costs_of_syncs
from routiq_gql.database.schema import upgrade
from routiq_gql.database.sync_log import logs_of
from routiq_gql.database.syncs import active_epochs, active_sync, ended_among, started_since
from routiq_gql.database.tables import LOG, SYNC
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode

pytestmark = pytest.mark.both_databases
NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
ORGANIZATIONS = ("org_a", "org_b")
ENDINGS = ("completed", "failed", "cancelled")
RUNNING = "storing"
LIMITS = (1, 2, 100)


@dataclass(frozen=True)
class Stored:
    """A sync that the database holds. ``duration`` is ``None`` while it runs."""

    key: int
    organization_id: str
    mode: SyncMode
    refresh: bool
    status: str
    duration: timedelta | None
    lines: int

    @property
    def sync_id(self) -> str:
        return f"sync_{self.key}"

    @property
    def started_at(self) -> datetime:
        return NOW + timedelta(seconds=self.key)

    @property
    def receipt(self) -> dict[str, object] | None:
        """Time-only syncs have none."""
        return None if self.mode is SyncMode.TIME_ONLY else {"number": self.key}

    @property
    def is_in_history(self) -> bool:
        if self.mode is SyncMode.TIME_ONLY:
            return False
        return not self.refresh or self.status == "failed" or self.mode is SyncMode.FULL


def all_kinds() -> list[Stored]:
    """Ended syncs of all kinds of both organizations, each with another duration, and a running one of each."""
    kinds = [*product(ORGANIZATIONS, SyncMode, (False, True), ENDINGS)]
    ended = [
        Stored(key, organization, mode, refresh, status, timedelta(seconds=2.0 ** (key % 16)), key % 4)
        for key, (organization, mode, refresh, status) in enumerate(kinds, 1)
    ]
    running = [
        Stored(len(ended) + number, organization, SyncMode.FULL, False, RUNNING, None, 5)
        for number, organization in enumerate(ORGANIZATIONS, 1)
    ]
    return ended + running


SYNCS = all_kinds()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    await upgrade(opened)
    async with opened.writing() as connection:
        for one in SYNCS:
            values = {**first_values(one.mode, one.started_at), "organization_id": one.organization_id}
            values |= {"version": 1, "epoch": 0, "requests": one.key, "receipt": one.receipt}
            values |= {"status": one.status, "refresh": one.refresh, "last_log_seq": one.lines}
            values |= {"completed_at": one.started_at + one.duration if one.duration is not None else None}
            await connection.execute(insert(SYNC).values(**values, key=one.key, sync_id=one.sync_id))
            shared = {"sync_key": one.key, "time": NOW, "level": "info", "step": 1}
            for seq in range(1, one.lines + 1):
                await connection.execute(insert(LOG).values(**shared, seq=seq, message=f"{one.sync_id}, line {seq}"))
    yield opened
    await opened.close()


@pytest.mark.parametrize("organization_id", [*ORGANIZATIONS, "org_none"])
async def test_the_figures_of_a_history_are_of_its_syncs(database: Database, organization_id: str):
    """Counts, the average duration and the last sync are of the syncs that the history lists, and of no others."""
    own = [one for one in SYNCS if one.organization_id == organization_id]
    listed = [one for one in own if one.is_in_history]
    async with database.reading() as connection:
        assert await counts_by_status(connection, organization_id) == Counter(one.status for one in listed)
        last = await newest_ended(connection, organization_id)
        assert (last and last.key) == max((one.key for one in listed if one.duration is not None), default=None)
        for status in ENDINGS:
            durations = [one.duration for one in listed if one.status == status and one.duration is not None]
            average = sum(durations, timedelta()) / len(durations) if durations else None
            assert await average_duration(connection, organization_id, status) == average
            last = await newest_ended(connection, organization_id, status)
            read = [one.key for one in own if one.status == status and one.mode is not SyncMode.TIME_ONLY]
            assert (last and last.key) == max(read, default=None)


@pytest.mark.parametrize("organization_id", [*ORGANIZATIONS, "org_none"])
async def test_limits_estimates_and_overviews_are_of_the_syncs_that_they_name(database: Database, organization_id: str):
    """What a person may start, what a sync costs and what an overview shows depends on some kinds of syncs only."""
    own = [one for one in SYNCS if one.organization_id == organization_id]
    read = [one for one in own if one.mode is not SyncMode.TIME_ONLY]
    of_people = [one for one in read if not one.refresh]
    completed = [one for one in read if one.status == "completed"]
    running = [one for one in own if one.duration is None]
    async with database.reading() as connection:
        for first, last, but in product((0, 5, 30), (5, 30, 99), (7, 31, 99)):
            times = NOW + timedelta(seconds=first), NOW + timedelta(seconds=last)
            started = [one.started_at for one in of_people if first < one.key <= last and one.key != but]
            assert await started_since(connection, organization_id, *times, but=but) == started
        for modes, limit in product((["full"], ["incremental"], ["full", "incremental"]), (1, 9)):
            costs = await costs_of_syncs(connection, organization_id, "completed", modes, limit)
            of_modes = [[one.key for one in of_people if one in completed and one.mode == mode] for mode in modes]
            newest = sorted((key for keys in of_modes for key in keys[-limit:]), reverse=True)
            assert [one.requests for one in costs] == newest
        receipt = await newest_receipt(connection, organization_id)
        assert receipt == (completed[-1].receipt if completed else None)
        facts = (await facts_of(connection, [*ORGANIZATIONS, "org_none"]))[organization_id]
        ends = [one.started_at + one.duration for one in completed if one.duration is not None]
        assert [facts.completed.completed_at if facts.completed is not None else None] == (ends[-1:] or [None])
        assert facts.running_status == (RUNNING if running else None)
        active = await active_sync(connection, organization_id)
        assert [one.key for one in [active] if one is not None] == [one.key for one in running]
        ended = await ended_among(connection, [one.key for one in own])
        assert sorted(ended) == [one.key for one in own if one.duration is not None]
        assert (await active_epochs(connection)).keys() == {one.key for one in SYNCS if one.duration is None}
        listed = [one.key for one in own if one.is_in_history]
        between = {
            key: [
                one.key
                for one in own
                if one.status == "completed" and not one.is_in_history and one.refresh and key < one.key
                and not any(key < other < one.key for other in listed)
            ]
            for key in listed
        }  # fmt: skip
        updates = await live_updates_after(connection, organization_id, listed)
        assert {one.after: one.count for one in updates} == {key: len(keys) for key, keys in between.items() if keys}
        for one in updates:
            last = SYNCS[between[one.after][-1] - 1]
            assert one.first_at == SYNCS[between[one.after][0] - 1].started_at
            assert last.duration is not None
            assert one.last_at >= last.started_at + last.duration


@pytest.mark.parametrize("organization_id", [None, *ORGANIZATIONS])
@pytest.mark.parametrize("only", [None, SYNCS[0].sync_id, SYNCS[-1].sync_id])
async def test_lines_are_of_the_syncs_that_a_viewer_may_see(
    database: Database, organization_id: str | None, only: str | None
):
    """A viewer reads the requested lines of the own syncs, whichever syncs are requested with them."""
    visible = [one for one in SYNCS if organization_id in {None, one.organization_id} and only in {None, one.sync_id}]
    asked = [one.sync_id for one in SYNCS] + ["sync_unknown"]
    parts = [*product((None, 0, 1, 4), LIMITS)]
    windows = [
        LogWindow(after, before, limit, is_backward)
        for after, before, limit, is_backward in product((None, 1), (None, 4), LIMITS, (False, True))
    ]
    async with database.reading() as connection:
        lines = await logs_of(connection, dict.fromkeys(parts, asked), organization_id, only=only)
        pages = await log_pages_of(connection, dict.fromkeys(windows, asked), organization_id, only=only)
    assert {key: [line.message for line in rows] for key, rows in lines.items()} == {
        (one.sync_id, after, limit): messages_of(one, range(1, one.lines + 1)[-limit:])
        if after is None
        else messages_of(one, range(after + 1, one.lines + 1)[:limit])
        for one, (after, limit) in product(visible, parts)
    }
    assert {key: [line.message for line in page.lines] for key, page in pages.items()} == {
        (one.sync_id, window): messages_of(one, window_of(window, one.lines))
        for one, window in product(visible, windows)
    }
    ends = {(one.sync_id, window): (1, one.lines) for one, window in product(visible, windows) if one.lines}
    assert {key: (page.oldest, page.newest) for key, page in pages.items() if page.newest is not None} == ends


def messages_of(one: Stored, numbers: range) -> list[str]:
    """The stored lines with these numbers."""
    return [f"{one.sync_id}, line {seq}" for seq in numbers]


def window_of(window: LogWindow, lines: int) -> range:
    """The numbers of the lines that a window shows of a log with so many lines."""
    inside = range((window.after or 0) + 1, min(lines, window.before - 1 if window.before is not None else lines) + 1)
    return inside[-window.limit :] if window.is_backward else inside[: window.limit]
