"""Each snapshot is published after its commit, on every path: a client that reads at once finds that state or a newer.

The simulator checks the same of runs, with other orders of events, and without schedules and connections.
"""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from routiq_gql.clock import utc_now
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.tables import ACTIVITY, SCHEDULE
from routiq_gql.database.time_only import DueMirror
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.engines.scheduler import Scheduler
from routiq_gql.engines.time_only import TimeOnlySyncs
from routiq_gql.live.bus import InProcessBus
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import looks_of
from tests.organization import ORGANIZATION
from tests.syncs import follow, run_sync, start

pytestmark = pytest.mark.sqlite_only


class Published:
    """All snapshots that a runtime publishes, each compared with the row that another connection to the file reads."""

    def __init__(self, runtime: Runtime, patch: pytest.MonkeyPatch) -> None:
        self.snapshots: list[SyncSnapshot] = []
        self.not_committed: list[SyncSnapshot] = []
        self._path = str(runtime.database.path)
        publish = InProcessBus.publish

        def noted(bus: InProcessBus, snapshot: SyncSnapshot) -> None:
            self.snapshots.append(snapshot)
            if self._committed_version(snapshot.key) < snapshot.version:
                self.not_committed.append(snapshot)
            publish(bus, snapshot)

        patch.setattr(InProcessBus, "publish", noted)

    def _committed_version(self, key: int) -> int:
        with closing(sqlite3.connect(self._path)) as other:
            row = other.execute("SELECT version FROM syncs WHERE key = ?", (key,)).fetchone()
        return row[0] if row is not None else 0

    def of(self, sync_id: str) -> set[SyncState]:
        """The states of a sync that were published."""
        return {one.status for one in self.snapshots if one.sync_id == sync_id}


async def newest(runtime: Runtime) -> str:
    """The id of the newest sync of the history."""
    return (await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)).recent_syncs[0].sync_id


async def test_every_snapshot_is_committed_before_it_is_published(
    runtime: Runtime, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """Starts, steps and ends of people's, scheduled, live and time-only syncs, and ends from outside of a run."""
    published = Published(runtime, monkeypatch)
    completed = await run_sync(runtime)
    assert {SyncState.STARTING, SyncState.ANALYZING, SyncState.COMPLETED} <= published.of(completed.sync_id)

    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_402, "patients", times=None))
    failed = await run_sync(runtime)
    assert SyncState.FAILED in published.of(failed.sync_id)
    cliniko.emulator.faults.clear()

    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, timedelta(hours=1))
    async with runtime.database.writing() as connection:
        await connection.execute(update(SCHEDULE).values(next_at=utc_now() - timedelta(seconds=1)))
    await Scheduler(runtime.database, runtime.bus, runtime.audit).step(runtime.engine)
    scheduled = await newest(runtime)
    await follow(runtime, scheduled)
    assert {SyncState.STARTING, SyncState.COMPLETED} <= published.of(scheduled)

    looks = looks_of(runtime, is_elsewhere=True)
    cliniko.emulator.clinic.rename("9", first_name="Zoë")
    of_look = await looks.look()
    assert of_look is not None
    assert {SyncState.STARTING, SyncState.COMPLETED} <= published.of(of_look.sync_id)

    mirror, changes = await published_mirror(runtime)
    time_only = await TimeOnlySyncs(runtime.database, runtime.bus).publish_due(mirror, changes)
    assert time_only is not None
    assert time_only.mode is SyncMode.TIME_ONLY

    cliniko.emulator.clinic.rename("9", first_name="Ada")
    cliniko.gate.hold("patients", spares_looks=True)
    await looks.refreshes.look(await looks.due(), runtime.engine)
    await cliniko.gate.reached()
    replaced = await looks.running()
    assert replaced is not None
    cancelled = await start(runtime)  # ends that of the look
    await runtime.syncs.cancel(LOCAL_OPERATOR, cancelled)
    assert SyncState.CANCELLED in published.of(replaced) & published.of(cancelled)
    cliniko.gate.open()

    cliniko.gate.hold("patients")
    ended = await start(runtime)
    await cliniko.gate.reached()
    await runtime.connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)
    assert SyncState.FAILED in published.of(ended)
    cliniko.gate.open()
    await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
    assert published.not_committed == []


async def published_mirror(runtime: Runtime) -> tuple[DueMirror, datetime]:
    """The organization, and when time alone changes a result next."""
    async with runtime.database.reading() as connection:
        mirror = await mirror_of(connection, ORGANIZATION)
        assert mirror is not None
        moment = (await connection.execute(select(func.max(ACTIVITY.c.changes_at)))).scalar_one()
    return DueMirror(mirror.number, ORGANIZATION), moment
