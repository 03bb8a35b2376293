"""The promises about requests to Cliniko, and about the memory of an idle process.

*stuck*: no request is sent while the sync shows that it waits, and none after its cancel was answered. *limit*: after
a 429 a process sends nothing for a second. *leak*: an idle process holds no run, heartbeat, counted subscription or
feed.
"""

import asyncio
from typing import Any

from tests.simulation.invariants import Ledger
from tests.simulation.looks import is_look
from tests.simulation.process import Process, current
from tests.simulation.template import NAMES
from tests.simulation.transport import FIRST_PORT
from tests.sync.histories.world import Organization

WAITS = {"rate_limit", "cliniko_retry"}
LIMITED_SECONDS = 0.95
"""A little less than the shortest wait after a 429."""


class Conduct:
    """Checks what processes do between their commits."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._cancelled_in: dict[str, Process] = {}
        self._limited_at: dict[tuple[int, Process | None], float] = {}

    def note_response(self, port: int, status: int) -> None:
        """Note the status of a response to the current process."""
        if status == 429:
            self._limited_at[port, current()] = asyncio.get_running_loop().time()

    def note_cancelled(self, organization: Organization, process: Process | None) -> None:
        """Note that this process has answered a cancel of the organization's sync."""
        if process is not None:
            self._cancelled_in[organization.name] = process

    def note_request(self, organization: Organization, process: Process | None) -> None:
        """Check a request of this process that has reached the organization's Cliniko."""
        known = self._ledger.active_of(organization)
        port = FIRST_PORT + NAMES.index(organization.name)
        if asyncio.get_running_loop().time() - self._limited_at.get((port, process), -1.0) < LIMITED_SECONDS:
            self._ledger.fail("limit", f"{process} sends a request to {organization.name} right after a 429")
        if is_look():
            return
        if known is None:
            if process is not None and self._cancelled_in.get(organization.name) is process:
                self._ledger.fail("stuck", f"{process} sends a request after it has cancelled {organization.name}")
            return
        self._cancelled_in.pop(organization.name, None)
        if process is None or known["claimed_by"] != process.holder:
            return
        known.requests += 1
        if known["waiting_for"] in WAITS:
            self._ledger.fail("stuck", f"{process} sends a request while sync {known['key']} shows a wait")


def kept_by(runtime: Any) -> list[str]:
    """Names of objects that an idle process must not have, and has."""
    engine, syncs = runtime.engine, runtime.syncs
    kept = {
        "runs": engine._tasks,
        "heartbeats": engine._runner._heartbeat._runs,
        "a task of heartbeats": engine._runner._heartbeat._beating,
        "counted subscriptions": syncs.subscriptions._open,
        "feeds": len(syncs.feeds),
        "logs": len(syncs._followers),
        "reads of dashboards": syncs.feeds.dashboards._reading or syncs.feeds.dashboards.dashboards._joined,
    }
    return [name for name, one in kept.items() if one]
