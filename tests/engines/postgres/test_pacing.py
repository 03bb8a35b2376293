"""An API key has a single pace, shared by all processes and organizations."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from sqlalchemy import text

from routiq_gql.cliniko import BURST, Wait
from routiq_gql.database.engine import Database
from routiq_gql.engines.postgres.pacing import SharedPacer, shared_pacers
from tests.cliniko.conftest import NotedWaits
from tests.engines.postgres.processes import LIMIT_SECONDS

pytestmark = pytest.mark.postgres_only


@pytest.fixture
async def databases(database_url):
    """The same database, opened by three processes."""
    opened = [Database(database_url) for _ in range(3)]
    yield opened
    for one in opened:
        await one.close()


async def take(pacer, number: int) -> None:
    for _ in range(number):
        await pacer.wait_turn()


async def test_three_processes_with_one_key_share_its_pace(databases):
    """At 1,200 a minute, thirty turns beyond the first five take a second and a half, over all processes."""
    pacers = [shared_pacers(one, 1200).pacer_for("MS0xabc-au1") for one in databases]
    began = time.monotonic()
    async with asyncio.timeout(LIMIT_SECONDS):
        await asyncio.gather(*(take(pacer, 10 + (BURST if number == 0 else 0)) for number, pacer in enumerate(pacers)))
    assert time.monotonic() - began >= 30 * 60 / 1200 - 0.06


@pytest.mark.parametrize("count", [2, 4, BURST])
async def test_turns_that_are_taken_together_count_like_single_ones(databases, count: int):
    """A look takes the turns of its four requests at once. All together never exceed a handful beyond the pace."""
    digest, announced = os.urandom(32), NotedWaits()
    pacers = [SharedPacer(one, digest, 6) for one in databases]

    @asynccontextmanager
    async def leave(wait: Wait) -> AsyncIterator[None]:
        async with announced(wait):
            raise _Left
        yield

    began = time.monotonic()
    for number in range(4 * BURST // count):
        with suppress(_Left):
            await pacers[number % len(pacers)].wait_turns(count, leave)
        wait = 0.0 if announced.begun.empty() else announced.begun.get_nowait().seconds
        beyond_the_burst = (number + 1) * count - BURST
        assert wait >= beyond_the_burst * 10 - (time.monotonic() - began) - 0.1


class _Left(Exception):
    """The client of a turn has left when its wait began."""


async def test_another_key_has_a_separate_pace(databases):
    """Two clinics don't slow each other."""
    first, second = (shared_pacers(databases[0], 1).pacer_for(key) for key in ("MS0xabc", "MS0xabd"))
    async with asyncio.timeout(30):  # another turn of the same key would take a minute
        await take(first, BURST)
        await take(second, BURST)


async def test_a_hold_applies_to_all_processes_with_the_key(databases):
    """When Cliniko reports the limit to a process, all processes wait, including requests that were waiting already."""
    digest = os.urandom(32)
    first, second, third = (SharedPacer(one, digest, 600) for one in databases)
    await take(first, BURST)
    waiting = asyncio.create_task(third.wait_turn())
    told = NotedWaits()
    began = time.monotonic()
    first.hold(1.5)
    async with asyncio.timeout(LIMIT_SECONDS):
        await first.wait_turn(told)
        assert time.monotonic() - began >= 1.4
        assert told.begun.get_nowait().message.startswith("Waiting for Cliniko's rate limit, resuming in")
        await waiting
        await second.wait_turn()
    assert time.monotonic() - began >= 1.5


def test_without_a_pace_nothing_is_shared(databases):
    """For an emulated Cliniko on this machine no request needs the database."""
    assert not isinstance(shared_pacers(databases[0], 0).pacer_for("MS0xabc"), SharedPacer)


async def test_a_hold_that_is_not_written_yet_is_kept(databases):
    """The hold lasts even if its client is cancelled at once."""
    registry = shared_pacers(databases[0], 600)
    await registry.pacer_for("MS0xabc").wait_turn()
    registry.pacer_for("MS0xabc").hold(0.5)
    assert len(registry) == 1
    began = time.monotonic()
    async with asyncio.timeout(LIMIT_SECONDS):
        await registry.pacer_for("MS0xabc").wait_turn()
    assert time.monotonic() - began >= 0.4
    async with asyncio.timeout(LIMIT_SECONDS):
        while len(registry):  # until the hold is over
            await asyncio.sleep(0.05)
            registry.pacer_for("MS0xabf")


async def test_a_pace_from_a_clock_that_was_ahead_causes_no_wait(databases):
    """After the database's clock was years ahead, a key's next request is sent at once, at the usual pace."""
    digest = os.urandom(32)
    first, second = (SharedPacer(one, digest, 1200) for one in databases[:2])
    await take(first, 1)
    ahead = "UPDATE key_paces SET turn_at = turn_at + :years, free_at = free_at + :years, held_until = now() + :years"
    for hold in (0, 0.5):
        async with databases[0].writing() as connection:
            await connection.execute(text(ahead), {"years": timedelta(days=730)})
        if hold:
            first.hold(hold)
        began = time.monotonic()
        async with asyncio.timeout(LIMIT_SECONDS):
            await asyncio.gather(take(first, BURST), take(second, BURST))
        assert time.monotonic() - began >= hold + BURST * 60 / 1200 - 0.06
