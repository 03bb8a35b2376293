"""The dashboard page in Chromium, against a real server."""

import asyncio
from pathlib import Path

from playwright.async_api import expect

from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.cli.programs import Program

pytestmark = IN_SESSION_LOOP


async def test_the_page_follows_a_sync_to_its_end(open_page: OpenPage, tmp_path: Path):
    """Whoever opens the address of a demo sees its sync end as completed."""
    with Program("demo", "--port", "0", "--seconds", "0", folder=tmp_path) as demo:
        page = await open_page(await asyncio.to_thread(demo.url))
        await expect(page.get_by_text("completed", exact=True)).to_be_visible()
