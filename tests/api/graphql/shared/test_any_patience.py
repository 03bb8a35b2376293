"""For how long a socket's client may read nothing, in any order of results, reads and ends of its subscriptions."""

from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from routiq_gql.api.graphql.shared import socket
from routiq_gql.api.graphql.shared.payload import Payload
from routiq_gql.api.graphql.shared.socket import SocketSubscription

SEEDS = 300
PATIENCE = 20
"""Units of time."""


class _Time:
    """An event loop's clock and timers, for the parts of a loop that a subscription uses."""

    def __init__(self) -> None:
        self.now = 0
        self._timers: list[Any] = []

    def call_later(self, delay: int, call: Callable[[], None]) -> Any:
        timer = SimpleNamespace(at=self.now + delay, call=call, is_over=False)
        timer.cancel = lambda: setattr(timer, "is_over", True)
        self._timers.append(timer)
        return timer

    def pass_by(self, units: int) -> None:
        self.now += units
        for timer in self._timers:
            if timer.at <= self.now and not timer.is_over:
                timer.is_over = True
                timer.call()


class _Client:
    """The client, and the writer of its socket.

    Attributes:
        waiting: What is called once the client reads again.
        was_aborted: Whether its connection was aborted.
    """

    send_timeout = PATIENCE

    def __init__(self) -> None:
        self.reads = True
        self.waiting: list[Callable[[], None]] = []
        self.was_aborted = False

    def write_frame(self, _frame: bytes) -> bool:
        return self.reads

    def when_writable(self, call: Callable[[], None]) -> None:
        self.waiting.append(call)

    def forget(self, call: Callable[[], None]) -> None:
        self.waiting = [one for one in self.waiting if one != call]

    def read_again(self) -> None:
        self.reads = True
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()

    def give_up(self) -> None:
        self.was_aborted = True


def test_only_a_client_that_keeps_a_result_waiting_is_disconnected(monkeypatch: pytest.MonkeyPatch):
    """Each open subscription whose result waits for as long as allowed ends the connection, and nothing else does."""
    for seed in range(SEEDS):
        random, time, client = Random(seed), _Time(), _Client()
        monkeypatch.setattr(socket.asyncio, "get_running_loop", lambda time=time: time)
        handler: Any = SimpleNamespace(forget_id=lambda _id: None)
        shared: Any = SimpleNamespace(leave=lambda _one: None, on_ready=lambda _one: None)
        since: dict[str, int] = {}
        open_: dict[str, SocketSubscription] = {}
        for number in range(40):
            match random.choice(["open", "result", "result", "end", "leave", "stall", "read", "time", "time"]):
                case "open":
                    message: Any = {"id": str(number), "type": "subscribe", "payload": {"query": ""}}
                    one = SocketSubscription(handler, message, client, client)  # type: ignore[arg-type]
                    one.shared = shared
                    open_[one.id] = one
                case "result" if open_:
                    one = random.choice(list(open_.values()))
                    if not one.show(Payload(b"{}")):
                        since.setdefault(one.id, time.now)
                case "end" if open_:
                    one = open_.pop(random.choice(list(open_)))
                    one.finish()
                    if not client.reads:
                        since.setdefault(one.id, time.now)
                case "leave" if open_:
                    one = open_.pop(random.choice(list(open_)))
                    one.leave()
                    since.pop(one.id, None)
                case "stall":
                    client.reads = False
                case "read":
                    client.read_again()
                    since.clear()
                case "time":
                    time.pass_by(random.randint(1, PATIENCE))
            is_over = any(time.now - began >= PATIENCE for began in since.values())
            assert client.was_aborted == is_over, (seed, number)
            assert len(client.waiting) == len(since), (seed, number)
            if is_over:
                break
