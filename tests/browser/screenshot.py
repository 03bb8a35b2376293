"""Takes the README's picture of the page from a running demo: ``make screenshot``.

A demo syncs once, and once more after patients have changed; the picture is of the middle of a second full sync.
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright, expect

from tests.browser.conftest import CHROMIUM_OPTIONS, find_chromium
from tests.cli.programs import Program

TARGET = Path(__file__).parents[2] / "examples" / "sync_dashboard.png"
WIDTH, HEIGHT = 1280, 960


async def _take(url: str) -> None:
    path = find_chromium()
    if path is None:
        sys.exit("Chromium is not installed; the picture is taken with it.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_OPTIONS))
        page = await browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", reduced_motion="reduce"
        )
        await page.goto(url)
        await expect(page.locator("#badge")).to_have_text("Completed", timeout=60_000)
        await page.get_by_role("button", name="Patients change").click()
        await expect(page.locator("#changed")).to_have_text("Last sync: +5 active, −3", timeout=60_000)
        await page.get_by_role("button", name="Full sync").click()
        await expect(page.locator("#step-text")).to_have_text(re.compile(r"[6-9]00 of 1,\d{3}"), timeout=60_000)
        await page.evaluate("scrollTo(0, 0)")  # a click on the demo's panel has scrolled to it
        await page.screenshot(path=TARGET)
        await browser.close()


def main() -> None:
    """Run a demo in a temporary folder and write the picture."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Program("demo", "--still", "--port", "0", "--seconds", "12", folder=Path(folder)) as demo,
    ):
        asyncio.run(_take(demo.url()))
    print(f"Wrote {TARGET.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
