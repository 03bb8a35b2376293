"""Every way in which a sync ends has the same effects: it is final, counted, published once, and no longer run."""

import ast
import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import get_args

import pytest

import routiq_gql
from routiq_gql import metrics
from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind, demo_clinic
from routiq_gql.errors import SyncNotFound
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync import pipeline
from routiq_gql.sync.endings import Cancelled, Completed, Ending, Failed
from routiq_gql.sync.model import SyncSnapshot, SyncState
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import start
from tests.waiting import LIMIT_SECONDS

PACKAGE = Path(routiq_gql.__file__).parent

End = Callable[[Runtime, Cliniko, str], Awaitable[object]]


async def let_it_complete(_runtime: Runtime, _cliniko: Cliniko, _sync_id: str) -> None:
    pass


async def have_cliniko_fail(_runtime: Runtime, cliniko: Cliniko, _sync_id: str) -> None:
    cliniko.emulator.faults.add(Fault(FaultKind.HTML_200, times=None))


async def break_a_step(_runtime: Runtime, _cliniko: Cliniko, _sync_id: str) -> None:
    async def broken(*_: object) -> None:
        raise ValueError

    pipeline.analyze_slice = broken  # the test restores it


async def cancel(runtime: Runtime, _cliniko: Cliniko, sync_id: str) -> None:
    assert (await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)).cancelled


async def disconnect(runtime: Runtime, _cliniko: Cliniko, _sync_id: str) -> None:
    await runtime.connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)


async def connect_another_account(runtime: Runtime, cliniko: Cliniko, _sync_id: str) -> None:
    cliniko.emulator.clinic = demo_clinic(utc_now())
    await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, replace=True)


async def erase(runtime: Runtime, _cliniko: Cliniko, _sync_id: str) -> None:
    await runtime.connections.erase(LOCAL_OPERATOR, ORGANIZATION)


WAYS: dict[str, tuple[type[Ending], End]] = {
    "completed": (Completed, let_it_complete),
    "failed by Cliniko": (Failed, have_cliniko_fail),
    "failed by a fault of ours": (Failed, break_a_step),
    "cancelled": (Cancelled, cancel),
    "disconnected": (Failed, disconnect),
    "replaced": (Failed, connect_another_account),
    "erased": (Failed, erase),
}
"""The ways to end a sync that waits for Cliniko's answer."""


def ended(status: SyncState) -> float:
    return metrics.REGISTRY.get_sample_value("routiq_syncs_ended_total", {"status": status.value}) or 0


@pytest.mark.both_databases
@pytest.mark.parametrize("name", list(WAYS))
async def test_every_end_has_the_same_effects(
    runtime: Runtime, cliniko: Cliniko, name: str, monkeypatch: pytest.MonkeyPatch
):
    """However a sync ends, watchers see its end once, it counts once, and the clinic can start another sync."""
    monkeypatch.setattr(pipeline, "analyze_slice", pipeline.analyze_slice)
    kind, end = WAYS[name]
    published: list[SyncSnapshot] = []
    publish = runtime.bus.publish

    def noted(snapshot: SyncSnapshot) -> None:
        published.append(snapshot)
        publish(snapshot)

    monkeypatch.setattr(runtime.bus, "publish", noted)
    counted = {status: ended(status) for status in SyncState}
    asked = asyncio.Event()
    cliniko.emulator.after_request = lambda request: asked.set() if request.resource == "patients" else None
    cliniko.emulator.latency_seconds = 0.5
    sync_id = await start(runtime)
    async with asyncio.timeout(LIMIT_SECONDS):
        await asked.wait()
        cliniko.emulator.latency_seconds = 0
        async with aclosing(runtime.syncs.watch(LOCAL_OPERATOR, sync_id)) as snapshots:
            last = await anext(snapshots)  # before the end, as an erased sync is unknown to a new watcher
            await end(runtime, cliniko, sync_id)
            async for snapshot in snapshots:
                last = snapshot
        while runtime.engine.running:
            await asyncio.sleep(0.01)
    assert [snapshot for snapshot in published if snapshot.is_terminal] == [last], "published once"
    assert last.status is kind.status
    assert {status for status in SyncState if ended(status) != counted[status]} == {kind.status}
    assert ended(kind.status) == counted[kind.status] + 1
    assert (last.completed_at is None, last.resumes_at, last.waiting_for, last.estimated_completion) == (
        *(False, None, None, None),
    )
    assert (last.failure is None) is (kind is Completed)
    if end is erase:
        with pytest.raises(SyncNotFound):
            await runtime.syncs.status(LOCAL_OPERATOR, sync_id)
        return
    assert await runtime.syncs.status(LOCAL_OPERATOR, sync_id) == last, "the end is final"
    assert (await runtime.syncs.log(LOCAL_OPERATOR, sync_id))[-1].message == last.current_step
    assert (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).current_sync is None


def test_every_kind_of_ending_is_among_the_ways():
    """A new kind of ending comes with a way to reach it, or its effects would not be tested."""
    assert {kind for kind, _ in WAYS.values()} == set(get_args(Ending))


def trees() -> Iterator[tuple[str, ast.Module]]:
    """The modules of the package but those of the API, which an import contract keeps away from the database."""
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith("api/"):
            yield name, ast.parse(path.read_text())


def calls_of(name: str) -> set[str]:
    """The modules that call a function of this name."""
    return {module for module, tree in trees() for node in ast.walk(tree) if _is_call(node, name)}


def writers_of(column: str) -> set[str]:
    """The modules that set a column: by keyword in ``values(…)``, or by its name in a dictionary."""
    written = set()
    for module, tree in trees():
        for node in ast.walk(tree):
            by_keyword = _is_call(node, "values") and any(keyword.arg == column for keyword in node.keywords)
            by_name = isinstance(node, ast.Dict) and any(
                isinstance(key, ast.Constant) and key.value == column for key in node.keys
            )
            if by_keyword or by_name:
                written.add(module)
    return written


def _is_call(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and name in {getattr(node.func, "id", None), getattr(node.func, "attr", None)}


def test_one_place_ends_syncs():
    """No other code may end a sync, as its end would then not be counted and published."""
    assert writers_of("completed_at") == {"database/syncs.py"}
    assert calls_of("end_sync") == calls_of("sync_ended") == {"sync/endings.py"}
    assert calls_of("announce") == {"sync/run.py", "sync/service.py", "connections/service.py"}
