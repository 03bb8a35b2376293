"""What must hold while a sync runs, between each state and the next."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from routiq_gql.sync.model import SyncSnapshot, SyncStep, percentage
from routiq_gql.sync.step_times import read_entries
from tests.simulation.process import Process
from tests.simulation.sync_story import PLACE, SyncStory, Violated

if TYPE_CHECKING:
    from tests.simulation.invariants import Ledger

CLOCK_CALM_SECONDS = 60.0
"""The time of a wait is computed so long before it is committed at most, even on a slow disk."""


def check_claim(ledger: "Ledger", known: SyncStory, was: dict[str, Any], owner: Process | None) -> None:
    """Check that no process takes a sync from another that is able to run it."""
    before = next((one for one in ledger.processes if one.holder and one.holder == was["claimed_by"]), None)
    if before is not None and before is not owner and before.may_run_syncs:
        raise Violated("fence", f"{owner} claims sync {known['key']}, which {before} runs")


def check_running(known: SyncStory, was: dict[str, Any]) -> None:
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


def check_steps(sync: SyncSnapshot, before: tuple[Any, ...] | None) -> None:
    """Check that each step begins where the step before ends, and that their waits add up to those of the sync."""
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
    earlier = read_entries(json.loads(before[PLACE["steps"]])) if before is not None else ()
    if any(one not in earlier for one in sync.entries[:-1]) and earlier:
        raise Violated("steps", f"sync {key} changes its earlier steps {earlier} to {sync.entries}")


def check_silence(ledger: "Ledger", known: SyncStory, was: dict[str, Any]) -> None:
    since, now = known.times[was["version"]], ledger.story.now
    is_disturbed = any(one.is_frozen or one.disturbed_at >= since for one in ledger.processes)
    is_held = was["claimed_by"] == known["claimed_by"] is not None
    if is_held and not is_disturbed and now - since > ledger.longest_silence:
        raise Violated("silent", f"sync {known['key']} was silent for {now - since:.1f} s")


def check_wait(ledger: "Ledger", known: SyncStory, was: dict[str, Any]) -> None:
    """Check that a wait lasts until the time that clients have read, and is not shown any longer."""
    now, end = ledger.story.now, known.wait_ends
    is_changed = (known["waiting_for"], known["resumes_at"]) != (was["waiting_for"], was["resumes_at"])
    is_held = was["claimed_by"] == known["claimed_by"] is not None and was["epoch"] == known["epoch"]
    if end is not None and is_held:
        if is_changed and now < end - 0.01:
            raise Violated("waits", f"sync {known['key']} resumes {end - now:.1f} s before the time that it shows")
        is_disturbed = any(one.is_frozen or one.disturbed_at >= end - 5 for one in ledger.processes)
        if not is_disturbed and now > end + ledger.longest_silence:
            raise Violated("waits", f"sync {known['key']} shows a wait that ended {now - end:.1f} s ago")
    if not is_held or known["resumes_at"] is None:
        known.wait_ends = None
    elif is_changed and now - ledger.jumped_at > CLOCK_CALM_SECONDS:
        resumes_at = datetime.fromisoformat(known["resumes_at"]).replace(tzinfo=UTC)
        known.wait_ends = now + (resumes_at - ledger.wall_time()).total_seconds()
