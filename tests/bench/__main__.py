"""``make bench``: the cost of syncs and of watchers, measured on this machine and compared with limits. See ``--help``.

Every figure is measured in this run; figures that depend on the machine are shown as ratios to bare programs. Exits
with 1 when a limit is exceeded that does not depend on the machine: memory, requests of a sync, statements of idle
watchers. A speed never decides the exit code.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.children import ChildBroke, fork_children
from tests.bench.clinics import MOST_EXTRA_MEGABYTES, measure_clinic, print_memory, print_pages, print_transactions
from tests.bench.incremental import measure_incremental, print_incremental
from tests.bench.live.cores import CoreShortage
from tests.bench.live.parts import LIVE, POSTGRES, ready
from tests.bench.live.report import QUICK, Report, Sizes
from tests.bench.log.opening import measure_log
from tests.bench.patients import measure_patients
from tests.bench.starting import figures_of_starts, measure_starts, print_starts
from tests.bench.table import end_progress
from tests.machine import LEFT_OUT

SMALL, LARGE = 1_000, 100_000
QUICK_SMALL, QUICK_LARGE = 300, 900
APPOINTMENTS, QUICK_APPOINTMENTS = 200_000, 1_200
STARTS, QUICK_STARTS = 7, 1


@dataclass
class Results:
    """Figures by part, and a sentence for each limit that was exceeded."""

    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def measure_clinics(results: Results, *, quick: bool) -> None:
    few, many = (QUICK_SMALL, QUICK_LARGE) if quick else (SMALL, LARGE)

    async def measure_both() -> tuple[Any, Any]:
        return await measure_clinic(few), await measure_clinic(many)

    small, large = asyncio.run(measure_both())
    end_progress()
    extra = print_memory(small, large)
    print_pages(small, large)
    print_transactions(small, large)
    results.figures["clinics"] = {"extra_megabytes": extra}
    if extra > MOST_EXTRA_MEGABYTES:
        results.broken.append(
            f"The sync of {many:,} patients took {extra:.0f} MB more than that of {few:,}; "
            f"at most {MOST_EXTRA_MEGABYTES} MB are allowed, as memory must not grow with the clinic."
        )


def measure_unchanged(results: Results, *, quick: bool) -> None:
    patients, appointments = (QUICK_LARGE, QUICK_APPOINTMENTS) if quick else (LARGE, APPOINTMENTS)
    found = asyncio.run(measure_incremental(patients // 2, appointments))
    end_progress()
    results.broken += print_incremental(found)
    results.figures["incremental"] = {
        case.name: {"requests": told["receipt"]["requests"], "cpu_seconds": told["cpu_seconds"]} for case, told in found
    }


def measure_processes(results: Results, *, quick: bool) -> None:
    starts = measure_starts(QUICK_STARTS if quick else STARTS)
    end_progress()
    print_starts(starts)
    results.figures["starts"] = figures_of_starts(starts)


def measure_opening(results: Results, *, quick: bool) -> None:
    try:
        report = measure_log(QUICK if quick else Sizes())
    except LEFT_OUT as reason:
        end_progress()
        print(f"\nPart log is left out: {reason}")
        return
    end_progress()
    report.show()
    results.figures["log"] = report.figures
    results.broken += report.broken


def measure_lists(results: Results, *, quick: bool) -> None:
    report = measure_patients(quick=quick)
    end_progress()
    report.show()
    results.figures["patients"] = report.figures


def measure_live(name: str) -> Callable[..., None]:
    def measure(results: Results, *, quick: bool) -> None:
        sizes = QUICK if quick else Sizes()
        try:
            if name in POSTGRES:
                report: Report = POSTGRES[name](sizes)
            else:
                with ready(sizes) as possible:
                    report = LIVE[name](possible)
        except (CoreShortage, *LEFT_OUT) as reason:
            end_progress()
            print(f"\nPart {name} is left out: {reason}")
            return
        end_progress()
        report.show()
        results.figures[name] = report.figures
        results.broken += report.broken

    return measure


PARTS: dict[str, Callable[..., None]] = {
    "clinics": measure_clinics,
    "incremental": measure_unchanged,
    **{name: measure_live(name) for name in (*LIVE, *POSTGRES)},
    "starts": measure_processes,
    "log": measure_opening,
    "patients": measure_lists,
}


def run(names: Sequence[str], *, quick: bool, file: Path | None) -> int:
    """Measure and show these parts; returns the exit code."""
    began, results = time.monotonic(), Results()
    for name in names:
        PARTS[name](results, quick=quick)
    print(f"\nMeasured in {time.monotonic() - began:.0f} s.")
    if file is not None:
        file.write_text(json.dumps(results.figures, indent=2) + "\n")
    for sentence in results.broken:
        print(sentence, file=sys.stderr)
    return int(bool(results.broken))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure syncs and what watchers get.")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"a short look: {QUICK_LARGE:,} patients instead of {LARGE:,}, few watchers",
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file, too")
    given = parser.parse_args()
    if given.quick:
        fork_children()
    try:
        return run(given.only or list(PARTS), quick=given.quick, file=given.json)
    except ChildBroke as problem:
        end_progress()
        print(problem, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
