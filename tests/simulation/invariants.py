"""The promises that hold after every commit of a simulation.

*back*: versions and percentages only grow, and an ended sync never changes. *fence*: only the holder of the newest
claim changes a running sync. *publish*: no snapshot is published that is not committed. *less*: a completed sync shows
what ``histories.checks`` demands, and every kept sync still shows the same. *wasted*: without trouble a sync repairs
nothing and counts its requests. *silent*: a running sync sends heartbeats. *steps*: the steps of a sync follow each
other without gaps, and their waits add up. *waits*: a wait lasts until the time that is shown. *others*: no snapshot,
row or request belongs to another organization.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from routiq_gql import clock
from routiq_gql.database.version_pruning import KEEP_VERSIONS
from routiq_gql.emulator.recording import RecordedRequest
from routiq_gql.engines.housekeeping import KEEP_LEFT_APPOINTMENTS
from routiq_gql.sync.checkpoint_json import COMPARING
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import FailureCode, SyncSnapshot, SyncStep
from tests.simulation.driver import SimulatedConnection
from tests.simulation.ended_checks import check_counts, check_economy, check_ended, check_log, check_since
from tests.simulation.process import Process
from tests.simulation.reader import Reader, at_once
from tests.simulation.running_checks import (
    CLOCK_CALM_SECONDS,
    check_claim,
    check_running,
    check_silence,
    check_steps,
    check_wait,
)
from tests.simulation.story import Story
from tests.simulation.sync_story import PLACE, VISIBLE, SyncStory, Violated, horizon_at, part_of
from tests.simulation.time_only_checks import CLOCK_JUMPS, check_time_only
from tests.sync.histories.checks import check_completed, check_older, check_unpublished
from tests.sync.histories.oracle import Content, content_of
from tests.sync.histories.steps import HISTORY_DAYS
from tests.sync.histories.world import Organization


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
        self.story = story
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
        self.story.tell(line)

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
            self.story.tell(f"VIOLATED {error}")
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
        if shown != tuple(row[PLACE[name]] for name in names):
            self.fail("publish", f"{snapshot} is published, and {row} is committed")

    def check_delivery(self, snapshot: SyncSnapshot, last: int, process: Process, lag: float) -> None:
        """Check that a watcher gets a change soon after its ``lag``, from the process that runs the sync."""
        known = self.syncs.get(snapshot.key)
        first = known.times.get(last + 1) if known is not None and last else None
        if first is None or process.runtime is None or not process.runtime.engine.receives_updates:
            return
        is_disturbed = any(one.is_frozen or one.disturbed_at >= first - 5 for one in self.processes)
        if not is_disturbed and self.story.now - first > self.longest_silence + lag:
            self.fail("silent", f"a watcher gets version {last + 1} after {self.story.now - first:.1f} s")

    def fail(self, invariant: str, what: str) -> None:
        """Note a violation. The first ends the simulation."""
        if self.failed is None:
            self.failed = Violated(invariant, what)
            self.story.tell(f"VIOLATED {self.failed}")
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
            if known["step"] != before[PLACE["step"]] and known.is_active:
                self._check_unpublished(known, f"at step {known['step']} of sync {key}")
        if before is None or not known.is_active or known["step"] != before[PLACE["step"]]:
            check_steps(snapshot_of(self.reader.sync(key)), before)
        if known.read_from is None and known["step"] >= SyncStep.FETCHING_PATIENTS and known.reads_cliniko:
            known.read_from = known.organization.clinic.clock.now()
        known.commits += 1
        known.versions[known["version"]] = row
        known.times[known["version"]] = self.story.now
        self.story.tell(
            f"{owner or 'someone'} commits sync {key} v{known['version']} e{known['epoch']} {known['status']} "
            f"{known['progress_percentage']} % “{known['current_step']}”"
        )
        if not known.is_active and (before is None or before[PLACE["completed_at"]] is None):
            self._end(known)
        self.on_change(known, owner, before)

    def _begin(self, row: tuple[Any, ...]) -> SyncStory:
        organization = self._organizations[row[PLACE["organization_id"]]]
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
        was = {name: before[place] for name, place in PLACE.items()}
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
            check_claim(self, known, was, owner)
        if known["last_log_seq"] < was["last_log_seq"]:
            raise Violated("back", f"sync {key}: its log becomes shorter")
        if known["version"] == was["version"] and known.row[:VISIBLE] != before[:VISIBLE]:
            raise Violated("back", f"sync {key} changes without a new version: {before} becomes {known.row}")
        if known.is_active:
            check_running(known, was)
            check_silence(self, known, was)
            check_wait(self, known, was)
        is_by_run = known["epoch"] == was["epoch"] if known.is_active else known["status"] != "cancelled"
        if is_by_run and owner is not None and was["claimed_by"] != owner.holder:
            raise Violated("fence", f"{owner} changes sync {key}, which is held by {was['claimed_by']}")

    def _end(self, known: SyncStory) -> None:
        row, organization = self.reader.sync(known["key"]), known.organization
        known.was_honest = known.was_honest and self.is_honest(organization)
        check_log(self.reader, row)
        check_ended(row)
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
                check_since(self, known, row)
                check_economy(self.reader, known, row)
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

    def check_released(self, process: Process, holder: str) -> None:
        """Check that a process that was stopped properly has released its syncs."""
        held = [known["key"] for known in self.syncs.values() if known.is_active and known["claimed_by"] == holder]
        if held and process.error is None and not any(one.is_frozen or one.disturbed_at >= 0 for one in self.processes):
            raise Violated("leak", f"{process} has stopped, and still holds syncs {held}")

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
