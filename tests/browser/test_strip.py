"""The strip of a phone: the running sync stays in sight at the top, and no reader loses their place because of it."""

import re
from itertools import pairwise

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import Served, until_at_gate
from tests.long_log import store_long_log

pytestmark = IN_SESSION_LOOP

PHONE = {"width": 390, "height": 500}
SCROLLED_PX = 700


async def _scroll_away(page: Page) -> None:
    await page.evaluate(f"scrollTo(0, {SCROLLED_PX})")
    await expect(page.locator("#strip")).to_be_visible()


async def _expect_same_place(page: Page) -> None:
    """The focus is on the next step, and the page has not jumped. What is in sight stays, so cards above may grow."""
    await expect(page.locator("#strip")).to_be_hidden()
    await expect(page.locator("#start")).to_be_focused()
    await page.evaluate("new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")
    assert await page.evaluate("scrollY") > SCROLLED_PX / 2


async def test_a_phone_keeps_the_running_sync_in_sight(served: Served, open_page: OpenPage):
    """Scrolled away from its card, the sync can still be watched and cancelled, and the focus is not lost."""
    page = await open_page(served.url, viewport=PHONE)
    await until_at_gate(served, "patients", page, "Fetching patients")
    strip = page.locator("#strip")
    await expect(strip).to_be_hidden()
    await _scroll_away(page)
    await expect(strip).to_contain_text("37 %")
    await strip.get_by_role("button", name="Cancel").focus()
    await page.evaluate("scrollTo(0, 0)")
    await expect(strip).to_be_hidden()
    await expect(page.locator("#cancel")).to_be_focused()
    for button in await page.locator("button:visible").all():
        box = await button.bounding_box()
        assert box is not None
        assert box["height"] >= 44, await button.inner_text()


@pytest.mark.parametrize("by", ["tap", "Enter"])
async def test_a_cancel_on_the_strip_keeps_the_readers_place(served: Served, open_page: OpenPage, by: str):
    """After a tap or a key press on the strip's Cancel the page stays where it is, with the focus on Start sync."""
    page = await open_page(served.url, viewport=PHONE, has_touch=True)
    await until_at_gate(served, "patients", page, "Fetching patients")
    await _scroll_away(page)
    cancel = page.locator("#strip-cancel")
    await (cancel.tap() if by == "tap" else cancel.press(by))
    await expect(page.locator("#badge")).to_have_text("Cancelled")
    await _expect_same_place(page)


async def test_the_end_of_a_sync_keeps_the_readers_place(served: Served, open_page: OpenPage):
    """A sync that ends while the strip has the focus leaves the page where it is, with the focus on Start sync."""
    page = await open_page(served.url, viewport=PHONE)
    await until_at_gate(served, "patients", page, "Fetching patients")
    await _scroll_away(page)
    await page.locator("#strip-cancel").focus()
    served.gate.open()
    await expect(page.locator("#badge")).to_have_text("Completed")
    await _expect_same_place(page)


async def test_an_opened_sync_has_the_strip_too(served: Served, open_page: OpenPage):
    """A reader in the log of a running sync has its state and Cancel at the top, and stays there after the cancel."""
    page = await open_page(served.url, viewport=PHONE)
    await until_at_gate(served, "patients", page, "Fetching patients")
    sync_id = (await served.sync())["syncId"]
    await page.goto(f"{served.url}/?sync={sync_id}")
    await expect(page.locator("#opened-log li").first).to_be_attached()
    await expect(page.locator("#strip")).to_be_hidden()
    await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    await expect(page.locator("#strip")).to_contain_text("Fetching patients")
    await page.locator("#strip-cancel").press("Enter")
    await expect(page.locator("#opened-badge")).to_have_text("Cancelled")
    await expect(page.locator("#strip")).to_be_hidden()
    await expect(page.locator("#opened-title")).to_be_focused()
    assert await page.evaluate("scrollY") > 0


async def test_everything_on_the_strip_can_be_read(served: Served, open_page: OpenPage):
    """In the step with the longest name the time left is not cut off, and axe-core finds nothing."""
    page = await open_page(served.url, viewport=PHONE, reduced_motion="reduce")
    await until_at_gate(served, "individual_appointments", page, "Fetching appointments")
    await _scroll_away(page)
    await expect(page.locator("#strip-left")).to_have_text(re.compile(r"left|estimat|longer", re.IGNORECASE))
    for text in await page.locator("#strip > :not(.track)").all():
        assert await text.evaluate("one => one.scrollWidth <= one.clientWidth")
        box = await text.bounding_box()
        assert box is not None
        assert 0 <= box["x"] < box["x"] + box["width"] <= PHONE["width"]
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        found = await Axe().run(page, options={"resultTypes": ["violations"]})
        assert [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []


async def test_a_line_of_the_log_can_be_tapped(served: Served, open_page: OpenPage):
    """The link of each line is at least 44 pixels high and wide, and the links of two lines don't overlap."""
    sync_id = await store_long_log(served.server, 120)
    page = await open_page(f"{served.url}/?sync={sync_id}", viewport=PHONE)
    await expect(page.locator("#opened-log li")).to_have_count(120)
    boxes = await page.locator("#opened-log .seq").evaluate_all(
        """links => links.map((link) => link.getBoundingClientRect())
            .map(({width, height, top, bottom}) => [width, height, top, bottom])"""
    )
    assert all(width >= 44 and height >= 44 for width, height, _, _ in boxes)
    assert all(above[3] <= below[2] for above, below in pairwise(boxes))
