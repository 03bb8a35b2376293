"""``make bench-live``: how long an edit in Cliniko takes until the page of a browser shows it.

A clinic is edited at random moments, with looks at the given interval and pace. Measured are the distribution of the
latencies, and the most requests of looks and their syncs within a minute. Exits with 1 if they exceed their share.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from playwright.async_api import async_playwright, expect

from routiq_gql.clock import utc_now
from routiq_gql.emulator import awkward_clinic
from routiq_gql.logs import configure_logging
from routiq_gql.settings import load_settings
from tests.browser.conftest import CHROMIUM_OPTIONS, find_chromium
from tests.browser.live_edits import LiveEdits, note_shown_changes
from tests.browser.serving import Served, serving
from tests.organization import ORGANIZATION
from tests.syncs import run_sync

LONGEST_SECONDS = 120
"""How long the last edits may take to be shown."""


def most_within_a_minute(times: Sequence[datetime]) -> int:
    """The most of these moments within any minute; they ascend."""
    most, first = 0, 0
    for place, moment in enumerate(times):
        while moment - times[first] >= timedelta(minutes=1):
            first += 1
        most = max(most, place - first + 1)
    return most


async def _measure(served: Served, options: argparse.Namespace) -> int:
    await run_sync(served.server.runtime)
    before = len(served.emulator.requests)
    edits = LiveEdits(served.emulator.clinic, random.Random(options.seed))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_OPTIONS))
        page = await browser.new_page()
        await page.goto(f"{served.url}/?organization={ORGANIZATION}&list=ALL")
        await expect(page.locator(".patient .name button").first).to_be_visible(timeout=60_000)
        await note_shown_changes(page)
        for number in range(1, options.edits + 1):
            await asyncio.sleep(edits.choice.uniform(0, 2 * options.every))
            edits.make()
            await edits.note(page)
            if number % 20 == 0:
                print(f"{number} edits, {len(edits.latencies)} shown", flush=True)
        until = time.monotonic() + LONGEST_SECONDS
        while edits.waiting and time.monotonic() < until:
            await asyncio.sleep(1)
            await edits.note(page)
        await browser.close()
    most = most_within_a_minute([request.time for request in served.emulator.requests[before:]])
    return _report(edits, most, served.server.runtime.settings.refresh_share)


def _report(edits: LiveEdits, most: int, share: int) -> int:
    shown = sorted(edits.latencies)
    at = statistics.quantiles(shown, n=100, method="inclusive")
    print(f"Edits shown: {len(shown)} of {len(shown) + len(edits.waiting)}")
    print(f"Seconds until the page shows them: median {at[49]:.1f}, 90 % {at[89]:.1f}, 95 % {at[94]:.1f}, "
          f"99 % {at[98]:.1f}, longest {shown[-1]:.1f}")  # fmt: skip
    print(f"Requests of looks and their syncs within a minute: {most} at most; their share is {share or 'not limited'}")
    if edits.waiting:
        print("Not shown:", ", ".join(edits.waiting))
    return 1 if edits.waiting or (share and most > share) else 0


async def _run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(
            database_url=f"sqlite+aiosqlite:///{Path(folder)}/routiq.db",
            refresh_seconds=options.seconds,
            cliniko_requests_per_minute=options.pace,
        )
        configure_logging(settings, quiet=True)
        async with serving(settings, clinic=awkward_clinic(utc_now())) as served:
            return await _measure(served, options)


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.near_live", description=__doc__)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--every", type=float, default=6.0, help="mean seconds between two edits")
    parser.add_argument("--seconds", type=int, default=15, help="seconds between two looks")
    parser.add_argument("--pace", type=int, default=180, help="requests to Cliniko a minute")
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(asyncio.run(_run(parser.parse_args())))


if __name__ == "__main__":
    main()
