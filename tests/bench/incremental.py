"""Measures what incremental syncs of a large clinic cost after few changes, beside the limits: requests and seconds."""

from dataclasses import dataclass
from typing import Any

from tests.bench.children import Child, ChildBroke, start
from tests.bench.table import print_table, show_progress


@dataclass(frozen=True, slots=True)
class Case:
    """A change of the clinic, and the most requests of the sync that follows."""

    name: str
    command: str | None
    most_requests: int


UNCHANGED = Case("unchanged", None, 15)
CASES = (
    UNCHANGED,
    Case("200 changes", "edit 200", 25),
    Case("a patient deleted without a trace", "lose_patients 1", 15 + 17),
    Case("20 appointments deleted without a trace", "lose_appointments 20", 170),
    Case("unchanged again", None, 15),
)
MOST_SECONDS = 2.0
"""Of the sync of an unchanged clinic, with a Cliniko that answers at once."""


async def measure_incremental(patients: int, appointments: int) -> list[tuple[Case, dict[str, Any]]]:
    """An incremental sync after each of the changes, on a mirror of the whole clinic.

    Raises:
        ChildBroke: A sync failed, or its receipt does not agree.
    """
    show_progress(f"{patients:,} patients, {appointments:,} appointments: making the clinic")
    found = []
    async with start("emulated_clinic", str(patients), "0", str(appointments)) as clinic:
        expected = await clinic.receive()
        async with start("measured_sync", expected["base_url"]) as child:
            await _sync(child, "full", "first sync")
            for case in CASES:
                if case.command is not None:
                    clinic.send(case.command)
                    await clinic.receive()
                found.append((case, await _sync(child, "auto", case.name)))
    return found


async def _sync(child: Child, mode: str, name: str) -> dict[str, Any]:
    child.send(mode)
    while "done" not in (told := await child.receive()):
        show_progress(f"{name}: {told['percent']} %, {told['text']}")
    if not told["done"] or not told["receipt"]["agrees"]:
        raise ChildBroke(f"The sync ({name}) went wrong: {told['text']} {told['receipt']}")
    return told


def print_incremental(found: list[tuple[Case, dict[str, Any]]]) -> list[str]:
    """Show the syncs, and return a sentence for each limit that was exceeded."""
    rows, broken = [], []
    for case, told in found:
        receipt = told["receipt"]
        sums = {name: sum(one[name] for one in receipt["lists"]) for name in ("added", "updated", "removed")}
        longest = max(value for times in told["writes"].values() for value in times)
        figures = [f"{told['seconds']:.2f}", f"{told['cpu_seconds']:.2f}", f"{longest * 1000:.1f}"]
        requests = [told["mode"], str(receipt["requests"]), str(case.most_requests)]
        rows.append([case.name, *requests, *figures, *map(str, sums.values())])
        if receipt["requests"] > case.most_requests:
            broken.append(f"{case.name}: {receipt['requests']} requests, at most {case.most_requests} are allowed.")
    head = ["", "mode", "requests", "at most", "s", "CPU s", "longest write ms", "added", "updated", "removed"]
    print_table("Incremental syncs of a large clinic", head, rows)
    print(f"An unchanged clinic should take at most {MOST_SECONDS:g} s with a Cliniko that answers at once.")
    return broken
