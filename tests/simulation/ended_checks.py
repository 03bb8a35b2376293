"""What must hold of a sync that has ended: its row, its log, what it has read, and its counts."""

from datetime import timedelta
from typing import TYPE_CHECKING

from routiq_gql.cliniko import ATTENDEES
from routiq_gql.database.rows import SyncRow
from routiq_gql.engines.time_only import TEXT as TIME_ONLY_TEXT
from routiq_gql.sync.change_counts import read_changes
from routiq_gql.sync.checkpoint_json import read_plan
from routiq_gql.sync.model import COMPLETED_TEXT, SyncMode, SyncStep
from routiq_gql.sync.receipt import read_receipt
from tests.simulation.reader import Reader
from tests.simulation.sync_story import SyncStory, Violated
from tests.simulation.time_only_checks import TIME_ONLY
from tests.sync.histories.world import Organization

if TYPE_CHECKING:
    from tests.simulation.invariants import Ledger

LATE_COMMITS = timedelta(minutes=5)
"""A row may appear in Cliniko's lists so much later than its ``updated_at`` says."""


def check_ended(row: SyncRow) -> None:
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


def check_since(ledger: "Ledger", known: SyncStory, row: SyncRow) -> None:
    """Check that an incremental sync reads all changes that the sync before may have missed."""
    plan, organization = read_plan(row.checkpoint), known.organization
    assert plan is not None
    if plan.since is None:
        return
    mine = [
        one
        for one in ledger.syncs.values()
        if one.organization is organization and one["status"] == "completed" and one.reads_cliniko
    ]
    base = max((one for one in mine if one["key"] < row.key), key=lambda one: one["key"])
    if base.read_from is None or not base.was_honest:
        return
    ahead = max(timedelta(seconds=organization.emulator.date_skew_seconds), timedelta())
    if plan.since > base.read_from - LATE_COMMITS + ahead:
        what = f"reads changes from {plan.since} on, and sync {base['key']} has read from {base.read_from} on"
        raise Violated("less", f"sync {row.key} {what}")


def check_economy(reader: Reader, known: SyncStory, row: SyncRow) -> None:
    is_calm = known.was_honest and len(known.organization.states) == 1
    if not is_calm:
        return
    is_undisturbed = row.epoch == 2  # the claim, and the end
    if row.requests > known.requests or (is_undisturbed and row.requests < known.requests):
        raise Violated("wasted", f"sync {row.key} counts {row.requests} requests, and has sent {known.requests}")
    lines = [text for _, text in reader.log(row.key)]
    was_full = row.mode == SyncMode.FULL.value and not any("after all" in text for text in lines)
    if was_full and (repairs := [text for text in lines if "repaired" in text]):
        raise Violated("wasted", f"sync {row.key} read everything without trouble, and had to repair: {repairs}")


def check_log(reader: Reader, row: SyncRow) -> None:
    numbers = [seq for seq, _ in reader.log(row.key)]
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
