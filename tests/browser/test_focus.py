"""The keyboard focus stays on a control, even if a key press hides, removes or disables controls."""

from playwright.async_api import Locator, Page, expect

from routiq_gql.emulator import EMULATED_API_KEY
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import Served, expect_status
from tests.organization import ORGANIZATION

pytestmark = IN_SESSION_LOOP

WATCH_FOCUS = """() => {
    window.lost = [];
    let last = null;
    const look = () => {
        const now = document.activeElement === document.body ? null : document.activeElement;
        if (last && !now) window.lost.push(last.outerHTML.slice(0, 90));
        last = now;
        requestAnimationFrame(look);
    };
    look();
}"""
"""Records each element from which the focus moved to the whole page, however briefly."""


async def _press(target: Locator, key: str = "Enter") -> None:
    await target.focus()
    await target.press(key)


async def _expect_none_lost(page: Page) -> None:
    await page.evaluate("new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")
    assert await page.evaluate("window.lost") == []
    assert not await page.evaluate("document.activeElement === document.body")


async def test_no_key_press_loses_the_focus(serve: Serve, open_page: OpenPage):
    """After a key press on any button or field of the page, the focus is in a useful place."""
    served = await serve(is_connected=False)
    for _ in range(21):  # which fail at once
        await served.server.until_ended(await served.server.start_sync())
    page = await open_page(served.url)
    await expect(page.locator("#connection-state")).to_have_text("Not connected")
    await page.evaluate(WATCH_FOCUS)

    change, organization = page.locator("#change"), page.locator("#organization")
    search = page.get_by_role("searchbox", name="Search organizations")
    for chosen, first in (("org_other", organization), (ORGANIZATION, search)):  # only org_other has others beside it
        await _press(change)
        await expect(first).to_be_focused()
        await organization.fill(chosen)
        await _press(organization if chosen == "org_other" else page.get_by_role("button", name="Show", exact=True))
        await expect(change).to_be_focused()
        await expect(page.locator("#organization-id")).to_have_text(chosen)
        await expect(page.locator("#connection-state")).to_have_text("Not connected")

    key, connect = page.get_by_label("Cliniko API key"), page.locator("#connect-button")
    await key.fill("MS0xLXdyb25n-au1")
    await _press(key)
    await expect(page.locator("#connect-message")).to_contain_text("key")
    await expect(key).to_be_focused()
    await key.fill(EMULATED_API_KEY)
    await _press(connect)
    start, cancel, refresh = page.locator("#start"), page.locator("#cancel"), page.locator("#refresh")
    await expect(page.locator("#connection-message")).to_contain_text("Connected to")
    await expect(start).to_be_focused()

    served.gate.hold("patients")
    await _press(start)
    await served.gate.reached()
    await expect_status(page, "Fetching patients")
    await expect(start).to_be_focused()
    await expect(start).to_be_disabled()
    await start.press("Enter")  # without effect now
    await _press(refresh, "Space")
    await expect(page.locator("#announcer")).to_have_text("Refreshed.")
    await expect(refresh).to_be_focused()
    await _press(cancel)
    await expect_status(page, "Cancelled")
    await expect(cancel).to_be_focused()
    await cancel.press("Tab")
    await expect(start).to_be_focused()
    await start.press("Shift+Tab")
    await expect(refresh).to_be_focused()  # a disabled button would be skipped
    served.gate.open()

    for level in ("Info", "Success", "Warning", "Error"):
        await _press(page.get_by_role("button", name=level, exact=True), "Space")
    await expect(page.locator("#log-box")).to_be_hidden()
    await _press(page.get_by_role("button", name="Info", exact=True), "Space")
    clear = page.get_by_role("button", name="Clear log")
    await _press(clear)
    await expect(clear).to_be_focused()
    await _press(page.get_by_role("button", name="Show cleared lines"))
    await expect(clear).to_be_focused()
    await page.locator("#log-box").focus()
    await start.evaluate("start => start.click()")  # as another user would: a new sync empties the log
    await expect_status(page, "Completed")
    await expect(page.locator("#past tr")).to_have_count(22)

    await _press(page.get_by_role("button", name="Show more"))
    await expect(page.locator("#past tr").nth(22)).to_be_focused()
    await start.evaluate("start => start.click()")  # the row of the next sync comes first, and this one stays
    await expect(page.locator("#past tr")).to_have_count(24)
    await expect(page.locator("#past tr").nth(23)).to_be_focused()

    summary = page.get_by_text("Replace the API key")
    await _press(summary)
    await key.fill(EMULATED_API_KEY)
    await _press(key)
    await expect(page.locator("#connection-message")).to_contain_text("Connected to")
    await expect(summary).to_be_focused()
    await expect(key).to_be_hidden()
    await _expect_none_lost(page)


async def test_the_focus_does_not_return_after_a_click_elsewhere(served: Served, open_page: OpenPage):
    """After a click beside the controls, later changes of the page don't move the focus back."""
    page = await open_page(served.url)
    await expect_status(page, "Idle")
    await page.get_by_role("button", name="Organization…").click()
    await expect(page.locator("#organization")).to_be_focused()
    await page.locator("#step-text").click()
    await page.locator("#change").evaluate("change => change.click()")
    await page.evaluate("new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")
    assert await page.evaluate("document.activeElement === document.body")
