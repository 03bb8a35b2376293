"""What a process notifies others of, in any order of changes, stop requests and failures; without a server."""

import asyncio
import json
from collections.abc import Iterable
from contextlib import suppress
from random import Random
from types import SimpleNamespace
from typing import Any

import psycopg
from sqlalchemy import make_url

from routiq_gql.engines.postgres.bus import PostgresBus
from routiq_gql.supervision import Supervisor

SEEDS = 300
KEYS = range(4)


class _Server:
    """Takes notifications, or fails before or after it has taken them.

    Attributes:
        versions: The versions of each sync, in the order in which they came.
        stopped: The syncs that are to stop.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.may_fail = True
        self.versions: dict[int, list[int]] = {key: [0] for key in KEYS}
        self.stopped: set[int] = set()

    async def send(self, payloads: Iterable[str]) -> None:
        messages = [json.loads(one) for one in payloads]
        end = self._random.choice(["before", "after", "well"]) if self.may_fail else "well"
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)
        if end != "before":
            for message in messages:
                self.stopped |= set(message["stop"])
                for key, version, *_ in message["news"]:
                    self.versions[key].append(version)
        if end != "well":
            raise psycopg.OperationalError


async def test_the_newest_state_and_every_stop_arrive():
    """Whatever fails meanwhile, no older version follows a newer one, and nothing is left out in the end."""
    for seed in range(SEEDS):
        random = Random(seed)
        database: Any = SimpleNamespace(url=make_url("postgresql+psycopg://nowhere/none"))
        bus, server = PostgresBus(database, Supervisor()), _Server(random)
        bus._notifier = server  # type: ignore[assignment]
        newest, stops, flushing = dict.fromkeys(KEYS, 0), set[int](), set[asyncio.Task[None]]()
        for _ in range(25):
            key = random.choice(KEYS)
            match random.choice(["change", "change", "stop", "flush", "turn"]):
                case "change":
                    newest[key] += 1
                    snapshot: Any = SimpleNamespace(
                        key=key, version=newest[key], sync_id=f"sync_{key}", organization_id="org_1"
                    )
                    bus.publish(snapshot)
                case "stop":
                    stops.add(key)
                    bus.request_stop(key)
                case "flush" if all(task.done() for task in flushing):
                    flushing.add(asyncio.create_task(_flushed(bus)))
                case _:
                    await asyncio.sleep(0)
        await asyncio.gather(*flushing)
        server.may_fail = False
        await bus._flush()
        for key in KEYS:
            versions = server.versions[key]
            assert versions == sorted(versions), (seed, key)
            assert versions[-1] == newest[key], (seed, key)
        assert server.stopped == stops, seed
        assert not bus._updates, seed


async def _flushed(bus: PostgresBus) -> None:
    with suppress(psycopg.OperationalError):
        await bus._flush()
