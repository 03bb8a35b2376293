"""Readers of a shared log come, go and fall behind in any order; each gets every line once, or reads alone."""

import asyncio
import json
from collections.abc import AsyncGenerator
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.shared import delivery, logs
from routiq_gql.api.graphql.shared.logs import LogOperation
from routiq_gql.api.graphql.shared.operation import Machinery
from routiq_gql.live.subscriptions import Subscriptions
from routiq_gql.sync.watching import FollowedLog
from tests.api.graphql.shared.clients import Client, context_with
from tests.organization import ORGANIZATION

SEEDS = range(200)
KEPT = 5
EVENTS = ("join", "join", "leave", "line", "line", "line", "stall", "read", "read", "pause")


class _Log:
    """The log of a sync, in memory."""

    def __init__(self) -> None:
        self.lines = [1, 2]
        self.is_over = False
        self.open_readers = 0
        self._is_new = asyncio.Event()

    def write(self) -> None:
        self.lines.append(self.lines[-1] + 1)
        self._is_new.set()

    def end(self) -> None:
        self.is_over = True
        self._is_new.set()

    async def follow(self) -> FollowedLog:
        self.open_readers += 1
        following: Any = SimpleNamespace(value=SimpleNamespace(organization_id=ORGANIZATION), close=self._closed)
        return FollowedLog(following, self._read())

    async def _read(self) -> AsyncGenerator[Any, None]:
        read = 0
        while True:
            self._is_new.clear()
            for line in self.lines[read:]:
                yield line
                read += 1
            if read == len(self.lines):
                if self.is_over:
                    return
                await self._is_new.wait()

    def _closed(self) -> None:
        self.open_readers -= 1


class _World:
    def __init__(self) -> None:
        self.log = _Log()
        self.subscriptions = Subscriptions(1000)
        self.operation: LogOperation | None = None
        self.clients: list[Client] = []

    def join(self) -> None:
        client = Client(lambda: self.operation, lambda result: result["line"])
        self.clients.append(client)
        if self.operation is None:
            machinery = Machinery("", {}, self._execute, lambda *_: _projected, json.dumps)
            self.operation = LogOperation(context_with(self.subscriptions), machinery, self._closed)
        self.operation.join(client)

    def _closed(self) -> None:
        self.operation = None

    async def _execute(self, context: Context) -> AsyncGenerator[Any, None]:
        assert context.shared is not None
        info: Any = SimpleNamespace(operation=None, variable_values={})
        return await context.shared.source(info, self.log.follow, lambda line: line)


def _projected(line: object) -> bytes:
    return json.dumps({"data": {"line": line}}).encode()


@pytest.mark.parametrize("at_once", [1, 200])
async def test_each_reader_gets_every_line_once(monkeypatch: pytest.MonkeyPatch, at_once: int):
    """Each reader of a shared log gets all lines in order, and the server keeps a limited number of lines."""
    monkeypatch.setattr(delivery, "AT_ONCE", at_once)
    monkeypatch.setattr(logs, "KEPT_LINES", KEPT)
    alone = 0
    for seed in SEEDS:
        alone += await _play(Random(seed), _World())
    assert alone > 0, "some came when the first lines were gone"


async def _play(random: Random, world: _World) -> int:
    for _ in range(random.randint(5, 60)):
        match random.choice(EVENTS):
            case "join":
                world.join()
            case "leave" if world.clients:
                random.choice(world.clients).leave()
            case "line":
                world.log.write()
            case "stall" if world.clients:
                random.choice(world.clients).is_stalled = True
            case "read" if world.clients:
                random.choice(world.clients).read_again()
            case "pause":
                for _ in range(random.choice((1, 3, 20))):
                    await asyncio.sleep(0)
    world.log.end()
    for _ in range(300):
        await asyncio.sleep(0)
    if world.operation is not None and not any(client.is_stalled for client in world.clients):
        assert len(world.operation._lines) <= KEPT
    for client in world.clients:
        client.read_again()
    for client in world.clients:
        if client.has_left:
            assert not client.ends
            assert client.seen == world.log.lines[: len(client.seen)]
        elif client.ends == ["alone"]:
            assert client.seen == []
        else:
            assert client.ends == ["complete"]
            assert client.seen == world.log.lines
    assert world.operation is None
    assert world.log.open_readers == 0
    assert not len(world.subscriptions)
    return sum(client.ends == ["alone"] for client in world.clients)
