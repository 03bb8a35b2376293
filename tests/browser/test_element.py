"""The custom element in a plain page and in apps of Vue, Svelte and React, under a strict Content-Security-Policy.

No page may load scripts, styles or images but its own, or have styles in attributes; the console reports violations.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, WebSocket, expect

from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.settings import Settings
from tests.apps.element import NAMES, built_page
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import Served, serving
from tests.browser.sites import site
from tests.issuing import issuing, jwt_settings
from tests.node_projects import INSTALL_SECONDS
from tests.organization import ORGANIZATION
from tests.waiting import until

pytestmark = [IN_SESSION_LOOP, pytest.mark.timeout(2 * INSTALL_SECONDS)]

STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
TRUSTED_TYPES = "require-trusted-types-for 'script'; trusted-types lit-html"
ON_ANY_PORT = "connect-src http://127.0.0.1:* ws://127.0.0.1:*"


@contextmanager
def _served_page(name: str, shared: Path) -> Iterator[str]:
    """The origin of the page; Vue and Svelte have templates of their own, which need their own trusted types."""
    policy = "; ".join([STRICT, ON_ANY_PORT, *([TRUSTED_TYPES] if name == "plain" else [])])
    with site(built_page(name, shared), {"Content-Security-Policy": policy}) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module", params=NAMES)
def origin(request: pytest.FixtureRequest, shared_folder: Path, npm: object) -> Iterator[str]:
    """Where a page or app with the element is served."""
    with _served_page(request.param, shared_folder) as address:
        yield address


@pytest.fixture(scope="module")
def plain(shared_folder: Path, npm: object) -> Iterator[str]:
    """Where the page without a framework is served."""
    with _served_page("plain", shared_folder) as address:
        yield address


def _address(origin: str, served: Served) -> str:
    return f"{origin}/?{urlencode({'organization': ORGANIZATION, 'api': f'{served.url}/api/v1'})}"


def _badge(page: Page) -> Locator:
    return page.locator("[part=status]")


def _button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


async def _expect_live(page: Page) -> None:
    await expect(page.locator("[part=link]")).to_have_text(re.compile("^Live"))


async def _until_running(page: Page, served: Served) -> None:
    """Start a sync with the element's button; returns when it is held while it fetches patients."""
    served.gate.hold("patients")
    await _button(page, "Start sync").click()
    await served.gate.reached()
    await expect(_badge(page)).to_have_text("Fetching patients")


async def test_a_page_follows_a_sync_through_a_restart_of_the_server(served: Served, open_page: OpenPage, origin: str):
    """A sync that runs while the server restarts is shown to its end, its log is complete, and its end is an event."""
    page = await open_page(_address(origin, served), line_may_break=True)
    await expect(page.get_by_role("heading", name=re.compile("^Sync in "))).to_be_visible()
    await _expect_live(page)
    await _until_running(page, served)

    await served.server.stop()
    await expect(page.locator("[data-problem=lost]")).to_be_visible()
    await expect(_badge(page)).to_have_text("Fetching patients")
    served.gate.open()
    await served.server.start()
    await expect(_badge(page)).to_have_text("Completed")
    await _expect_live(page)
    await expect(page.get_by_role("alert")).to_have_count(0)
    await expect(page.get_by_text("Agrees with Cliniko, checked")).to_be_visible()
    sync = await served.sync()
    lines = page.locator("[part=line]")
    await expect(lines).to_have_count(len(sync["log"]))
    shown = await lines.evaluate_all("lines => lines.map((line) => Number(line.dataset.seq))")
    assert shown == [line["seq"] for line in sync["log"]]
    await expect(page.locator("output")).to_have_text(f"completed: {sync['syncId']}")


async def test_axe_finds_no_problem_in_any_state(serve: Serve, open_page: OpenPage, plain: str):
    """In each state from not connected to offline, wide in light and narrow in dark."""
    served = await serve(is_connected=False)
    page = await open_page(_address(plain, served), line_may_break=True, reduced_motion="reduce")

    async def check(state: str) -> None:
        for scheme, width in (("light", 1000), ("dark", 360)):
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size({"width": width, "height": 800})
            await page.mouse.move(0, 0)
            found = (await Axe().run(page)).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], (state, scheme)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, (state, width)

    await expect(page.get_by_text("Not connected", exact=True).first).to_be_visible()
    await check("not connected")
    await page.get_by_label("Cliniko API key").fill(EMULATED_API_KEY)
    await served.server.connect_organization(served.cliniko_url, EMULATED_API_KEY)
    await expect(_button(page, "Start sync")).to_have_attribute("aria-disabled", "false")
    await _until_running(page, served)
    await check("running")
    served.gate.open()
    await expect(_badge(page)).to_have_text("Completed")
    await check("completed")
    served.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    await _button(page, "Start sync").click()
    await expect(_badge(page)).to_have_text("Failed")
    await check("failed")
    served.emulator.faults.clear()
    served.emulator.faults.add(Fault(FaultKind.RATE_LIMIT, times=None, seconds=60))
    await _button(page, "Start sync").click()
    await expect(page.locator("[data-waiting]")).to_be_visible()
    await check("waiting")
    await _button(page, "Cancel").click()
    await expect(_badge(page)).to_have_text("Cancelled")
    await check("cancelled")
    await served.server.stop()
    await expect(page.locator("[data-problem=lost]")).to_be_visible()
    await check("offline")
    await served.server.start()


async def test_controls_are_large_enough_for_fingers_in_narrow_places(served: Served, open_page: OpenPage, plain: str):
    """What counts is the width of the element, not that of the window: a narrow column on a wide screen is narrow."""
    page = await open_page(_address(plain, served), viewport={"width": 1400, "height": 900})
    await _expect_live(page)
    await page.evaluate("document.querySelector('main').style.width = '340px'")
    controls = page.locator("routiq-sync").locator("button:visible, select:visible, input:visible")
    heights = await controls.evaluate_all("all => all.map((one) => one.getBoundingClientRect().height)")
    assert len(heights) >= 4
    assert min(heights) >= 44


async def test_the_page_can_style_the_element_and_its_other_styles_stay_outside(
    served: Served, open_page: OpenPage, plain: str
):
    """Documented properties and parts can be styled from the page's style sheet; its text styles are not inherited."""
    page = await open_page(_address(plain, served))
    await _expect_live(page)
    await expect(_button(page, "Start sync")).to_have_css("text-transform", "none")
    await expect(page.locator("[part=heading]")).to_have_css("text-align", "start")
    await expect(page.locator("[part=heading]")).to_have_css("letter-spacing", "normal")
    await page.evaluate(
        """() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(`
            main { --routiq-blue: rgb(255, 220, 0); --routiq-on-blue: rgb(1, 2, 3); color-scheme: dark }
            routiq-sync::part(heading) { text-decoration-line: underline }`);
          document.adoptedStyleSheets = [sheet];
        }"""
    )
    await expect(_button(page, "Start sync")).to_have_css("background-color", "rgb(255, 220, 0)")
    await expect(_button(page, "Start sync")).to_have_css("color", "rgb(1, 2, 3)")
    await expect(page.locator("[part=heading]")).to_have_css("text-decoration-line", "underline")
    await expect(page.locator("[part=card]")).to_have_css("background-color", "rgb(27, 33, 40)")


async def test_a_key_is_entered_in_the_element(serve: Serve, open_page: OpenPage, plain: str):
    """With the part `connection`, a person connects the organization; the result is shown and the key is not."""
    served = await serve(is_connected=False)
    page = await open_page(_address(plain, served))
    field = page.get_by_label("Cliniko API key")
    await field.fill("no key at all")
    await field.press("Enter")
    await expect(page.locator("[part=result][role=alert]")).to_be_visible()
    await expect(field).to_have_value("")


async def test_a_removed_element_closes_its_connection(served: Served, open_page: OpenPage, plain: str):
    """A page that removes the element leaves no connection behind, and one that puts it back is connected again."""
    page = await open_page(line_may_break=True)
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    await page.goto(_address(plain, served))
    await _expect_live(page)
    await page.evaluate("window.element = document.querySelector('routiq-sync'); element.remove()")
    await until(lambda: sockets[0].is_closed())
    await page.evaluate("document.querySelector('main').append(element)")
    await _expect_live(page)
    assert len(sockets) == 2


async def test_a_token_that_comes_later_connects_the_element(settings: Settings, open_page: OpenPage, plain: str):
    """An element whose page has no token yet says so, and is live once the page gives it `getToken`."""
    async with issuing() as issuing_server:
        issuer = issuing_server.issuer
        async with serving(jwt_settings(settings, issuer), allowed_origins=(plain,), is_connected=False) as served:
            page = await open_page(_address(plain, served), line_may_break=True)
            await expect(page.locator("[part=problem]")).to_be_visible()
            await expect(_badge(page)).to_have_count(0)
            token = json.dumps(issuer.token(ORGANIZATION, role="admin", lifetime_seconds=600))
            await page.evaluate(f"document.querySelector('routiq-sync').getToken = async () => {token}")
            await _expect_live(page)
            await expect(_badge(page)).to_have_text("Idle")
            await expect(page.locator("[part=problem]")).to_have_count(0)
            await page.close()
