"""Subscribers of a shared operation come, go and fall behind in any order; each gets what it would get alone."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import GraphQLError
from strawberry.types.execution import ExecutionResult

from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.projection import NotProjected, Projection
from routiq_gql.api.graphql.shared import delivery
from routiq_gql.api.graphql.shared.operation import Machinery
from routiq_gql.api.graphql.shared.states import StateOperation
from routiq_gql.errors import RoutiqError, SyncNotFound
from routiq_gql.live.feeds import Feed
from routiq_gql.live.subscriptions import Subscriptions
from routiq_gql.sync.model import SyncSnapshot
from tests.api.graphql.shared.clients import Client, context_with
from tests.snapshots import SNAPSHOT

MOST = 12
SEEDS = range(150)
EVENTS = ("join", "join", "leave", "commit", "commit", "deliver", "deliver", "stall", "read", "end", "erase")


class _Stored(Feed[SyncSnapshot]):
    """A feed over a state that stands for the database: the feed learns of a new version late, or when it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.stored = self._value = replace(SNAPSHOT, version=1, completed_at=None)
        self.is_closed = False

    def commit(self, *, is_terminal: bool = False) -> None:
        self.stored = replace(
            self.stored,
            version=self.stored.version + 1,
            completed_at=SNAPSHOT.started_at if is_terminal else None,
        )

    def deliver(self) -> None:
        if self.stored.version > self.value.version:
            self._publish(self.stored)
            if self.stored.is_terminal:
                self._end(None)

    def erase(self) -> None:
        self._end(SyncNotFound())

    async def fresh(self) -> None:
        await asyncio.sleep(0)
        if self._error is not None:
            raise self._error
        self.deliver()

    def _closed(self) -> None:
        self.is_closed = True


class _World:
    """A shared operation that is begun again whenever its last subscriber has left."""

    def __init__(self, projection: Callable[[Any], bytes] | None, most: int = MOST) -> None:
        self.feed = _Stored()
        self.subscriptions = Subscriptions(most)
        self.operation: StateOperation | None = None
        self.clients: list[Client] = []
        self.oldest: dict[Client, int] = {}
        self.projection: Projection | None = projection
        self.feeds = [self.feed]

    def join(self) -> Client:
        client = Client(lambda: self.operation, lambda result: result["version"])
        self.oldest[client] = self.feed.stored.version
        self.clients.append(client)
        if self.operation is None:
            if self.feed.is_closed and not self.feed.has_ended:
                stored = self.feed.stored
                self.feed = _Stored()
                self.feed.stored = self.feed._value = stored
                self.feeds.append(self.feed)
            context = context_with(self.subscriptions)
            machinery = Machinery("", {}, self._execute, lambda *_: self.projection, json.dumps)
            self.operation = StateOperation(context, machinery, self._closed)
        self.operation.join(client)
        return client

    def _closed(self) -> None:
        self.operation = None

    async def _execute(self, context: Context) -> AsyncGenerator[Any, None]:
        return self._results(context)

    async def _results(self, context: Context) -> AsyncGenerator[Any, None]:
        shared = context.shared
        assert shared is not None
        info = SimpleNamespace(operation=None, variable_values={})
        try:
            events = await shared.source(info, lambda: self.feed.follow(shared), lambda snapshot: snapshot)  # type: ignore[arg-type, return-value]
        except RoutiqError as error:
            yield ExecutionResult(None, [GraphQLError(error.message, extensions={"code": error.code})])
            return
        async for event in events:
            for _ in range(event.version % 3):
                await asyncio.sleep(0)
            yield ExecutionResult({"version": event.version}, None)


def _projected(snapshot: Any) -> bytes:
    return json.dumps({"data": {"version": snapshot.version}}).encode()


def _projected_at_times(snapshot: Any) -> bytes:
    if snapshot.version % 5 == 4:
        raise NotProjected
    return _projected(snapshot)


def _not_projected(_snapshot: Any) -> bytes:
    raise NotProjected


@pytest.mark.parametrize("projection", [None, _projected, _projected_at_times, _not_projected])
@pytest.mark.parametrize("at_once", [1, 3, 200])
async def test_each_subscriber_gets_newer_states_and_the_last(
    monkeypatch: pytest.MonkeyPatch, projection: Callable[[Any], bytes] | None, at_once: int
):
    """In any order of events, states never become older, the last state arrives, and all places are given back."""
    monkeypatch.setattr(delivery, "AT_ONCE", at_once)
    for seed in SEEDS:
        await _play(Random(seed), _World(projection))


async def _play(random: Random, world: _World) -> None:
    is_erased = False
    events = ("join", "commit", *random.sample(EVENTS, random.randint(4, len(EVENTS))))  # rare ones meet more often
    for _ in range(random.randint(5, 40)):
        for _ in range(random.choice((0, 0, 1, 3))):
            await asyncio.sleep(0)
        match random.choice(events):
            case "join":
                world.join()
            case "leave" if world.clients:
                random.choice(world.clients).leave()
            case "stall" if world.clients:
                random.choice(world.clients).is_stalled = True
            case "read" if world.clients:
                random.choice(world.clients).read_again()
            case "commit" if not world.feed.stored.is_terminal:
                world.feed.commit()
            case "deliver":
                world.feed.deliver()
            case "end" if random.random() < 0.2 and not world.feed.stored.is_terminal:
                world.feed.commit(is_terminal=True)
            case "erase" if random.random() < 0.5 and not world.feed.has_ended:
                is_erased = True
                world.feed.erase()
    if not world.feed.stored.is_terminal:
        world.feed.commit(is_terminal=True)
    world.feed.deliver()
    for _ in range(200):
        await asyncio.sleep(0)
    for client in world.clients:
        client.read_again()
    last = world.feed.stored.version
    for client in world.clients:
        versions = [one for one in client.seen if isinstance(one, int)]
        assert versions == sorted(set(versions)), "a state is shown once, and no older state after it"
        assert all(version >= world.oldest[client] for version in versions), "no state is older than the subscription"
        if client.has_left:
            assert not client.ends
        elif client.ends == ["complete"]:
            assert client.seen[-1] in ({last, "SYNC_NOT_FOUND"} if is_erased else {last})
        else:
            erased = (["refused SYNC_NOT_FOUND"], ["alone"]) if is_erased else ()  # alone, it is refused too
            assert client.ends in (["refused RATE_LIMITED"], *erased)
            assert client.seen == []
    assert world.operation is None, "an operation without subscribers is gone"
    assert all(feed.follower_count == 0 for feed in world.feeds)
    world.subscriptions.require_room(world.feed.stored.organization_id)
    for _ in range(MOST):
        world.subscriptions.add(world.feed.stored.organization_id)  # every place was given back
