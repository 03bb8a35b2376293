"""What a stream of a sync with its log sends, from each position and at each moment, beside plain Python."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, cast

import pytest

from routiq_gql.live import log_feed
from routiq_gql.live.following import LogFollower
from routiq_gql.live.topics import SyncTopic
from routiq_gql.sync.model import LogLevel, LogLine, SyncSnapshot, SyncState, SyncStep
from tests.snapshots import BEGIN, SNAPSHOT

LINES = (2, 2, 3, 3, 5)
"""The last log line of each version, from the first version on."""
LAST = len(LINES)
ENDED = {"status": SyncState.COMPLETED, "completed_at": BEGIN}
SNAPSHOTS = [
    replace(SNAPSHOT, version=version, last_log_seq=seq, **(ENDED if version == LAST else {}))
    for version, seq in enumerate(LINES, 1)
]
Item = tuple[str, int]


class _Follower(LogFollower):
    """Reads the log from memory."""

    def __init__(self) -> None:
        super().__init__(cast(Any, None))

    async def _read(self, topic: SyncTopic, after: int, limit: int) -> list[LogLine]:
        numbers = range(after + 1, min(after + limit, LINES[-1]) + 1)
        return [LogLine(topic.sync_id, one, BEGIN, LogLevel.INFO, SyncStep.ANALYZING, "") for one in numbers]


async def _each(snapshots: Sequence[SyncSnapshot]) -> AsyncIterator[SyncSnapshot]:
    for one in snapshots:
        yield one


def _expected(snapshots: Sequence[SyncSnapshot], version: int, seq: int) -> list[Item]:
    items: list[Item] = []
    for one in snapshots:
        items += [("line", number) for number in range(seq + 1, one.last_log_seq + 1)]
        seq = max(seq, one.last_log_seq)
        if one.version > version or one.is_terminal:
            items.append(("snapshot", one.version))
    return items


@pytest.mark.parametrize("kept", [1, 2, 200])
async def test_a_stream_resumes_from_any_position_at_any_moment(monkeypatch: pytest.MonkeyPatch, kept: int):
    """Each line comes once and before its status. The end comes last, also for a client that has that version."""
    monkeypatch.setattr(log_feed, "LOG_BATCH", 2)
    for module in ("log_feed", "following"):
        monkeypatch.setattr(f"routiq_gql.live.{module}.KEPT_LINES", kept)
    for begin, version, seq, is_other in product(range(LAST), range(LAST + 1), range(LINES[-1] + 1), (False, True)):
        snapshots = SNAPSHOTS[begin:]
        if is_other:  # a slow task gets the first and the last
            snapshots = [*snapshots[:1], *snapshots[1:][-1:]]
        follower, found = _Follower(), list[Item]()
        async for item in follower.with_lines(_each(snapshots), version, seq):
            found.append(("line", item.seq) if isinstance(item, LogLine) else ("snapshot", item.version))
        assert found == _expected(snapshots, version, seq), (begin, version, seq, is_other)
        assert not len(follower)
