"""Limits per minute, compared with plain lists of the allowed requests: stream tokens, and tried API keys."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from routiq_gql.connections import connect_limit
from routiq_gql.connections.connect_limit import ALL_TOGETHER, ConnectLimit
from routiq_gql.errors import RateLimited
from routiq_gql.security import stream_tokens
from routiq_gql.security.audit import Action
from routiq_gql.security.stream_tokens import MADE_PER_MINUTE, StreamTokens
from routiq_gql.security.viewer import LOCAL_OPERATOR, Viewer

MINUTE = 60
SUBJECTS = ("anna", "ben", None)
PAUSES = (1, 1, 1, 2, 5, 30, 61)
"""Seconds between two requests that do not follow each other at once."""


class Clock(SimpleNamespace):
    """In the place of the module ``time``."""

    def __init__(self) -> None:
        super().__init__(now=1_000)

    def monotonic(self) -> float:
        return float(self.now)


def _within(moments: list[int], now: int) -> list[int]:
    return [one for one in moments if now - one < MINUTE]


@pytest.mark.parametrize("seed", range(5))
def test_stream_tokens_are_limited_in_any_minute(seed: int, monkeypatch: pytest.MonkeyPatch):
    """However a person spreads requests, no minute has more tokens than allowed, and others lose nothing by it."""
    chance, clock, nothing = random.Random(seed), Clock(), SimpleNamespace()
    monkeypatch.setattr(stream_tokens, "time", clock)
    tokens = StreamTokens(nothing, nothing, nothing)  # type: ignore[arg-type]
    made: dict[str | None, list[int]] = {subject: [] for subject in SUBJECTS}
    refused = 0
    for _ in range(3_000):
        clock.now += chance.choice(PAUSES) if chance.random() < 0.02 else 0
        subject = chance.choice(SUBJECTS)
        recent = _within(made[subject], clock.now)
        if len(recent) < MADE_PER_MINUTE:
            tokens._count(subject)
            made[subject].append(clock.now)
            continue
        with pytest.raises(RateLimited) as error:
            tokens._count(subject)
        assert error.value.retry_after_seconds == recent[0] + MINUTE - clock.now
        refused += 1
    assert refused > 50
    assert len(tokens._made_at) <= len(SUBJECTS)


@pytest.mark.parametrize("seed", range(5))
def test_tried_keys_are_limited_in_any_minute(seed: int, monkeypatch: pytest.MonkeyPatch):
    """For an organization, an address, a person and the server. A refused try counts for nothing and is audited."""
    chance, clock = random.Random(seed), Clock()
    monkeypatch.setattr(connect_limit, "time", clock)
    noted: list[Any] = []
    audit = SimpleNamespace(refused=lambda *facts: noted.append(facts))
    most = 4
    limit = ConnectLimit(most, audit)  # type: ignore[arg-type]
    tried: list[tuple[int, str, str | None, str | None]] = []
    outcomes = {True: 0, False: 0}
    for _ in range(2_000):
        clock.now += chance.choice(PAUSES) if chance.random() < 0.1 else 0
        organization, subject = f"org_{chance.randint(1, 12)}", chance.choice((*"abcdefghij", None))
        address = chance.choice((*"123456789", None))
        recent = [one for one in tried if clock.now - one[0] < MINUTE]
        is_allowed = len(recent) < most * ALL_TOGETHER and not any(
            value is not None and sum(one[place] == value for one in recent) >= most
            for place, value in ((1, organization), (2, address), (3, subject))
        )
        outcomes[is_allowed] += 1
        viewer = Viewer(organization, subject=subject, address=address)
        if is_allowed:
            limit.require(viewer, organization, Action.CONNECT)
            tried.append((clock.now, organization, address, subject))
            continue
        before = len(noted)
        with pytest.raises(RateLimited) as error:
            limit.require(viewer, organization, Action.CONNECT)
        assert 1 <= error.value.retry_after_seconds <= MINUTE
        assert len(noted) == before + 1
    assert min(outcomes.values()) > 100
    limit.require(LOCAL_OPERATOR, "org_1", Action.CONNECT)
    assert len(limit._tries) <= most * ALL_TOGETHER
