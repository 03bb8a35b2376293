"""The table of connections, compared with a plain list of them after each of many random events."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from routiq_gql.serving import connection_table
from routiq_gql.serving.connection_table import MIN_WAIT_SECONDS, MOST_REFUSED, ConnectionTable, Phase

MOST = 8
STALL_SECONDS = 5.0
HOLDERS = ("org_1", "org_2", "org_3")
REPLACED = (Phase.IDLE, Phase.RECEIVING, Phase.UNKNOWN_SOCKET)


@dataclass(eq=False)
class Peer(asyncio.Transport):
    """A connection as the test knows it, and the transport of it that the table knows."""

    number: int
    since: float
    changed: int
    """The number of its last change of phase, which orders those of the same moment."""
    phase: Phase = Phase.IDLE
    holder: str | None = None
    blocked_since: float | None = None
    closing_since: float | None = None
    may_close: bool = False
    is_evicted: bool = False
    is_aborted: bool = False

    def is_closing(self) -> bool:
        return self.may_close

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def abort(self) -> None:
        self.is_aborted = True

    def evict(self) -> None:
        self.is_evicted = True


class Model:
    """A table, and a list of its connections."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.table = ConnectionTable(MOST, STALL_SECONDS)
        self.now = 100.0
        self.pace = self.chance.choice((0.1, 0.3, 1.0))
        self.open: list[Peer] = []
        self.made = self.replaced = 0

    def admit(self) -> None:
        new = Peer(self.next(), self.now, self.next())
        victim = None
        if len(self.open) >= MOST:
            waiting = [
                min((one for one in self.open if one.phase is phase), key=lambda one: one.changed, default=None)
                for phase in REPLACED
            ]
            old = (one for one in waiting if one is not None and self.now - one.since >= MIN_WAIT_SECONDS)
            victim = next(old, None)
        has_room = len(self.open) < MOST or victim is not None
        assert self.table.admit(new, new.evict, self.now) is has_room
        if victim is not None:
            assert victim.is_evicted
            self.replaced += 1
            self.open.remove(victim)
        assert not any(one.is_evicted for one in self.open)
        if has_room:
            self.open.append(new)

    def enter(self) -> None:
        one, phase = self.any(), self.chance.choice(tuple(Phase))
        self.table.enter(one, phase, self.now)
        if one.phase is not phase:
            one.phase, one.since, one.changed = phase, self.now, self.next()

    def hold(self) -> None:
        one, holder = self.any(), self.chance.choice(HOLDERS)
        if one.holder == holder:
            expected = True
        else:
            one.holder = None  # given up for the other, whether that one gets it or not
            own = sum(other.holder == holder for other in self.open)
            by_others = sum(other.holder not in {None, holder} for other in self.open)
            expected = own < (MOST - by_others) // 2
            one.holder = holder if expected else None
        assert self.table.hold(one, holder) is expected

    def release(self) -> None:
        one = self.any()
        self.table.release(one)
        one.holder = None

    def block(self) -> None:
        one = self.any()
        one.blocked_since = self.chance.choice((self.now, None))
        self.table.blocked(one, one.blocked_since)

    def close(self) -> None:
        self.any().may_close = True

    def upgrade(self) -> None:
        one = self.any()
        self.table.replace_evict(one, one.evict)
        one.blocked_since = None

    def remove(self) -> None:
        one = self.any()
        for _ in range(self.chance.choice((1, 2))):
            self.table.remove(one)
        self.open.remove(one)

    def sweep(self) -> None:
        self.table.sweep(self.now)
        for one in list(self.open):
            if one.may_close and one.closing_since is None:
                one.closing_since = self.now
            stalled = [at for at in (one.blocked_since, one.closing_since) if at is not None]
            if any(self.now - at > STALL_SECONDS for at in stalled):
                assert one.is_aborted
                self.open.remove(one)
        assert not any(one.is_aborted for one in self.open)

    def next(self) -> int:
        self.made += 1
        return self.made

    def any(self) -> Peer:
        return self.chance.choice(self.open)

    def step(self) -> None:
        if self.chance.random() < self.pace:
            self.now += self.chance.choice((MIN_WAIT_SECONDS / 2, MIN_WAIT_SECONDS, 1.0))
        later: tuple[Callable[[], None], ...] = (
            *(self.enter, self.enter, self.hold, self.hold, self.release, self.block),
            *(self.close, self.upgrade, self.remove, self.sweep),
        )
        events = (*[self.admit] * 5, *later) if self.open else (self.admit,)
        self.chance.choice(events)()

    def check(self) -> None:
        assert len(self.table) == len(self.open) <= MOST
        by_phase = {phase: {one.number for one in self.open if one.phase is phase} for phase in Phase}
        found = {phase: {one.number for one in known} for phase, known in self.table._phases.items()}  # type: ignore[attr-defined]
        assert found == by_phase
        assert self.table._held == Counter(one.holder for one in self.open if one.holder is not None)


@pytest.mark.parametrize("seed", range(30))
def test_the_table_knows_each_connection_as_it_is(seed: int, monkeypatch: pytest.MonkeyPatch):
    """Of any connections, the right one is replaced, each organization gets its part, and none stays behind."""
    monkeypatch.setattr(connection_table.RateLimitedLog, "warn", lambda *_arguments, **_facts: None)
    model = Model(seed)
    for _ in range(300):
        model.step()
        model.check()
    assert model.replaced > 5
    for one in list(model.open):
        model.table.remove(one)
    model.open.clear()
    model.check()


def test_refused_connections_are_ended_oldest_first():
    """However many are refused at once, a few are kept until they have read why, and each is ended once at most."""
    table, ended = ConnectionTable(MOST, STALL_SECONDS), list[int]()
    peers = [Peer(number, 0.0, number) for number in range(MOST_REFUSED + 5)]
    for one in peers[:MOST_REFUSED]:
        table.refuse(one, lambda number=one.number: ended.append(number))  # type: ignore[misc]
    table.remove(peers[1])
    for one in peers[MOST_REFUSED:]:
        table.refuse(one, lambda number=one.number: ended.append(number))  # type: ignore[misc]
    assert ended == [0, 2, 3, 4]
    assert len(table) == 0
