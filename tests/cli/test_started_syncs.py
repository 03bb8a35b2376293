"""``routiq-gql sync --no-wait`` says which sync it has started or joined, and keeps JSON apart from messages."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from types import SimpleNamespace

import pytest

from routiq_gql.cli import sync as sync_command
from routiq_gql.sync.model import SyncMode
from routiq_gql.sync.outcomes import StartedSync
from routiq_gql.sync.problems import StartProblem, StartProblemCode
from tests.cli.conftest import Command
from tests.snapshots import SNAPSHOT

PROBLEMS = [StartProblem(code, "It will not do.", "Do this first.", True) for code in StartProblemCode]


def test_what_was_started_is_said(command: Command, monkeypatch: pytest.MonkeyPatch):
    """Each problem of a start is printed, as no end is shown; a process to run it is looked for."""
    asked: list[SyncMode] = []
    choices = product((None, *PROBLEMS), (True, False), (True, False), ([], ["--full"]), ([], ["--json"]))
    for problem, is_new, has_worker, full, as_json in choices:
        begun = StartedSync(SNAPSHOT, is_new, problem)

        async def answer(value: object) -> object:
            return value

        async def start(_viewer: object, _id: str, mode: SyncMode, begun: StartedSync = begun) -> StartedSync:
            asked.append(mode)
            return begun

        @asynccontextmanager
        async def opened(*_: object, has_worker: bool = has_worker, **__: object) -> AsyncIterator[SimpleNamespace]:
            yield SimpleNamespace(
                connections=SimpleNamespace(has_enabled=lambda _id: answer(True)),
                syncs=SimpleNamespace(start=start),
                engine=SimpleNamespace(has_worker=lambda: answer(has_worker)),
            )

        monkeypatch.setattr(sync_command, "open_runtime", opened)
        shown = command("sync", "org_1", "--no-wait", *full, *as_json)
        assert shown.code == 0
        assert asked.pop() is (SyncMode.FULL if full else SyncMode.AUTO)
        messages = shown.err if as_json else shown.out
        lines = [f"{begun.message}: {SNAPSHOT.sync_id}"]
        lines += [f"{problem.message} {problem.what_to_do}"] if problem is not None else []
        lines += [f"Follow it: routiq-gql log {SNAPSHOT.sync_id} --follow"]
        assert messages.splitlines()[: len(lines)] == lines
        assert ("No process runs syncs" in shown.err) is not has_worker
        if as_json:
            assert json.loads(shown.out)["sync_id"] == SNAPSHOT.sync_id
