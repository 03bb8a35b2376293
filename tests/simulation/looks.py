"""The promises about looks at Cliniko, and about the syncs that follow from them.

*share*: they send no more requests within a minute than stated. *twice*: one look at an organization at a time.
*fresh*: without trouble an edit that moves ``updated_at`` is shown within a bound. *bounded*: no chain of syncs that
read nothing new. *person*: a start by a person ends such a sync, and never waits for its share. *mode*: a dashboard
says that data is live only while looks take place.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from routiq_gql.database.rows import SyncRow
from routiq_gql.sync.receipt import read_receipt
from tests.simulation.invariants import Ledger
from tests.simulation.life import LOOKED_AT, Life
from tests.simulation.process import Process, current
from tests.simulation.rare import RareStates
from tests.simulation.reader import at_once
from tests.simulation.sync_story import SyncStory, Violated
from tests.sync.histories.oracle import Content, Values, content_of
from tests.sync.histories.world import Organization

MINUTE = 60.0
LOOK = "look at "
"""The name of a task that looks begins with this."""
SHARED = "Leaving Cliniko's rate limit to others"
"""The text of a sync that waits for its share begins with this."""
FRESH_SECONDS = 240.0
"""An edit is shown within this time and four intervals: a comparison may take a minute's share before, and another
organization with the key, too."""
TROUBLED_SECONDS = 900.0
"""The longest wait after failures."""
MOST_REPEATS = 2
"""Syncs of looks in a row that read nothing new: a change within the second of a look is read twice."""


@dataclass
class Awaited:
    """The states of a row since an edit that the mirror has not shown yet, with the time and the trace of each."""

    states: list[tuple[float, bool, Values | None]] = field(default_factory=list)

    def note_shown(self, found: Values | None) -> list[float]:
        """Forget the states up to the one that is shown. Returns the times of those with a trace."""
        for place in range(len(self.states) - 1, -1, -1):
            if self.states[place][2] == found:
                shown = [at for at, has_trace, _ in self.states[: place + 1] if has_trace]
                del self.states[: place + 1]
                return shown
        return []

    @property
    def since(self) -> float | None:
        """The time of the earliest edit with a trace; ``None`` if only comparisons can find the others."""
        return next((at for at, has_trace, _ in self.states if has_trace), None)


class LooksLedger:
    """Checks looks and their syncs.

    Attributes:
        looked_at: When a look at each organization has begun last.
        came_at: When a client of each organization has come last.
        comparisons: How often each organization was compared.
        troubled_at: Until when a fault, a kill or the like has been under way last, in virtual seconds.
        waits: The virtual seconds from each edit with a trace until it was published.
        jumped_at: The same for frozen processes and jumps of the clock, after which requests are counted wrongly.
    """

    def __init__(
        self, ledger: Ledger, organizations: list[Organization], life: Life, share: int, rare: RareStates
    ) -> None:
        self.troubled_at = self.jumped_at = -TROUBLED_SECONDS
        self.waits: list[float] = []
        self.looked_at: dict[str, float] = {}
        self.came_at: dict[str, float] = {}
        self.comparisons = dict.fromkeys((one.name for one in organizations), 0)
        self._since_look: dict[str, list[Content]] = {one.name: [] for one in organizations}
        self._compared_at: dict[str, datetime | None] = {}
        self._ledger = ledger
        self._organizations = organizations
        self._life = life
        self._share = share
        self._rare = rare
        self._sent: deque[float] = deque()
        self._looks: dict[str, dict[asyncio.Task[Any], Process | None]] = {one.name: {} for one in organizations}
        self._awaited: dict[tuple[str, str, int], Awaited] = {}
        self._repeats = dict.fromkeys((one.name for one in organizations), 0)
        self._ended_at = dict.fromkeys((one.name for one in organizations), 0.0)
        self._looked_in: dict[str, set[int]] = {one.name: set() for one in organizations}

    # Requests

    def note_sent(self, organization: Organization) -> None:
        """Check a request that a process sends to this organization's Cliniko."""
        known = self._ledger.active_of(organization)
        now = self._now()
        if is_look():
            self._note_look(organization, now)
        elif known is None or not known.is_refresh or known["mode"] == "full":
            return
        self._sent.append(now)
        while self._sent[0] <= now - MINUTE:
            self._sent.popleft()
        is_certain = self.jumped_at < now - MINUTE - 10
        if self._share and len(self._sent) > self._share and is_certain:
            self._ledger.fail("share", f"{len(self._sent)} requests within a minute, and the share is {self._share}")

    def _note_look(self, organization: Organization, now: float) -> None:
        looks, task = self._looks[organization.name], asyncio.current_task()
        assert task is not None
        if task in looks:
            return
        for other, process in looks.items():
            is_lost = process is None or process.is_dead or process.is_frozen or process.disturbed_at >= 0
            if not other.done() and not is_lost and process is not current():
                self._ledger.fail("twice", f"{current()} and {process} look at {organization.name}")
        for other in [one for one in looks if one.done()]:
            del looks[other]
        if any(not one.done() for name, its in self._looks.items() if name != organization.name for one in its):
            self._rare.reach("looks at two organizations at the same time")
        looks[task] = current()
        self._since_look[organization.name] = []
        waited = now - self.looked_at.get(organization.name, now)
        if waited > 1.5 * self._life.interval and now - self.came_at.get(organization.name, -MINUTE) < 6:
            self._rare.reach("a look that a client has made due")
        self.looked_at[organization.name] = now
        clinic = organization.clinic.clock.now()
        self._looked_in[organization.name].add(int(clinic.timestamp()))

    def is_looking(self, organization: Organization) -> bool:
        """Whether a look has sent a request, and has not ended."""
        return any(not task.done() for task in self._looks[organization.name])

    # Edits

    def states_since_look(self, organization: Organization) -> list[Content]:
        """The states of a clinic since its last look has begun, without the present: the sync of a look shows any."""
        return self._since_look[organization.name]

    def edited(self, organization: Organization, before: Content, after: Content, at: datetime) -> None:
        """Note the rows that an edit has changed, which the mirror has to show."""
        now, second = self._now(), int(at.timestamp())
        self._since_look[organization.name].append(before)
        self._repeats[organization.name] = 0
        if second in self._looked_in[organization.name]:
            self._rare.reach("an edit within the second of a look")
        if self.is_looking(organization):
            self._rare.reach("an edit during a look")
        for name in LOOKED_AT:
            for row_id in before[name].keys() | after[name].keys():
                key = (organization.name, name, row_id)
                value = after[name].get(row_id)
                if before[name].get(row_id) != value:
                    has_trace = _has_trace(organization, name, row_id, second)
                    self._awaited.setdefault(key, Awaited()).states.append((now, has_trace, value))

    def content_now(self, organization: Organization) -> Content:
        """The rows that the mirror has to hold."""
        newest = max(organization.shown)
        horizon = self._ledger.syncs[newest].horizon
        return content_of(organization.clinic, horizon)

    # Syncs

    def ended(self, known: SyncStory, row: SyncRow) -> None:
        """Check a sync that has completed."""
        organization = known.organization
        self._ended_at[organization.name] = self._now()
        content, _ = organization.shown[row.key]
        for key in [one for one in self._awaited if one[0] == organization.name]:
            awaited = self._awaited[key]
            self.waits += [self._now() - at for at in awaited.note_shown(content[key[1]].get(key[2]))]
            if not awaited.states:
                del self._awaited[key]
        mirror = at_once(self._ledger.reader.mirror(organization))
        is_comparison = mirror is not None and mirror.compared_at != self._compared_at.get(organization.name)
        if mirror is not None and is_comparison:
            self.comparisons[organization.name] += 1
            self._compared_at[organization.name] = mirror.compared_at
        if not known.is_refresh or row.receipt is None:
            return
        self._rare.reach("a comparison that a look has started" if is_comparison else "a sync of the changes of a look")
        earlier = [key for key in organization.shown if key < row.key]
        has_compared = any(one.agrees is not None for one in read_receipt(row.receipt).lists)
        is_new = has_compared or organization.shown[max(earlier)][0] != content
        self._repeats[organization.name] = 0 if is_new or not known.was_honest else self._repeats[organization.name] + 1
        if self._repeats[organization.name]:
            self._rare.reach("a sync of a look that reads nothing new")
        if self._repeats[organization.name] > MOST_REPEATS:
            raise Violated("bounded", f"sync {row.key} reads nothing new, like those before it")

    def changed(self, known: SyncStory) -> None:
        """Check a sync at each commit."""
        if not known["current_step"].startswith(SHARED):
            return
        self._rare.reach("a sync of a look that waits for its share")
        if not known.is_refresh:
            self._ledger.fail("person", f"sync {known['key']} of a person waits for the share of looks")

    # Over time

    def check(self) -> None:
        """Check that every edit with a trace is shown in time."""
        now = self._now()
        for (name, resource, row_id), awaited in self._awaited.items():
            since = awaited.since
            if since is None or not self._is_live(name):
                continue
            bound = FRESH_SECONDS + 4 * self._life.interval
            if self.troubled_at >= since - MINUTE:
                since, bound = max(since, self.troubled_at), bound + TROUBLED_SECONDS
            if now - since > bound:
                what = f"{resource} {row_id} of {name} was edited {now - since:.0f} s ago, and is not shown"
                self._ledger.fail("fresh", what)

    def is_fresh(self, organization: Organization) -> bool:
        """Whether every edit with a trace is shown."""
        return all(
            one.since is None or not self._is_live(key[0])
            for key, one in self._awaited.items()
            if key[0] == organization.name
        )

    def _is_live(self, name: str) -> bool:
        return self._life.is_everywhere or name == self._organizations[0].name

    def check_mode(self, name: str, interval: float) -> None:
        """Check a dashboard that says that looks take place, every so many seconds."""
        now = self._now()
        active = any(one.is_active and one.organization.name == name for one in self._ledger.syncs.values())
        bound = 3 * interval + 2 * MINUTE
        is_calm = self.troubled_at < now - bound - TROUBLED_SECONDS
        if not self._is_live(name):
            self._ledger.fail("mode", f"a dashboard says that {name} is live, without a request for it")
        elif is_calm and not active and now - max(self.looked_at.get(name, now), self._ended_at[name]) > bound:
            self._ledger.fail(
                "mode", f"{name} is said to be live, and the last look was at {self.looked_at[name]:.0f} s"
            )

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def is_look() -> bool:
    """Whether a look makes the request under way."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.get_name().startswith(LOOK)


def _has_trace(organization: Organization, name: str, row_id: int, second: int) -> bool:
    """Whether Cliniko lists the row among those that have changed in this second."""
    table = organization.clinic.tables[name]
    if row_id not in table:
        return False
    row = table.get(row_id)
    is_hidden = name == "patients" and row["deleted_at"] is not None
    return not is_hidden and (row["updated_at"] or 0) >= second
