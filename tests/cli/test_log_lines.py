"""``routiq-gql log``: the lines of each level, and a sentence only if the log was removed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from types import SimpleNamespace

import pytest

from routiq_gql.cli import log as log_command
from routiq_gql.cli.log import LEVELS
from routiq_gql.sync.model import LogLevel, LogLine, SyncSnapshot, SyncState, SyncStep
from tests.cli.conftest import Command
from tests.snapshots import SNAPSHOT

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PAGE = 2


class Stored:
    """A sync with its log, of which the first lines may be removed."""

    def __init__(self, levels: list[LogLevel], *, is_removed: bool) -> None:
        lines = [
            LogLine(SNAPSHOT.sync_id, seq, NOW, level, SyncStep.STORING, f"Line {seq}")
            for seq, level in enumerate(levels, start=1)
        ]
        self.sync: SyncSnapshot = replace(SNAPSHOT, status=SyncState.COMPLETED, last_log_seq=len(lines))
        self.lines = [] if is_removed else lines

    async def find(self, *_: object) -> SyncSnapshot:
        return self.sync

    async def log(self, _viewer: object, _sync_id: str, *, after: int, limit: int) -> list[LogLine]:
        return [line for line in self.lines if line.seq > after][:limit]

    async def follow(self, *_: object) -> AsyncIterator[LogLine | SyncSnapshot]:
        for line in self.lines:
            yield line
        yield self.sync


@pytest.mark.parametrize("follow", [[], ["--follow"]])
@pytest.mark.parametrize("is_removed", [False, True])
def test_lines_of_each_level(command: Command, monkeypatch: pytest.MonkeyPatch, follow: list[str], is_removed: bool):
    """Lines below the level are left out, those of all pages are there, and a log that is there was not removed."""
    info, warning = LogLevel.INFO, LogLevel.WARNING
    for stored_levels, level in product(([], [info], [info, warning, info], [*LEVELS, *LEVELS]), LEVELS):
        stored = Stored(stored_levels, is_removed=is_removed)

        @asynccontextmanager
        async def opened(*_: object, syncs: Stored = stored, **__: object) -> AsyncIterator[SimpleNamespace]:
            yield SimpleNamespace(syncs=syncs)

        monkeypatch.setattr(log_command, "MAX_PAGE", PAGE)
        monkeypatch.setattr(log_command, "open_runtime", opened)
        monkeypatch.setattr(log_command, "find_sync", stored.find)
        shown = command("log", "org_1", "--level", level.value, *follow)
        wanted = [line.message for line in stored.lines if LEVELS.index(line.level) >= LEVELS.index(level)]
        assert shown.code == 0
        assert [" ".join(line.split()[-2:]) for line in shown.out.splitlines()] == wanted, (stored_levels, level)
        assert ("was removed" in shown.err) is (is_removed and bool(stored_levels)), (stored_levels, level)
