"""The log of a sync is read once for all its followers, and each gets every line once and in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest
from sqlalchemy import insert, update

from routiq_gql.clock import utc_now
from routiq_gql.database.tables import LOG, SYNC
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.live import following, log_feed
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncSnapshot
from tests.emulated_cliniko import Cliniko
from tests.live.followers import statements
from tests.organization import ORGANIZATION
from tests.syncs import start
from tests.waiting import LIMIT_SECONDS, until

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def calm(settings: Settings, cliniko: Cliniko) -> AsyncIterator[Runtime]:
    """A runtime that runs no syncs and hardly ever re-reads."""
    slow = settings.model_copy(update={"reread_seconds": 60})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("routiq_gql.organizations.feeds.REREAD_SECONDS_ELSEWHERE", 60)
        async with open_runtime(slow, run_syncs=False) as runtime:
            await runtime.connections.connect(
                LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False
            )
            yield runtime
            assert not runtime.syncs.feeds
            assert not len(runtime.syncs._followers)


async def _write(runtime: Runtime, snapshot: SyncSnapshot, lines: int) -> SyncSnapshot:
    """Commit a change with so many log lines, and publish it."""
    seq = snapshot.last_log_seq
    changed = replace(snapshot, version=snapshot.version + 1, last_log_seq=seq + lines)
    line = {"sync_key": snapshot.key, "time": utc_now(), "level": "info", "step": 1}
    rows = [{**line, "seq": number, "message": f"line {number}"} for number in range(seq + 1, seq + lines + 1)]
    async with runtime.database.writing() as connection:
        statement = update(SYNC).where(SYNC.c.key == snapshot.key)
        await connection.execute(statement.values(version=changed.version, last_log_seq=changed.last_log_seq))
        if rows:
            await connection.execute(insert(LOG), rows)
    runtime.bus.publish(changed)
    return changed


class Reading:
    """A task that reads a log, and the numbers of its lines."""

    def __init__(self, runtime: Runtime, sync_id: str, after: int | None = None) -> None:
        self.after = after or 0
        self.numbers: list[int] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._lines = runtime.syncs.watch_log(LOCAL_OPERATOR, sync_id, after)
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async with aclosing(self._lines) as lines:
            async for line in lines:
                self.numbers.append(line.seq)
                await self.may_read.wait()

    async def reached(self, number: int) -> None:
        await until(lambda: bool(self.numbers) and self.numbers[-1] >= number)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_new_lines_are_read_once_for_all(calm: Runtime):
    """Fifty browsers show the log of a running sync, and each new part of it is read by a single statement."""
    snapshot = await calm.syncs.status(LOCAL_OPERATOR, await start(calm))
    snapshot = await _write(calm, snapshot, 3)
    readings = [Reading(calm, snapshot.sync_id) for _ in range(50)]
    for reading in readings:
        await reading.reached(3)
    for _ in range(5):
        with statements(calm.database) as executed:
            snapshot = await _write(calm, snapshot, 4)
            for reading in readings:
                await reading.reached(snapshot.last_log_seq)
        assert sum("FROM sync_log" in one for one in executed) == 1
    for reading in readings:
        assert reading.numbers == list(range(1, 24))
        await reading.close()


async def test_lines_in_memory_serve_those_who_come_later(calm: Runtime):
    """A browser that opens a log which another one shows costs no read of the log."""
    snapshot = await _write(calm, await calm.syncs.status(LOCAL_OPERATOR, await start(calm)), 20)
    first = Reading(calm, snapshot.sync_id)
    await first.reached(20)
    with statements(calm.database) as executed:
        second, third = Reading(calm, snapshot.sync_id), Reading(calm, snapshot.sync_id, after=15)
        await second.reached(20)
        await third.reached(20)
    assert not any("FROM sync_log" in one for one in executed)
    assert (second.numbers, third.numbers) == (list(range(1, 21)), list(range(16, 21)))
    for reading in (first, second, third):
        await reading.close()


@pytest.mark.parametrize(("kept", "batch"), [(1, 1), (3, 2), (2, 5), (7, 3), (200, 500)])
async def test_nothing_is_lost_or_repeated_at_any_pace(
    calm: Runtime, monkeypatch: pytest.MonkeyPatch, kept: int, batch: int
):
    """Followers that start at any line, read slowly or resume get each following line once and in order."""
    for module in (following, log_feed):
        monkeypatch.setattr(module, "KEPT_LINES", kept)
    monkeypatch.setattr(log_feed, "LOG_BATCH", batch)
    async with asyncio.timeout(LIMIT_SECONDS):
        sync_id = await start(calm)
        snapshot = await calm.syncs.status(LOCAL_OPERATOR, sync_id)
        readings = [Reading(calm, sync_id)]
        for count in (5, 1, 0, 9, 2, 13):
            readings.append(Reading(calm, sync_id, after=snapshot.last_log_seq))
            snapshot = await _write(calm, snapshot, count)
            slow = readings[count % len(readings)]
            slow.may_read.clear()
            await asyncio.sleep(0.01)
        far = Reading(calm, sync_id, after=2**31 - 1)
        readings.append(Reading(calm, sync_id, after=4))
        for reading in readings:
            reading.may_read.set()
            await reading.reached(snapshot.last_log_seq)
        snapshot = await _write(calm, snapshot, 6)
        for reading in readings:
            await reading.reached(snapshot.last_log_seq)
            assert reading.numbers == list(range(reading.after + 1, snapshot.last_log_seq + 1))
            await reading.close()
        assert far.numbers == []
        await far.close()


async def test_the_end_comes_after_all_lines(calm: Runtime):
    """Every follower of a log gets its last lines before the stream ends."""
    snapshot = await _write(calm, await calm.syncs.status(LOCAL_OPERATOR, await start(calm)), 3)
    readings = [Reading(calm, snapshot.sync_id) for _ in range(5)]
    await readings[0].reached(3)
    await calm.syncs.cancel(LOCAL_OPERATOR, snapshot.sync_id)
    last = (await calm.syncs.status(LOCAL_OPERATOR, snapshot.sync_id)).last_log_seq
    assert last > 3
    async with asyncio.timeout(LIMIT_SECONDS):
        for reading in readings:
            await reading._task
            assert reading.numbers == list(range(1, last + 1))
