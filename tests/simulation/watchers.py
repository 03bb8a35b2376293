"""Clients that watch a sync through the service's methods: they lag, disconnect and resume, and check what they see."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from routiq_gql.errors import RateLimited, RoutiqError
from routiq_gql.organizations.dashboard import Dashboard
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync.model import LogLine, SyncSnapshot
from tests.simulation.invariants import Ledger
from tests.simulation.process import Process
from tests.simulation.scenario import Watching


class Watcher:
    """A client and what it has seen.

    Attributes:
        version: The newest version that it has seen.
        seq: The last line of the log that it has seen.
        has_ended: Whether it has seen the end.
        resumed: How often it has connected again.
    """

    def __init__(
        self,
        watching: Watching,
        viewer: Viewer,
        sync_id: str,
        ledger: Ledger,
        serving: Callable[[], Awaitable[Process]],
    ) -> None:
        self.watching = watching
        self.version = self.seq = self.percentage = 0
        self.has_ended = self.has_skipped = False
        self.lines: list[tuple[int, str]] = []
        self.resumed = self._shown_end = 0
        self._viewer = viewer
        self._sync_id = sync_id
        self._ledger = ledger
        self._serving = serving

    async def watch(self) -> None:
        """Watch until the end has been seen, however often the connection is lost."""
        while not self.has_ended:
            process = await self._serving()
            session = process.run(self._session(process))
            await process.until_done(session)
            if not session.cancelled() and (error := session.exception()) is not None:
                is_away = isinstance(error, RoutiqError) and not process.is_serving
                if not (process.is_dead or is_away or isinstance(error, RateLimited)):
                    raise error
            if not self.has_ended:
                self.resumed += 1
                await asyncio.sleep(0.05 + self.watching.lag)

    async def _session(self, process: Process) -> None:
        self._process = process
        seen = 0
        last = 0
        async with aclosing(self._items(process)) as items:
            async for item in items:
                if isinstance(item, LogLine):
                    self._note_line(item)
                elif isinstance(item, SyncSnapshot):
                    self._note_snapshot(item, last)
                    last = item.version
                else:
                    self._note_dashboard(item)
                seen += 1
                if self.has_ended and self.watching.kind == "dashboard":
                    return
                is_last = isinstance(item, SyncSnapshot) and item.is_terminal
                if seen == self.watching.leaves_after and not is_last:
                    return
                if self.watching.lag:
                    await asyncio.sleep(self.watching.lag)
        self._note_end(last)
        self.has_ended = True

    def _note_end(self, last: int) -> None:
        """Check a stream that has ended by itself: it has shown the end of the sync, and the whole log."""
        key = next(key for key, one in self._ledger.syncs.items() if one["sync_id"] == self._sync_id)
        known = self._ledger.syncs[key]
        if known.is_active or (self.watching.kind != "log" and last != known["version"]):
            self._ledger.fail("stuck", f"a stream of {self._sync_id} ends at version {last} of {known['version']}")
        if self.watching.kind != "watch" and self.lines != self._ledger.reader.log(key):
            self._ledger.fail("twice", f"a watcher of {self._sync_id} has other lines than its log: {self.lines}")

    def _items(self, process: Process) -> AsyncGenerator[LogLine | SyncSnapshot | Dashboard, None]:
        assert process.runtime is not None
        syncs = process.runtime.syncs
        match self.watching.kind:
            case "watch":
                return syncs.watch(self._viewer, self._sync_id)  # type: ignore[return-value]
            case "follow":
                return syncs.follow(self._viewer, self._sync_id, self.version, self.seq)  # type: ignore[return-value]
            case "log":
                return syncs.watch_log(self._viewer, self._sync_id, self.seq)  # type: ignore[return-value]
        assert self._viewer.organization_id is not None
        return syncs.watch_dashboard(self._viewer, self._viewer.organization_id)  # type: ignore[return-value]

    def _note_line(self, line: LogLine) -> None:
        if line.seq != self.seq + 1 or line.sync_id != self._sync_id:
            self._ledger.fail("twice", f"a watcher of {self._sync_id} sees line {line.seq} after {self.seq}")
        self.seq = line.seq
        self.lines.append((line.seq, line.message))

    def _note_snapshot(self, snapshot: SyncSnapshot, last: int) -> None:
        if snapshot.sync_id != self._sync_id:
            self._ledger.fail("others", f"a watcher of {self._sync_id} sees {snapshot.sync_id}")
        is_newer = snapshot.version > (self.version if self.watching.kind == "follow" else last)
        is_last = snapshot.is_terminal and snapshot.version >= self.version
        if not (is_newer or is_last) or snapshot.version < last:
            self._ledger.fail("back", f"a watcher sees version {snapshot.version} after {self.version}")
        if snapshot.version < self.version or snapshot.progress_percentage < self.percentage:
            self._ledger.fail(
                "back",
                f"a watcher sees version {snapshot.version} with {snapshot.progress_percentage} % after {self.version} "
                f"with {self.percentage} %",
            )
        self._ledger.note_published(snapshot)
        if self.watching.kind == "watch" or not self.watching.lag:  # a follower also takes its time for each line
            self._ledger.check_delivery(snapshot, last, self._process, self.watching.lag)
        self.has_skipped = self.has_skipped or snapshot.version > self.version + 1 > 1
        self.version, self.percentage = snapshot.version, snapshot.progress_percentage
        if self.watching.kind == "follow" and self.seq < snapshot.last_log_seq:
            self._ledger.fail("twice", f"a follower has version {snapshot.version} before line {snapshot.last_log_seq}")

    def _note_dashboard(self, dashboard: Dashboard) -> None:
        if dashboard.organization_id != self._viewer.organization_id:
            self._ledger.fail("others", f"a watcher of {self._viewer.organization_id} sees {dashboard.organization_id}")
        last, running, completed = dashboard.last_sync, dashboard.current_sync, dashboard.last_successful_sync
        for one in (last, running, completed):
            if one is not None:
                self._ledger.note_published(one)
                if one.organization_id != self._viewer.organization_id:
                    self._ledger.fail("others", f"a dashboard of {self._viewer.organization_id} shows {one.sync_id}")
        stats = dashboard.patient_stats
        if completed is not None:
            shown = (stats.patients_in_cliniko, stats.last_sync_time)
            is_right = stats.active_patients in self._ledger.active_since(completed.key)
            if shown != (completed.patients_found, completed.completed_at) or not is_right:
                self._ledger.fail("back", f"a dashboard shows {stats} after {completed}")
        ended = max(self._shown_end, last.key if last is not None else 0)
        is_behind = (last is not None and (last.key < ended or not last.is_terminal)) or (
            running is not None and (running.is_terminal or running.key <= ended)
        )
        if is_behind:
            self._ledger.fail("back", f"a dashboard shows sync {running} and {last} after {ended}")
        self._shown_end = ended
        key = next(key for key, one in self._ledger.syncs.items() if one["sync_id"] == self._sync_id)
        if last is not None and last.key >= key:  # a later sync may have begun right after its end
            self.has_ended = True
