"""The page by keyboard, with a screen reader (axe-core), narrow, and with little motion."""

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import Served, expect_status, until_at_gate

pytestmark = IN_SESSION_LOOP


async def _serious_findings(page: Page) -> list[str]:
    found = await Axe().run(page, options={"resultTypes": ["violations"]})
    return [
        f"{violation['impact']}: {violation['id']}: {[node['html'] for node in violation['nodes']]}"
        for violation in found.response["violations"]
        if violation["impact"] in {"serious", "critical", "moderate"}
    ]


async def _scrolls_sideways(page: Page) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


async def test_axe_finds_nothing_serious(serve: Serve, open_page: OpenPage):
    """axe-core finds no serious problem in any state of the page, in light and wide as in dark and narrow."""
    served = await serve(is_connected=False)
    page = await open_page(served.url, reduced_motion="reduce")

    async def check(state: str) -> None:
        for scheme, width in (("light", 1280), ("dark", 390)):
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size({"width": width, "height": 900})
            assert await _serious_findings(page) == [], (state, scheme)
            assert not await _scrolls_sideways(page), (state, width)

    await expect(page.locator("#connection-state")).to_have_text("Not connected")
    await page.get_by_role("button", name="Organization…").click()
    await check("not connected")
    await served.server.connect_organization(served.cliniko_url, EMULATED_API_KEY)
    await page.get_by_role("button", name="Refresh").click()
    await until_at_gate(served, "patients", page, "Fetching patients")
    await check("running")
    await page.get_by_role("button", name="Cancel").click()
    await expect_status(page, "Cancelled")
    await check("cancelled")
    served.gate.open()
    served.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    await page.get_by_role("button", name="Start sync").click()
    await expect_status(page, "Failed")
    await check("failed")
    served.emulator.faults.clear()
    served.emulator.faults.add(Fault(FaultKind.RATE_LIMIT, times=None, seconds=60))
    await page.get_by_role("button", name="Start sync").click()
    await expect(page.locator("#waiting")).to_be_visible()
    await check("waiting")


async def test_the_page_works_by_keyboard_alone(served: Served, open_page: OpenPage):
    """Tab reaches every control in the order of the page, with a visible ring; Enter and Space work like a click."""
    page = await open_page(served.url)
    await expect_status(page, "Idle")
    names = []
    for _ in range(12):
        await page.keyboard.press("Tab")
        focused = page.locator(":focus")
        names.append((await focused.inner_text()).strip() or await focused.get_attribute("id"))
        assert await focused.evaluate("element => getComputedStyle(element).outlineStyle") != "none"
        if names[-1] == "Start sync":
            break
    assert names == ["Organization…", "Refresh", "Start sync"]
    served.gate.hold("patients")
    await page.keyboard.press("Enter")
    await expect_status(page, "Fetching patients")
    await served.gate.reached()
    await page.locator("#refresh").focus()
    await page.keyboard.press("Tab")
    assert await page.locator(":focus").inner_text() == "Cancel"
    await page.keyboard.press("Space")
    await expect_status(page, "Cancelled")
    served.gate.open()


async def test_changes_are_announced_to_screen_readers(served: Served, open_page: OpenPage):
    """The bar announces its percentage and step; steps and the end are announced; the log is not read out by itself."""
    page = await open_page(served.url)
    await expect_status(page, "Idle")
    announcer = page.locator("#announcer")
    await expect(announcer).to_have_attribute("aria-live", "polite")
    await until_at_gate(served, "patients", page, "Fetching patients")
    await expect(announcer).to_have_text("Step 4 of 8: Fetching patients")
    bar = page.get_by_role("progressbar", name="Sync")
    await expect(bar).to_have_attribute("aria-valuetext", "37 percent, step 4 of 8: Fetching patients…")
    await expect(page.get_by_role("log")).to_have_attribute("aria-live", "off")
    served.gate.open()
    await expect(announcer).to_have_text("Sync completed. Agrees with Cliniko.")


async def test_reduced_motion_is_respected(served: Served, open_page: OpenPage):
    """With the system's reduced motion there are no animations; otherwise there are."""
    seen = {}
    for wish in ("no-preference", "reduce"):
        page = await open_page(served.url, reduced_motion=wish)
        await expect_status(page, "Idle" if wish == "no-preference" else "Fetching patients")
        if wish == "no-preference":
            await until_at_gate(served, "patients", page, "Fetching patients")
        seen[wish] = await page.evaluate(
            """() => {
                const fill = document.getElementById('fill');
                return [getComputedStyle(fill, '::after').animationName, getComputedStyle(fill).transitionProperty];
            }"""
        )
    assert seen["no-preference"][0] == "sheen"
    assert seen["reduce"] == ["none", "none"]
    served.gate.open()


async def test_forms_explain_themselves(served: Served, open_page: OpenPage):
    """Every field has a label, and a malformed organization id is refused beside its field."""
    page = await open_page(served.url)
    await page.get_by_role("button", name="Organization…").click()
    field = page.get_by_role("textbox", name="Organization")
    await expect(field).to_be_focused()
    await field.fill("no such id!")
    await field.press("Enter")
    assert await field.evaluate("field => field.validity.patternMismatch")
    assert page.url == f"{served.url}/"
