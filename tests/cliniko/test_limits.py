"""Pacing: even spacing with a small bucket, one pacer per key, and waits that are announced."""

import asyncio
import time

import pytest

from routiq_gql.cliniko import Pacer, PacerRegistry, Wait
from routiq_gql.cliniko.limits import BURST


async def test_requests_beyond_a_handful_are_spaced_evenly() -> None:
    """At 6,000 a minute, twenty turns beyond the first five take at least twenty hundredths of a second."""
    pacer = Pacer(6000)
    began = time.monotonic()
    for _ in range(BURST + 20):
        await pacer.wait_turn()
    assert time.monotonic() - began >= 0.2 - 0.01


async def test_nobody_with_the_same_key_passes_during_a_hold() -> None:
    """When Cliniko says the limit is reached, everyone with that key waits, also whoever was waiting already."""
    pacer = Pacer(600)
    for _ in range(BURST):
        await pacer.wait_turn()
    waiting = [asyncio.create_task(pacer.wait_turn()) for _ in range(2)]
    await asyncio.sleep(0)
    pacer.hold(0.4)
    began = time.monotonic()
    await asyncio.gather(*waiting, pacer.wait_turn())
    assert time.monotonic() - began >= 0.4 - 0.01


async def test_an_unpaced_pacer_does_not_wait_but_respects_a_hold() -> None:
    """Pacing may be off for the emulator; its rate limit still counts."""
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
    """People read how long it takes while they wait, and a cancel does not wait with them."""
    pacer = Pacer(60)
    pacer.hold(23)
    told: asyncio.Queue[Wait] = asyncio.Queue()
    task = asyncio.create_task(pacer.wait_turn(told.put))
    async with asyncio.timeout(5):
        wait = await told.get()
    assert wait.reason == "rate_limit"
    assert wait.message == "Waiting for Cliniko's rate limit, resuming in 23 s"
    assert 22 < wait.seconds <= 23
    assert wait.resumes_at.tzinfo is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_key_has_one_pacer_with_and_without_its_shard() -> None:
    """Two clinics' keys don't slow each other; one key does, however it was typed. No key is kept."""
    registry = PacerRegistry(180)
    assert registry.pacer_for("MS0xabc-au1") is registry.pacer_for(" MS0xabc\n")
    assert registry.pacer_for("MS0xabc-au1") is not registry.pacer_for("MS0xabd-au1")
    assert "MS0xabc" not in repr(vars(registry))
