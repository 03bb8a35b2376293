"""The rare states that simulations must reach, observed from outside: from commits, requests and happenings.

A state that no seed reaches shows that the simulator has become blind for it; ``make simulate`` fails then.
"""

import json
from typing import Any

from routiq_gql.sync.checkpoint_json import COMPARING
from tests.simulation.process import Process
from tests.simulation.scenario import Trouble
from tests.simulation.sync_story import PLACE, SyncStory

STEPS = ("initializing", "checking the configuration", "checking the key", "reading patients",
         "reading appointments", "reading types", "analyzing", "storing")  # fmt: skip
_KILLS = tuple(f"a kill while {step}" for step in STEPS)
_RESUMES = tuple(f"a resume while {step}" for step in STEPS[2:])
_CANCELS = tuple(f"a cancel while {step}" for step in STEPS[2:])
_OF_LOOKS = (
    "a sync of the changes of a look",
    "a comparison that a look has started",
    "a sync of a look that waits for its share",
    "looks at two organizations at the same time",
    "a look that waits longer after failures",
    "a look that a client has made due",
    "a rate limit during a look",
    "a sync of a look that reads nothing new",
    "an edit within the second of a look",
    "an edit during a look",
    "a kill during a look",
    "a kill between a look and its sync",
    "a kill during the sync of a look",
    "a stop during a look",
    "a freeze during a look",
    "a start during a look",
    "a start that replaces the sync of a look",
)
RARE_STATES = (
    *_KILLS,
    *_RESUMES,
    *_CANCELS,
    "a kill inside a transaction that writes",
    "a kill between commit and publish",
    "a kill during a request",
    "a cancel inside a transaction that writes",
    "a cancel between commit and publish",
    "a cancel during a request",
    "a cancel before the first claim",
    "a cancel during a wait",
    "a cancel that comes too late",
    "a stop during a request",
    "a stop during a wait",
    "a kill during a wait",
    "a time-only sync",
    "a time-only sync that another sync prevents",
    "a kill inside a time-only sync",
    "a freeze inside a transaction that writes",
    "a run that has lost its claim",
    "a run that pauses for the database",
    "a start of a sync that runs",
    "a start right after the end",
    "a resume in a pass without keys",
    "a resume while comparing",
    "a third claim",
    "a full sync that begins as an incremental one",
    "an edit while comparing",
    "an edit while storing",
    "an edit during a bisection",
    "a bisection",
    "a jump of the clock back while a sync runs",
    "a wait for the rate limit",
    "a wait before another attempt",
    "a watcher that connects again",
    "a watcher that skips versions",
    "a follower that joins an open feed",
    "a dashboard that changes while it is read",
    "a state that a feed finds in the database",
    "two syncs at the same time",
    "two processes at the same time",
    "a call to the database whose caller was cancelled",
    "a transaction that waits for another process",
    "an incremental sync that completes",
    "a sync that fails",
    *_OF_LOOKS,
)


class RareStates:
    """The rare states that a simulation has reached."""

    def __init__(self) -> None:
        self.reached: set[str] = set()
        self.bisections = 0
        self.in_flight: dict[Process | None, int] = {}
        self.published: dict[int, int] = {}

    def reach(self, name: str) -> None:
        """Note a state."""
        if name not in RARE_STATES:
            raise ValueError(f"“{name}” is not in the list of rare states.")
        self.reached.add(name)

    def look(self, trouble: Trouble, known: SyncStory | None, *, is_looking: bool) -> None:
        """Note what happens while a look, or the sync that it has started, is under way."""
        name = {Trouble.OVERTAKE: "freeze"}.get(trouble, trouble.value)
        if is_looking and f"a {name} during a look" in RARE_STATES:
            self.reach(f"a {name} during a look")
        if trouble is Trouble.KILL and known is not None and known.is_refresh:
            is_claimed = known["epoch"] > 0
            self.reach("a kill during the sync of a look" if is_claimed else "a kill between a look and its sync")

    def happening(self, trouble: Trouble, known: SyncStory | None, process: Process | None, connections: Any) -> None:
        """Note in which state of a running sync something happens."""
        if known is None or not known.is_active:
            if trouble is Trouble.START:
                self.reach("a start right after the end")
            return
        step = STEPS[known["step"] - 1]
        is_writing = any(one.owner is process and one.in_transaction and one.is_writing for one in connections)
        is_unpublished = self.published.get(known["key"], 0) < known["version"]
        is_comparing = known["current_step"].startswith("Comparing")
        match trouble:
            case Trouble.KILL | Trouble.CANCEL:
                name = trouble.value
                if known["waiting_for"]:
                    self.reach(f"a {name} during a wait")
                if f"a {name} while {step}" in RARE_STATES:
                    self.reach(f"a {name} while {step}")
                if is_writing:
                    self.reach(f"a {name} inside a transaction that writes")
                if is_unpublished:
                    self.reach(f"a {name} between commit and publish")
                if self.in_flight.get(process):
                    self.reach(f"a {name} during a request")
                if trouble is Trouble.CANCEL and known["epoch"] == 0:
                    self.reach("a cancel before the first claim")
            case Trouble.STOP:
                if self.in_flight.get(process):
                    self.reach("a stop during a request")
                if known["waiting_for"]:
                    self.reach("a stop during a wait")
            case Trouble.FREEZE | Trouble.OVERTAKE if is_writing:
                self.reach("a freeze inside a transaction that writes")
            case Trouble.EDIT:
                if is_comparing:
                    self.reach("an edit while comparing")
                if step == "storing":
                    self.reach("an edit while storing")
                if self.bisections:
                    self.reach("an edit during a bisection")

    def change(self, known: SyncStory, before: tuple[Any, ...] | None, active: int) -> None:
        """Note the changes of a commit."""
        if active > 1:
            self.reach("two syncs at the same time")
        if before is None:
            return
        if before[PLACE["mode"]] == "incremental" and known["mode"] == "full":
            self.reach("a full sync that begins as an incremental one")
        if known["waiting_for"] == "rate_limit":
            self.reach("a wait for the rate limit")
        if known["waiting_for"] == "cliniko_retry":
            self.reach("a wait before another attempt")
        if known["status"] == "cancelled" and known.is_refresh:  # a look's sync is not cancelled here
            self.reach("a start that replaces the sync of a look")
        if known["status"] == "failed":
            self.reach("a sync that fails")
        if known["status"] == "completed" and known["mode"] == "incremental":
            self.reach("an incremental sync that completes")
        if known.is_active and known["epoch"] > before[PLACE["epoch"]] >= 1:
            self._resume(known)

    def _resume(self, known: SyncStory) -> None:
        name = f"a resume while {STEPS[known['step'] - 1]}"
        if name in RARE_STATES:
            self.reach(name)
        if known["epoch"] >= 3:
            self.reach("a third claim")
        checkpoint = json.loads(known["checkpoint"])
        if checkpoint.get("part") == COMPARING:
            self.reach("a resume while comparing")
        place = checkpoint.get("place")
        if place and checkpoint["part"] != "attendees" and place["last_id"] is None and place["counts"]["read"]:
            self.reach("a resume in a pass without keys")
