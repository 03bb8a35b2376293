"""How long the page takes to open a log of 10,000 lines, and to search it, in Chromium.

Opening is from the click on a sync of the history to the frame that shows its first lines, the request to the server
included. A search is from a key press to the frame with its matches. Neither decides the exit code; the number of rows
in the document does.
"""

import asyncio
import re
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright, expect

from routiq_gql.settings import Settings
from tests.bench.live.report import Report, Sizes
from tests.bench.table import show_progress
from tests.browser.conftest import CHROMIUM_OPTIONS, find_chromium
from tests.long_log import store_long_log
from tests.machine import leave_out
from tests.organization import ORGANIZATION
from tests.server import Server

LINES = 10_000
MOST_ROWS = 200
OPENS_WITHIN_MS, SEARCHES_WITHIN_MS = 300, 100
WORDS = ("page 9", "could not", "trying again", "page 4711 ", "no such line")

OPEN = """(link) => new Promise((done) => {
    const start = performance.now();
    const look = () => {
        const isThere = document.querySelector('#opened-log li') &&
            document.getElementById('log-matches').textContent.startsWith('10,000 lines.');
        if (isThere) requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
        else requestAnimationFrame(look);
    };
    link.click();
    look();
})"""
SEARCH = """(word) => new Promise((done) => {
    const field = document.getElementById('log-search');
    field.value = word;
    const start = performance.now();
    field.dispatchEvent(new Event('input', { bubbles: true }));
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
})"""


async def _measure(page: Page, rounds: int) -> tuple[list[float], list[float], int]:
    opened, searched, most_rows = [], [], 0
    for _ in range(rounds):
        await page.reload()
        link = page.locator("#past a").first
        await expect(link).to_be_visible()
        opened.append(await link.evaluate(OPEN))
        for word in WORDS:
            searched.append(await page.evaluate(SEARCH, word))
            most_rows = max(most_rows, await page.locator("#opened-log li").count())
        await page.go_back()
        await expect(page.locator("#opened")).to_be_hidden()
    return opened, searched, most_rows


async def _run(rounds: int) -> tuple[list[float], list[float], int]:
    path = find_chromium()
    if path is None:
        leave_out("Chromium is not installed")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(database_url=f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}")
        async with Server(settings, default_organization=ORGANIZATION) as server, async_playwright() as playwright:
            await store_long_log(server, LINES)
            browser = await playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_OPTIONS))
            page = await browser.new_page(viewport={"width": 1280, "height": 900})
            await page.goto(server.url)
            await expect(page.locator("#link-text")).to_have_text(re.compile("^Live"))
            found = await _measure(page, rounds)
            await browser.close()
            return found


def measure_log(sizes: Sizes) -> Report:
    """Open and search a long log a few times."""
    show_progress("Opening and searching a log of 10,000 lines")
    opened, searched, rows = asyncio.run(_run(sizes.rounds))
    report = Report("A log of 10,000 lines on the page, in Chromium", ["", "median ms", "longest ms", "goal ms"])
    figures: dict[str, Any] = {"opens": (opened, OPENS_WITHIN_MS), "is searched": (searched, SEARCHES_WITHIN_MS)}
    for name, (times, goal) in figures.items():
        median, longest = statistics.median(times), max(times)
        report.rows.append([name, f"{median:.0f}", f"{longest:.0f}", str(goal)])
        report.figures[name] = {"median_ms": median, "longest_ms": longest, "goal_ms": goal}
    report.notes.append(f"At most {rows} of its rows were in the document.")
    report.figures["rows"] = {"most": rows}
    if rows >= MOST_ROWS:
        report.broken.append(f"{rows} rows of the log were in the document; fewer than {MOST_ROWS} are allowed.")
    return report
