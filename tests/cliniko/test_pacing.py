"""Pacing: even spacing with small bursts, one pacer per key, and announced waits."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from routiq_gql.cliniko import Pacer, PacerRegistry
from routiq_gql.cliniko.pacing import BURST
from tests.cliniko.conftest import NotedWaits
from tests.waiting import LIMIT_SECONDS


async def test_requests_beyond_a_handful_are_spaced_evenly() -> None:
    """At 6,000 a minute, twenty turns beyond the first five take at least twenty hundredths of a second."""
    pacer = Pacer(6000)
    began = time.monotonic()
    for _ in range(BURST + 20):
        await pacer.wait_turn()
    assert time.monotonic() - began >= 0.2 - 0.01


@pytest.mark.parametrize("count", [2, 4, BURST])
async def test_turns_that_are_taken_together_count_like_single_ones(count: int) -> None:
    """A look takes the turns of its four requests at once. All together never exceed a handful beyond the pace."""
    pacer, calls = Pacer(6000), 4 * BURST // count
    began = time.monotonic()
    for _ in range(calls):
        await pacer.wait_turns(count)
    assert time.monotonic() - began >= (calls * count - BURST) * 60 / 6000 - 0.01


async def test_all_requests_with_the_same_key_wait_during_a_hold() -> None:
    """When Cliniko reports the limit, all requests with that key wait, including requests that were waiting already."""
    pacer = Pacer(600)
    for _ in range(BURST):
        await pacer.wait_turn()
    began = time.monotonic()

    async def waited() -> float:
        await pacer.wait_turn()
        return time.monotonic() - began

    waiting = [asyncio.create_task(waited()) for _ in range(2)]
    await asyncio.sleep(0)
    pacer.hold(0.4)
    assert min(await asyncio.gather(*waiting, waited())) >= 0.4 - 0.01


async def test_an_unpaced_pacer_does_not_wait_but_respects_a_hold() -> None:
    """Pacing can be turned off for the emulator, but its rate limit still applies."""
    pacer = Pacer(0)
    began = time.monotonic()
    for _ in range(1000):
        await pacer.wait_turn()
    assert time.monotonic() - began < 5
    pacer.hold(0.05)
    began = time.monotonic()
    await pacer.wait_turn()
    assert time.monotonic() - began >= 0.04


async def test_a_long_wait_is_announced_before_it_begins_and_can_be_cancelled() -> None:
    """Users read how long a wait takes while it lasts, and a cancellation does not wait for its end."""
    pacer = Pacer(60)
    pacer.hold(23)
    told = NotedWaits()
    before = datetime.now(UTC) - timedelta(milliseconds=1)  # the time of the end has milliseconds
    task = asyncio.create_task(pacer.wait_turn(told))
    async with asyncio.timeout(LIMIT_SECONDS):
        wait = await told.begun.get()
    assert wait.reason == "rate_limit"
    assert wait.message == "Waiting for Cliniko's rate limit, resuming in 23 s"
    assert 22 < wait.seconds <= 23
    length = timedelta(seconds=wait.seconds)
    assert before + length <= wait.resumes_at <= datetime.now(UTC) + length + timedelta(milliseconds=1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told.ended == 0


async def test_a_long_wait_is_over_before_the_request_is_sent() -> None:
    """A request that has been sent is not shown as waiting."""
    pacer = Pacer(60)
    told = NotedWaits()
    pacer.hold(1.2)
    await pacer.wait_turn(told)
    assert (told.begun.qsize(), told.ended) == (1, 1)


def test_a_key_has_one_pacer_with_and_without_its_shard() -> None:
    """Two clinics' keys don't slow each other; the same key does, however it was typed. No key is stored."""
    registry = PacerRegistry(180)
    assert registry.pacer_for("MS0xabc-au1") is registry.pacer_for(" MS0xabc\n")
    assert registry.pacer_for("MS0xabc-au1") is not registry.pacer_for("MS0xabd-au1")
    assert "MS0xabc" not in repr(vars(registry))


async def test_keys_that_were_tried_once_are_forgotten() -> None:
    """Ten thousand invented keys use no memory afterwards, and neither do ended clients."""
    registry = PacerRegistry(6000)
    in_use = registry.pacer_for("MS0xabc")
    for number in range(10_000):
        pacer = registry.pacer_for(f"MS0xabc{number}")
        if number % 100 == 0:
            await pacer.wait_turn()
    assert len(registry) < 1000
    del pacer
    async with asyncio.timeout(LIMIT_SECONDS):
        while len(registry) > 1:  # until the last turn has no effect any more
            await asyncio.sleep(0.01)
            assert registry.pacer_for("MS0xabc") is in_use


async def test_a_hold_outlives_the_client_that_received_it() -> None:
    """A new client with the same key waits until Cliniko's reset time, although no client used the key meanwhile."""
    registry = PacerRegistry(600)
    registry.pacer_for("MS0xabc").hold(0.4)
    for _ in range(BURST):
        await registry.pacer_for("MS0xabd").wait_turn()
    for number in range(100):
        registry.pacer_for(f"MS0xabe{number}")
    began = time.monotonic()
    await asyncio.gather(registry.pacer_for("MS0xabc").wait_turn(), registry.pacer_for("MS0xabd").wait_turn())
    assert time.monotonic() - began >= 0.4 - 0.02
