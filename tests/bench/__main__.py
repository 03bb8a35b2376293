"""``make bench``: the cost of a sync, measured on this machine and compared with its limits. See ``--help``.

Every figure is measured in this run; figures that depend on the machine are shown as ratios to bare programs. Exits
with 1 when the memory grows with the clinic, or a sync needs too many requests, whatever the speed.
"""

import argparse
import asyncio
import sys
import time

from tests.bench.children import ChildBroke
from tests.bench.clinics import MOST_EXTRA_MEGABYTES, measure_clinic, print_memory, print_pages, print_transactions
from tests.bench.fanout import measure_fan_out, print_fan_out
from tests.bench.incremental import measure_incremental, print_incremental
from tests.bench.starting import measure_starts, print_starts
from tests.bench.table import end_progress

SMALL, LARGE, QUICK_LARGE = 1_000, 100_000, 3_000


async def run(large_patients: int, appointments: int, watchers: int, snapshots: int, starts: int) -> int:
    """Measure and show everything; returns the exit code."""
    began = time.monotonic()
    small = await measure_clinic(SMALL)
    large = await measure_clinic(large_patients)
    incremental = await measure_incremental(large_patients // 2, appointments)
    fan_out = await measure_fan_out(watchers, snapshots)
    started = measure_starts(starts)
    end_progress()
    extra = print_memory(small, large)
    print_pages(small, large)
    print_transactions(small, large)
    broken = print_incremental(incremental)
    print_fan_out(fan_out)
    print_starts(started)
    print(f"\nMeasured in {time.monotonic() - began:.0f} s.")
    if extra > MOST_EXTRA_MEGABYTES:
        print(
            f"The sync of {large_patients:,} patients took {extra:.0f} MB more than that of {SMALL:,}; "
            f"at most {MOST_EXTRA_MEGABYTES} MB are allowed, as memory must not grow with the clinic.",
            file=sys.stderr,
        )
    for sentence in broken:
        print(sentence, file=sys.stderr)
    return 1 if broken or extra > MOST_EXTRA_MEGABYTES else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure syncs and what watchers get.")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"a short look: {QUICK_LARGE:,} patients instead of {LARGE:,}, few watchers",
    )
    quick = parser.parse_args().quick
    try:
        return asyncio.run(run(QUICK_LARGE, 4_000, 20, 10, 1) if quick else run(LARGE, 200_000, 200, 50, 7))
    except ChildBroke as problem:
        end_progress()
        print(problem, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
