"""The promises that hold after every commit of a simulation.

*back*: versions and percentages only grow, and an ended sync never changes. *fence*: only the holder of the newest
claim changes a running sync. *publish*: no snapshot is published that is not committed. *less*: a completed sync shows
what ``histories.checks`` demands, and every kept sync still shows the same. *wasted*: without trouble a sync repairs
nothing and counts its requests. *silent*: a running sync sends heartbeats. *steps*: the steps of a sync follow each
other without gaps, and their waits add up. *waits*: a wait lasts until the time that is shown. *others*: no snapshot,
row or request belongs to another organization.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from routiq_gql import clock
from routiq_gql.cliniko import ATTENDEES
from routiq_gql.database.rows import SyncRow
from routiq_gql.database.version_pruning import KEEP_VERSIONS
from routiq_gql.emulator.recording import RecordedRequest
from routiq_gql.engines.housekeeping import KEEP_LEFT_APPOINTMENTS
from routiq_gql.engines.time_only import TEXT as TIME_ONLY_TEXT
from routiq_gql.sync.change_counts import read_changes
from routiq_gql.sync.checkpoint_json import COMPARING, read_plan
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import COMPLETED_TEXT, FailureCode, SyncMode, SyncSnapshot, SyncStep, percentage
from routiq_gql.sync.receipt import read_receipt
from routiq_gql.sync.step_times import read_entries
from tests.simulation.driver import SimulatedConnection
from tests.simulation.process import Process
from tests.simulation.reader import _SHOWN, Reader, at_once
from tests.simulation.story import Story
from tests.simulation.time_only_checks import CLOCK_JUMPS, TIME_ONLY, check_time_only
from tests.sync.histories.checks import check_completed, check_older, check_unpublished
from tests.sync.histories.oracle import Content, content_of
from tests.sync.histories.steps import HISTORY_DAYS
from tests.sync.histories.world import Organization

LATE_COMMITS = timedelta(minutes=5)
"""A row may appear in Cliniko's lists so much later than its ``updated_at`` says."""

CLOCK_CALM_SECONDS = 60.0
"""The time of a wait is computed so long before it is committed at most, even on a slow disk."""

_COLUMNS = [name.strip() for name in _SHOWN.split(",")] + ["epoch", "claimed_by", "checkpoint"]
_PLACE = {name: place for place, name in enumerate(_COLUMNS)}
_VISIBLE = len(_SHOWN.split(","))


class Violated(AssertionError):
    """An invariant does not hold."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


@dataclass
class SyncStory:
    """A sync as it was committed, with its history.

    Attributes:
        horizon: The start of the clinic's appointments that it reads.
        was_honest: Whether Cliniko and the network have had no fault since it began.
        was_cancelled: Whether somebody has asked for its end.
        commits: How many commits have changed it.
        times: When each version was committed, in virtual seconds.
        requests: Its requests that have reached Cliniko.
        is_refresh: Whether a look at Cliniko has started it.
        wait_ends: When the wait that it shows will end, in virtual seconds; ``None`` without a wait.
        read_from: Cliniko's time before it has read the first list.
        pages: The pages of lists that it has requested, and ``read_again`` how many of them repeatedly.
    """

    row: tuple[Any, ...]
    organization: Organization
    horizon: datetime
    was_honest: bool = True
    was_cancelled: bool = False
    commits: int = 0
    versions: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    times: dict[int, float] = field(default_factory=dict)
    requests: int = 0
    read_from: datetime | None = None
    pages: set[tuple[Any, ...]] = field(default_factory=set)
    read_again: int = 0
    is_refresh: bool = False
    wait_ends: float | None = None

    def __getitem__(self, name: str) -> Any:
        return self.row[_PLACE[name]]

    @property
    def is_active(self) -> bool:
        return self["completed_at"] is None

    @property
    def reads_cliniko(self) -> bool:
        return bool(self["mode"] != TIME_ONLY)

    @property
    def is_shown(self) -> bool:
        """Whether dashboards show it as the current or the last sync."""
        is_notable = self["status"] == "failed" or self["mode"] == SyncMode.FULL.value
        return self.reads_cliniko and (not self.is_refresh or is_notable)


def part_of(known: SyncStory) -> str | None:
    """The part of the sync that the checkpoint names."""
    part: str | None = json.loads(known["checkpoint"] or "{}").get("part")
    return part


class Ledger:
    """Reads and checks the changes of each commit.

    Attributes:
        syncs: All syncs, by key.
        is_honest: Whether neither Cliniko nor the network of an organization misbehaves at the moment.
        starting: The organizations that people start a sync of at present.
        states_since_look: The states of a clinic since its last look has begun, without the present.
        on_completed: Called with each sync that has completed, once it is checked.
        on_change: Called with a sync after each commit that has changed it, and the process that committed.
        jumped_at: When the wall clock has jumped last, in virtual seconds.
    """

    def __init__(self, reader: Reader, organizations: list[Organization], story: Story) -> None:
        self.reader = reader
        self.syncs: dict[int, SyncStory] = {}
        self.commits = 0
        self.completed = 0
        self.failed: Exception | None = None
        self.on_violation: Callable[[], None] = lambda: None
        self.is_honest: Callable[[Organization], bool] = lambda _organization: True
        self.on_change: Callable[[SyncStory, Process | None, tuple[Any, ...] | None], None] = lambda *_ignored: None
        self.wall_time: Callable[[], datetime] = clock.utc_now
        self.processes: list[Process] = []
        self.starting: list[str] = []
        self.states_since_look: Callable[[Organization], list[Content]] = lambda _organization: []
        self.on_completed: Callable[[SyncStory], None] = lambda _known: None
        self.longest_silence = 3.0
        self.jumped_at = -CLOCK_CALM_SECONDS
        self._organizations = {one.name: one for one in organizations}
        self._story = story
        self._oldest = 0

    def active_of(self, organization: Organization) -> SyncStory | None:
        """The organization's running sync."""
        return next((one for one in self.syncs.values() if one.organization is organization and one.is_active), None)

    def active_since(self, key: int) -> set[int]:
        """The figures of active patients of a completed sync, and of those that time alone has made after it."""
        organization, figures = self.syncs[key].organization, {self.syncs[key]["active_patients_stored"]}
        for later, one in sorted(self.syncs.items()):
            if one.organization is organization and later > key and one["status"] == "completed":
                if one.reads_cliniko:
                    break
                figures.add(one["active_patients_stored"])
        return figures

    def tell(self, line: str) -> None:
        """Add a line to the story."""
        self._story.tell(line)

    def note_commit(self, connection: SimulatedConnection) -> None:
        """Check the content of the database after this commit."""
        self.commits += 1
        if self.failed is not None:
            return
        owner = connection.owner if isinstance(connection.owner, Process) else None
        try:
            for row in self.reader.syncs_from(self._oldest):
                self._compare(row, owner)
        except Exception as error:
            self.failed = error
            self._story.tell(f"VIOLATED {error}")
            self.on_violation()
        active = [key for key, one in self.syncs.items() if one.is_active]
        self._oldest = min(active, default=max(self.syncs, default=0))

    def note_request(self, organization: Organization, request: RecordedRequest, process: Process | None) -> None:
        """Check that a sync reads no page of a list again, but the page in flight when a claim was lost.

        The comparison begins anew after an interruption, and a fault makes the client try again. The two requests for
        practitioners are a single page.
        """
        known = self.active_of(organization)
        parameters = dict(request.parameters)
        if parameters.get("sort") == "updated_at:desc":  # of a look
            return
        if known is None or parameters.get("per_page", "1") == "1" or request.resource == "practitioners/inactive":
            return
        if process is None or known["claimed_by"] != process.holder:
            return
        was_edited = len(organization.states) > 1  # a list that changes is counted again, and a range of it read again
        if was_edited or not (known.was_honest and self.is_honest(organization)) or part_of(known) == COMPARING:
            return
        page = (request.resource, *sorted(request.parameters))
        if page not in known.pages:
            known.pages.add(page)
            return
        known.read_again += 1
        if known.read_again >= known["epoch"]:
            self.fail("twice", f"sync {known['key']} requests {page} again, in its claim {known['epoch']}")

    def note_published(self, snapshot: SyncSnapshot) -> None:
        """Check a snapshot that is given to subscribers."""
        known = self.syncs.get(snapshot.key)
        row = known.versions.get(snapshot.version) if known is not None else None
        if row is None:
            self.fail("publish", f"version {snapshot.version} of sync {snapshot.key} is published but not committed")
            return
        shown = (snapshot.status.value, snapshot.progress_percentage, snapshot.last_log_seq, snapshot.organization_id)
        names = ("status", "progress_percentage", "last_log_seq", "organization_id")
        if shown != tuple(row[_PLACE[name]] for name in names):
            self.fail("publish", f"{snapshot} is published, and {row} is committed")

    def check_delivery(self, snapshot: SyncSnapshot, last: int, process: Process, lag: float) -> None:
        """Check that a watcher gets a change soon after its ``lag``, from the process that runs the sync."""
        known = self.syncs.get(snapshot.key)
        first = known.times.get(last + 1) if known is not None and last else None
        if first is None or process.runtime is None or not process.runtime.engine.receives_updates:
            return
        is_disturbed = any(one.is_frozen or one.disturbed_at >= first - 5 for one in self.processes)
        if not is_disturbed and self._story.now - first > self.longest_silence + lag:
            self.fail("silent", f"a watcher gets version {last + 1} after {self._story.now - first:.1f} s")

    def fail(self, invariant: str, what: str) -> None:
        """Note a violation. The first ends the simulation."""
        if self.failed is None:
            self.failed = Violated(invariant, what)
            self._story.tell(f"VIOLATED {self.failed}")
            self.on_violation()

    def _compare(self, row: tuple[Any, ...], owner: Process | None) -> None:
        key = row[0]
        known = self.syncs.get(key)
        if known is None:
            known = self._begin(row)
            before = None
        elif row == known.row:
            return
        else:
            before = known.row
            known.row = row
            self._check_change(known, before, owner)
            if known["step"] != before[_PLACE["step"]] and known.is_active:
                self._check_unpublished(known, f"at step {known['step']} of sync {key}")
        if before is None or not known.is_active or known["step"] != before[_PLACE["step"]]:
            self._check_steps(known, before)
        if known.read_from is None and known["step"] >= SyncStep.FETCHING_PATIENTS and known.reads_cliniko:
            known.read_from = known.organization.clinic.clock.now()
        known.commits += 1
        known.versions[known["version"]] = row
        known.times[known["version"]] = self._story.now
        self._story.tell(
            f"{owner or 'someone'} commits sync {key} v{known['version']} e{known['epoch']} {known['status']} "
            f"{known['progress_percentage']} % “{known['current_step']}”"
        )
        if not known.is_active and (before is None or before[_PLACE["completed_at"]] is None):
            self._end(known)
        self.on_change(known, owner, before)

    def _begin(self, row: tuple[Any, ...]) -> SyncStory:
        organization = self._organizations[row[_PLACE["organization_id"]]]
        other = self.active_of(organization)
        if other is not None:
            raise Violated("twice", f"sync {row[0]} begins while sync {other['key']} of {organization.name} is active")
        begun = self.reader.sync(row[0])
        mirror = at_once(self.reader.mirror(organization))
        horizon = horizon_at(begun.started_at, mirror.horizon_from if mirror is not None else None)
        earlier = self.states_since_look(organization) if begun.refresh else []
        organization.states = [*earlier, content_of(organization.clinic, horizon)]
        known = self.syncs[row[0]] = SyncStory(row, organization, horizon, self.is_honest(organization))
        known.is_refresh = begun.refresh
        return known

    def _check_change(self, known: SyncStory, before: tuple[Any, ...], owner: Process | None) -> None:
        was = {name: before[place] for name, place in _PLACE.items()}
        key = was["key"]
        if was["completed_at"] is not None:
            raise Violated("back", f"sync {key} has ended as {was['status']}, and changes to {known.row}")
        if known["version"] < was["version"] or known["epoch"] < was["epoch"]:
            raise Violated("back", f"sync {key}: version {was['version']} becomes {known['version']}")
        if known["progress_percentage"] < was["progress_percentage"]:
            raise Violated(
                "back", f"sync {key}: {was['progress_percentage']} % becomes {known['progress_percentage']} %"
            )
        if known.is_active and known["epoch"] > was["epoch"]:
            self._check_claim(known, was, owner)
        if known["last_log_seq"] < was["last_log_seq"]:
            raise Violated("back", f"sync {key}: its log becomes shorter")
        if known["version"] == was["version"] and known.row[:_VISIBLE] != before[:_VISIBLE]:
            raise Violated("back", f"sync {key} changes without a new version: {before} becomes {known.row}")
        if known.is_active:
            self._check_running(known, was)
            self._check_silence(known, was)
            self._check_wait(known, was)
        is_by_run = known["epoch"] == was["epoch"] if known.is_active else known["status"] != "cancelled"
        if is_by_run and owner is not None and was["claimed_by"] != owner.holder:
            raise Violated("fence", f"{owner} changes sync {key}, which is held by {was['claimed_by']}")

    def _end(self, known: SyncStory) -> None:
        row, organization = self.reader.sync(known["key"]), known.organization
        known.was_honest = known.was_honest and self.is_honest(organization)
        self._check_log(row)
        self._check_ended(row)
        self._forget_aged(organization)
        if row.status == "completed":
            self.completed += 1
            before = max(organization.shown, default=0)
            try:
                if known.reads_cliniko:
                    at_once(check_completed(self.reader, organization, row, is_honest=known.was_honest))  # type: ignore[arg-type]
                else:
                    at_once(check_time_only(self.reader, organization, row))
                check_counts(organization, before, row)
            except AssertionError as error:
                raise Violated("less", f"sync {row.key} of {organization.name}: {error}") from error
            self.on_completed(known)
            if known.reads_cliniko:
                self._check_since(known, row)
                self._check_economy(known, row)
            self.check_kept(f"after sync {row.key}")
            return
        was_replaced = known.is_refresh and organization.name in self.starting
        if row.status == "cancelled" and not (known.was_cancelled or was_replaced):
            raise Violated("stuck", f"sync {row.key} is cancelled, and nobody has asked for that")
        if row.status == "failed" and (known.was_honest or row.failure_code == FailureCode.INTERNAL.value):
            raise Violated("stuck", f"sync {row.key} fails without a fault: {row.failure_code} {row.failure_message}")
        self._check_unpublished(known, f"after sync {row.key} without a result")
        self.check_kept(f"after sync {row.key}")

    def check_kept(self, when: str) -> None:
        """Check that all kept syncs of all organizations show the same rows as at their publication."""
        for organization in self._organizations.values():
            self._forget_aged(organization)
            self._check_oldest_kept(organization)
            try:
                at_once(check_older(self.reader, organization))  # type: ignore[arg-type]
            except AssertionError as error:
                raise Violated("less", f"{when}, {organization.name}: {error}") from error

    def _check_oldest_kept(self, organization: Organization) -> None:
        """Check that readers may ask for every sync of the last week."""
        mirror = at_once(self.reader.mirror(organization))
        if mirror is None or len(organization.shown) < 2:
            return
        young_from = self.wall_time() - KEEP_VERSIONS + CLOCK_JUMPS
        for key in organization.shown:
            ended = datetime.fromisoformat(self.syncs[key]["completed_at"]).replace(tzinfo=UTC)
            if key < mirror.oldest_kept and ended > young_from:
                raise Violated("less", f"sync {key} of {organization.name} is not kept any more")

    def _check_unpublished(self, known: SyncStory, when: str) -> None:
        self._forget_aged(known.organization)
        try:
            at_once(check_unpublished(self.reader, known.organization))  # type: ignore[arg-type]
        except AssertionError as error:
            raise Violated("less", f"{when}: {error}") from error

    def _check_claim(self, known: SyncStory, was: dict[str, Any], owner: Process | None) -> None:
        """Check that no process takes a sync from another that is able to run it."""
        before = next((one for one in self.processes if one.holder and one.holder == was["claimed_by"]), None)
        if before is not None and before is not owner and before.may_run_syncs:
            raise Violated("fence", f"{owner} claims sync {known['key']}, which {before} runs")

    def check_released(self, process: Process, holder: str) -> None:
        """Check that a process that was stopped properly has released its syncs."""
        held = [known["key"] for known in self.syncs.values() if known.is_active and known["claimed_by"] == holder]
        if held and process.error is None and not any(one.is_frozen or one.disturbed_at >= 0 for one in self.processes):
            raise Violated("leak", f"{process} has stopped, and still holds syncs {held}")

    def _check_running(self, known: SyncStory, was: dict[str, Any]) -> None:
        step, key = SyncStep(known["step"]), known["key"]
        if known["status"] != step.state.value or not percentage(step, 0) <= known["progress_percentage"] < 100:
            raise Violated("back", f"sync {key} is at {known['progress_percentage']} %, {known['status']}, {step!r}")
        may_go_back = known["mode"] != was["mode"] or was["step"] <= SyncStep.CHECKING_CREDENTIALS
        if step < was["step"] and not may_go_back:
            raise Violated("back", f"sync {key} goes back from step {was['step']} to {step}")
        if (known["waiting_for"] is None) is not (known["resumes_at"] is None):
            raise Violated("stuck", f"sync {key} waits for {known['waiting_for']} until {known['resumes_at']}")
        resumes_at, end = known["resumes_at"], known["estimated_completion"]
        if resumes_at is not None and end is not None and end < resumes_at:
            raise Violated("stuck", f"sync {key} waits until {resumes_at}, and is expected to end at {end}")

    def _check_steps(self, known: SyncStory, before: tuple[Any, ...] | None) -> None:
        """Check that each step begins where the step before ends, and that their waits add up to those of the sync."""
        sync = snapshot_of(self.reader.sync(known["key"]))
        steps, key = sync.steps, sync.key
        numbers = [one.number for one in steps]
        is_ordered = numbers == sorted(set(numbers)) and numbers[0] == 1 and numbers[-1] == sync.step
        if not is_ordered or any(one.ended_at != following.started_at for one, following in pairwise(steps)):
            raise Violated("steps", f"sync {key} is in step {sync.step}, and its steps are {steps}")
        if any(one.ended_at is not None and one.ended_at < one.started_at for one in steps):
            raise Violated("steps", f"sync {key} has left a step before it entered it: {steps}")
        if (steps[-1].ended_at is None) is not (sync.completed_at is None) or steps[0].started_at != sync.started_at:
            raise Violated("steps", f"sync {key} ran from {sync.started_at} to {sync.completed_at}, its steps: {steps}")
        waits = {round(sum(one.waited_seconds for one in steps), 3), round(sync.waited_seconds, 3)}
        if sync.receipt is not None:
            waits.add(round(sync.receipt.waited_seconds, 3))
        if len(waits) > 1 or min(one.waited_seconds for one in steps) < 0:
            raise Violated("steps", f"sync {key} waited for {waits} s, its steps: {steps}")
        earlier = read_entries(json.loads(before[_PLACE["steps"]])) if before is not None else ()
        if any(one not in earlier for one in sync.entries[:-1]) and earlier:
            raise Violated("steps", f"sync {key} changes its earlier steps {earlier} to {sync.entries}")

    def _check_silence(self, known: SyncStory, was: dict[str, Any]) -> None:
        since, now = known.times[was["version"]], self._story.now
        is_disturbed = any(one.is_frozen or one.disturbed_at >= since for one in self.processes)
        is_held = was["claimed_by"] == known["claimed_by"] is not None
        if is_held and not is_disturbed and now - since > self.longest_silence:
            raise Violated("silent", f"sync {known['key']} was silent for {now - since:.1f} s")

    def _check_wait(self, known: SyncStory, was: dict[str, Any]) -> None:
        """Check that a wait lasts until the time that clients have read, and is not shown any longer."""
        now, end = self._story.now, known.wait_ends
        is_changed = (known["waiting_for"], known["resumes_at"]) != (was["waiting_for"], was["resumes_at"])
        is_held = was["claimed_by"] == known["claimed_by"] is not None and was["epoch"] == known["epoch"]
        if end is not None and is_held:
            if is_changed and now < end - 0.01:
                raise Violated("waits", f"sync {known['key']} resumes {end - now:.1f} s before the time that it shows")
            is_disturbed = any(one.is_frozen or one.disturbed_at >= end - 5 for one in self.processes)
            if not is_disturbed and now > end + self.longest_silence:
                raise Violated("waits", f"sync {known['key']} shows a wait that ended {now - end:.1f} s ago")
        if not is_held or known["resumes_at"] is None:
            known.wait_ends = None
        elif is_changed and now - self.jumped_at > CLOCK_CALM_SECONDS:
            resumes_at = datetime.fromisoformat(known["resumes_at"]).replace(tzinfo=UTC)
            known.wait_ends = now + (resumes_at - self.wall_time()).total_seconds()

    def _check_ended(self, row: SyncRow) -> None:
        times = (row.resumes_at, row.estimated_completion, row.estimated_earliest, row.estimated_latest)
        if row.waiting_for is not None or any(one is not None for one in times):
            raise Violated("stuck", f"sync {row.key} has ended and still waits: {row.waiting_for} {times}")
        is_completed = row.status == "completed"
        is_time_only = row.mode == TIME_ONLY
        text = (TIME_ONLY_TEXT if is_time_only else COMPLETED_TEXT) if is_completed else row.failure_message
        has_result = row.receipt is not None or is_time_only
        if {is_completed} != {row.progress_percentage == 100, row.failure_code is None, has_result}:
            raise Violated("back", f"sync {row.key} is {row.status} with {row.progress_percentage} %")
        if row.current_step != text or not text or (is_completed and row.step != SyncStep.STORING):
            raise Violated("back", f"sync {row.key} is {row.status} at “{row.current_step}”, step {row.step}")
        for one in read_receipt(row.receipt).lists if row.receipt is not None else ():
            is_counted_now = not row.refresh or one.list == ATTENDEES.name  # others may show an earlier total
            if one.agrees and is_counted_now and one.in_cliniko != one.in_mirror:
                raise Violated("less", f"sync {row.key} agrees, with {one.in_cliniko} of {one.in_mirror} {one.list}")

    def _check_since(self, known: SyncStory, row: SyncRow) -> None:
        """Check that an incremental sync reads all changes that the sync before may have missed."""
        plan, organization = read_plan(row.checkpoint), known.organization
        assert plan is not None
        if plan.since is None:
            return
        mine = [
            one
            for one in self.syncs.values()
            if one.organization is organization and one["status"] == "completed" and one.reads_cliniko
        ]
        base = max((one for one in mine if one["key"] < row.key), key=lambda one: one["key"])
        if base.read_from is None or not base.was_honest:
            return
        ahead = max(timedelta(seconds=organization.emulator.date_skew_seconds), timedelta())
        if plan.since > base.read_from - LATE_COMMITS + ahead:
            what = f"reads changes from {plan.since} on, and sync {base['key']} has read from {base.read_from} on"
            raise Violated("less", f"sync {row.key} {what}")

    def _check_economy(self, known: SyncStory, row: SyncRow) -> None:
        is_calm = known.was_honest and len(known.organization.states) == 1
        if not is_calm:
            return
        is_undisturbed = row.epoch == 2  # the claim, and the end
        if row.requests > known.requests or (is_undisturbed and row.requests < known.requests):
            raise Violated("wasted", f"sync {row.key} counts {row.requests} requests, and has sent {known.requests}")
        lines = [text for _, text in self.reader.log(row.key)]
        was_full = row.mode == SyncMode.FULL.value and not any("after all" in text for text in lines)
        if was_full and (repairs := [text for text in lines if "repaired" in text]):
            raise Violated("wasted", f"sync {row.key} read everything without trouble, and had to repair: {repairs}")

    def _forget_aged(self, organization: Organization) -> None:
        """Expect no appointment that left the horizon long ago, once housekeeping has deleted it."""
        left_before = self.wall_time() - timedelta(days=HISTORY_DAYS) - KEEP_LEFT_APPOINTMENTS
        for sync, (content, _activity) in organization.shown.items():
            aged = {
                name: {one for one, row in content[name].items() if row and row["starts_at"] < left_before}
                for name in ("individual_appointments", "group_appointments")
            }
            places = content["attendees"].items()
            aged["attendees"] = {one for one, row in places if row and row["booking_id"] in aged["group_appointments"]}
            if not any(aged.values()):
                continue
            kept, _results = at_once(self.reader.content_at(organization, sync))
            for name, ids in aged.items():
                for row_id in ids - kept[name].keys():
                    del content[name][row_id]  # type: ignore[attr-defined]

    def _check_log(self, row: SyncRow) -> None:
        numbers = [seq for seq, _ in self.reader.log(row.key)]
        if numbers != list(range(1, row.last_log_seq + 1)):
            raise Violated(
                "twice", f"the log of sync {row.key} has the lines {numbers}, and should have {row.last_log_seq}"
            )


def check_counts(organization: Organization, before: int, row: SyncRow) -> None:
    """Check that the change log of a sync counts those who are in the list of active patients since, or no longer."""
    counts = read_changes(row.changes)
    if counts is None:
        assert row.baseline, "a sync without counts of its changes"
        return
    was, now = organization.lists[before]["ACTIVE"], organization.lists[row.key]["ACTIVE"]
    assert (counts.became_active, counts.became_inactive) == (len(now - was), len(was - now)), f"{counts}"


def horizon_at(started_at: datetime, earlier: datetime | None) -> datetime:
    """The start of the appointments that a sync reads, which never moves back."""
    start = started_at.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=HISTORY_DAYS)
    return start if earlier is None else max(start, earlier)
