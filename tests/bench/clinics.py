"""Measures syncs of clinics of two sizes: memory, time per page and transactions, beside the bare programs."""

from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from tests.bench import bare
from tests.bench.bare import ListPages
from tests.bench.children import Child, ChildBroke, start
from tests.bench.table import milliseconds, print_table, ratio, show_progress
from tests.bench.yardstick import Times, tenths

MOST_EXTRA_MEGABYTES = 20
"""Limit of the memory that the large clinic's sync takes in addition to the small clinic's."""

SHORT_NAMES = {"patients": "patients", "individual_appointments": "appointments"}
WRITES = {
    "patients": "a page of patients",
    "individual_appointments": "a page of appointments",
    "attendees": "a page of attendees",
    "analysis": "an analysis slice",
    "storing": "publishing (what readers see)",
    "clearing": "looking for unfinished syncs",
    "pruning": "pruning what is old",
    "progress": "progress alone",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements of a clinic: its syncs from ``measured_sync``, and the bare passes by name and list."""

    patients: int
    syncs: list[dict[str, Any]]
    bare: dict[str, dict[str, ListPages]]

    @property
    def peak_megabytes(self) -> float:
        return max(float(sync["peak_megabytes"]) for sync in self.syncs)

    @property
    def page_times(self) -> dict[str, dict[str, Times]]:
        """By the way of reading and the list."""
        passes = {way: {name: pages.times for name, pages in lists.items()} for way, lists in self.bare.items()}
        syncs = [{name: Times.read(told) for name, told in sync["pages"].items()} for sync in self.syncs]
        return {**passes, **{f"{ordinal(number)} sync": lists for number, lists in enumerate(syncs)}}


def ordinal(number: int) -> str:
    return ("first", "second")[number]


async def measure_clinic(patients: int) -> Measured:
    """Two FULL syncs of a clinic, one after the other on the same database.

    Raises:
        ChildBroke: A sync failed, or its result does not match the clinic.
    """
    show_progress(f"{patients:,} patients: making the clinic")
    async with start("emulated_clinic", str(patients)) as clinic:
        expected = await clinic.receive()
        passes = await _read_bare(expected["base_url"], patients)
        async with start("measured_sync", expected["base_url"]) as child:
            syncs = []
            for number in range(2):
                child.send("full")
                syncs.append(await _follow(child, patients, expected, number))
    return Measured(patients, syncs, passes)


async def _read_bare(base_url: str, patients: int) -> dict[str, dict[str, ListPages]]:
    passes: dict[str, dict[str, ListPages]] = {"emulator alone": {}, "bare httpx": {}, "connector": {}}
    for resource, filters in bare.measured_lists():
        show_progress(f"{patients:,} patients: {SHORT_NAMES[resource.name]} with bare httpx, storing nothing")
        read = await bare.read_with_httpx(base_url, resource, filters)
        passes["bare httpx"][resource.name] = read
        show_progress(f"{patients:,} patients: {SHORT_NAMES[resource.name]} from the emulator alone")
        passes["emulator alone"][resource.name] = await bare.replay(base_url, read.addresses)
        show_progress(f"{patients:,} patients: {SHORT_NAMES[resource.name]} with the connector, storing nothing")
        passes["connector"][resource.name] = await bare.read_with_connector(base_url, resource, filters)
        if passes["connector"][resource.name].rows != read.rows:
            raise ChildBroke(f"The connector and bare httpx read different numbers of {resource.name}.")
    return passes


async def _follow(child: Child, patients: int, expected: dict[str, Any], number: int) -> dict[str, Any]:
    while "done" not in (told := await child.receive()):
        show_progress(f"{patients:,} patients: {ordinal(number)} sync {told['percent']} %, {told['text']}")
    found = {name: told[name] for name in ("patients", "appointments", "active")}
    right = {name: expected[name] for name in found}
    if not told["done"] or found != right:
        raise ChildBroke(f"The {ordinal(number)} sync of {patients:,} patients went wrong: {told['text']} {found}")
    return told


def print_memory(small: Measured, large: Measured) -> float:
    """Show the peaks and return the large clinic's additional memory."""
    rows = [
        [
            f"{clinic.patients:,} patients, {ordinal(number)} sync",
            f"{sync['peak_megabytes']:.1f}",
            f"{sync['seconds']:.1f}",
            f"{sync['database_megabytes']:.1f}",
        ]
        for clinic in (small, large)
        for number, sync in enumerate(clinic.syncs)
    ]
    extra = large.peak_megabytes - small.peak_megabytes
    rows.append([f"more for {large.patients:,} patients, at most {MOST_EXTRA_MEGABYTES}", f"{extra:+.1f}", "", ""])
    print_table("Memory of the process that syncs, and size of its database", ["", "peak MB", "s", "database MB"], rows)
    return extra


def print_pages(small: Measured, large: Measured) -> None:
    """Show the time per page in the large clinic's first, middle and last tenth, beside the small clinic's."""
    for name, short_name in SHORT_NAMES.items():
        bare_httpx = median(large.page_times["bare httpx"][name].relative)
        rows = []
        for way, lists in large.page_times.items():
            times, of_small = lists[name], small.page_times[way][name]
            (first, middle, last), typical = tenths(times.relative), median(times.relative)
            rows.append(
                [
                    *(way, str(len(times.seconds)), *(milliseconds(value) for value in tenths(times.seconds))),
                    *(ratio(middle, first), ratio(last, first)),
                    *(ratio(typical, median(of_small.relative)), ratio(typical, bare_httpx)),
                ]
            )
        head = ["", "pages", "first ms", "middle ms", "last ms", "middle/first", "last/first", "large/small", "/httpx"]
        print_table(f"Time per page of {short_name}, medians of tenths of {large.patients:,} patients", head, rows)
    print(
        "Ratios are of page times in units of a fixed piece of work beside each page, as a machine's speed wavers.\n"
        "That work is done where pages are read, so it follows the emulator, another process, less well."
    )


def print_transactions(small: Measured, large: Measured) -> None:
    """Show how long other writers were locked out of the database, and how long watchers got no update."""
    clinics = (small, large)
    rows = []
    for kind, name in WRITES.items():
        times = [[value for sync in clinic.syncs for value in sync["writes"].get(kind, [])] for clinic in clinics]
        if not all(times):
            continue
        cells = [(str(len(values)), milliseconds(mean(values)), milliseconds(max(values))) for values in times]
        rows.append([name, *(cell for column in cells for cell in column)])
    longest = [
        max(value for sync in clinic.syncs for times in sync["writes"].values() for value in times)
        for clinic in clinics
    ]
    rows.append(["the longest of all", *(cell for value in longest for cell in ("", "", milliseconds(value)))])
    gaps = [max(clinic.syncs, key=lambda sync: float(sync["gap"])) for clinic in clinics]
    rows.append(["between two snapshots", *(cell for sync in gaps for cell in ("", "", milliseconds(sync["gap"])))])
    head = [""]
    for clinic in clinics:
        head += [f"{clinic.patients:,}: n", "mean ms", "longest ms"]
    print_table("Write transactions of both syncs, and the longest time without a new snapshot", head, rows)
    print(f"That time was in step {gaps[1]['gap_step']} of the large clinic.")
