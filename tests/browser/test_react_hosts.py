"""The React component in other people's apps, with their server rendering, styles and policies."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, Route, expect

from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import Served
from tests.browser.sites import site
from tests.node_projects import INSTALL_SECONDS, app_with_package, run, tool
from tests.organization import ORGANIZATION

pytestmark = [IN_SESSION_LOOP, pytest.mark.timeout(INSTALL_SECONDS + 120)]

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src http://127.0.0.1:* ws://127.0.0.1:*"
)
"""A Content-Security-Policy without inline scripts and styles."""

HOSTILE = Path(__file__).with_name("hostile.css")
STYLES = """() => Object.fromEntries([...document.querySelectorAll('.routiq, .routiq *')].flatMap((element) =>
  [undefined, '::before'].map((pseudo) => {
    const style = getComputedStyle(element, pseudo);
    const name = `${element.tagName.toLowerCase()}.${element.className}${pseudo ?? ''}`;
    return [name, Object.fromEntries([...style].map((property) => [property, style.getPropertyValue(property)]))];
  })))"""
"""The computed styles of each kind of element in the component."""


@dataclass(frozen=True)
class App:
    """The app, built with React 19 and 18."""

    folder: Path
    port: int

    def address(self, server: str, *, react: int = 19, host: str = "127.0.0.1", parts: str = "log") -> str:
        parameters = urlencode({"organization": ORGANIZATION, "api": f"{server}/api/v1", "parts": parts})
        return f"http://{host}:{self.port}/{react}/?{parameters}"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, shared_folder: Path, npm: object) -> Iterator[App]:
    """The app in development mode, with React's warnings, and with a page rendered on a server."""
    folder = app_with_package(tmp_path_factory.mktemp("host") / "app", shared_folder)
    vite = tool(folder, "vite")
    for react in (19, 18):
        variables = {"NODE_ENV": "development", "REACT": str(react)}
        options = ("--mode", "development", "--logLevel", "warn", "--base", "./")
        server = ("--ssr", "src/server.tsx", "--outDir", f"server/{react}")
        run(vite, "build", *options, *server, folder=folder, **variables)
        run(vite, "build", *options, "--outDir", f"dist/{react}", folder=folder, **variables)
        rendered = run("node", f"server/{react}/server.js", folder=folder).strip()
        assert "Connecting…" in rendered
        page = folder / "dist" / str(react) / "index.html"
        page.write_text(page.read_text().replace('<div id="root"></div>', f'<div id="root">{rendered}</div>'))
    with site(folder / "dist") as port:
        yield App(folder, port)


def _problem(page: Page) -> Locator:
    return page.locator("[data-problem]")


async def _completed(page: Page) -> None:
    await page.get_by_role("button", name="Start sync").click()
    await expect(page.locator(".routiq-head .routiq-badge")).to_have_text("Completed")


@pytest.mark.parametrize("react", [19, 18])
async def test_a_page_rendered_on_a_server_comes_to_life(app: App, served: Served, open_page: OpenPage, react: int):
    """The browser hydrates a server-rendered page without a warning of React, and a sync can be started."""
    page = await open_page(app.address(served.url, react=react))
    await expect(page.locator(".routiq-connection")).to_have_text("Live · websocket")
    await _completed(page)


async def test_a_button_keeps_the_focus_when_it_is_pressed(app: App, served: Served, open_page: OpenPage):
    """A keyboard user who starts and cancels a sync stays on the button, not at the top of the page."""
    page = await open_page(app.address(served.url))
    served.gate.hold("patients")
    for name, status in (("Start sync", "Fetching patients"), ("Cancel", "Cancelled"), ("Clear log", "Cancelled")):
        button = page.get_by_role("button", name=name)
        await expect(button).to_be_enabled()
        await button.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(".routiq-head .routiq-badge")).to_have_text(status)
        await expect(button).to_be_disabled()
        await expect(button).to_be_focused()
        if name == "Start sync":
            await served.gate.reached()


async def test_styles_of_the_page_stay_outside(app: App, served: Served, open_page: OpenPage):
    """Each part looks the same in an app with styles for everything and in an app without styles."""
    page = await open_page(app.address(served.url), viewport={"width": 1100, "height": 900}, reduced_motion="reduce")
    await _completed(page)
    await page.evaluate("document.activeElement.blur()")
    await page.mouse.move(1090, 890)  # Beside the component: the next layout may move a button from under the pointer.
    await page.evaluate("""() => {
      document.querySelectorAll('style, link[rel=stylesheet]').forEach((sheet) => {
        if (![...sheet.sheet.cssRules].some((rule) => rule.cssText.includes('routiq'))) sheet.remove();
      });
      document.querySelector('#root').setAttribute('style', 'all: unset; display: block; width: 1000px');
    }""")
    before = await page.evaluate(STYLES)
    await page.add_style_tag(content=HOSTILE.read_text())
    await page.evaluate("document.body.className = 'app'")
    after = await page.evaluate(STYLES)
    assert len(before) > 30
    assert after.keys() == before.keys()
    different = {
        f"{name} {one}": (value, after[name][one])
        for name, styles in before.items()
        for one, value in styles.items()
        if value != after[name][one]
    }
    assert different == {}


async def test_light_and_dark_are_those_of_the_app(app: App, served: Served, open_page: OpenPage):
    """A light app has a light card even on a dark machine, and every text is readable in both."""
    page = await open_page(app.address(served.url), reduced_motion="reduce")
    await _completed(page)
    card = page.locator(".routiq")
    for machine in ("light", "dark"):
        await page.emulate_media(color_scheme=machine)
        for scheme in ("normal", "light", "dark", "light dark"):
            await page.evaluate("scheme => (document.documentElement.style.colorScheme = scheme)", scheme)
            is_dark = scheme == "dark" or (scheme == "light dark" and machine == "dark")
            colour = "rgb(27, 33, 40)" if is_dark else "rgb(255, 255, 255)"
            await expect(card, f"{scheme} on {machine}").to_have_css("background-color", colour)
        found = (await Axe().run(page, context=".routiq")).response["violations"]
        assert [one["id"] for one in found if one["impact"] in {"serious", "critical"}] == []


async def test_colours_can_be_set_from_outside(app: App, served: Served, open_page: OpenPage):
    """An app can set the colours of the main button and of its text."""
    page = await open_page(app.address(served.url))
    await page.add_style_tag(content="body { --routiq-blue: rgb(255, 220, 0); --routiq-on-blue: rgb(1, 2, 3) }")
    button = page.get_by_role("button", name="Start sync")
    await expect(button).to_have_css("background-color", "rgb(255, 220, 0)")
    await expect(button).to_have_css("color", "rgb(1, 2, 3)")


async def test_an_unknown_host_name_is_named(app: App, served: Served, open_page: OpenPage):
    """For an unknown host name the page names the setting for host names, not the setting for origins."""
    url = served.url.replace("127.0.0.1", "routiq.example.test")
    page = await open_page(app.address(url), line_may_break=True)
    await expect(_problem(page)).to_contain_text("Add routiq.example.test to ROUTIQ_ALLOWED_HOSTS")


async def test_an_origin_is_refused_on_a_server_for_others(app: App, served: Served, open_page: OpenPage):
    """The page names the origin to add."""
    page = await open_page(app.address(served.url, host="app.example.test"), line_may_break=True)
    origin = f"http://app.example.test:{app.port}"
    await expect(_problem(page)).to_contain_text(
        f"Add {origin} to ROUTIQ_ALLOWED_ORIGINS on the server and restart it."
    )


async def test_a_policy_of_the_page_is_named(app: App, served: Served, open_page: OpenPage):
    """If the page's Content-Security-Policy blocks the connection, the message says so; the server is not blamed."""
    page = await open_page(line_may_break=True)
    policy = '<meta http-equiv="Content-Security-Policy" content="connect-src \'self\'">'

    async def with_policy(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=(await answer.text()).replace("<head>", f"<head>{policy}"))

    await page.route(re.compile(r"/19/\?"), with_policy)
    await page.goto(app.address(served.url))
    socket = served.url.replace("http", "ws", 1)
    await expect(_problem(page)).to_contain_text(f"Add {served.url} {socket} to its connect-src.")


async def test_a_strict_policy_forbids_nothing_that_it_needs(app: App, served: Served, open_page: OpenPage):
    """On a page that allows only its own scripts and styles, everything is shown, and the browser reports nothing."""
    index = app.folder / "dist" / "19" / "index.html"
    policy = f'<meta http-equiv="Content-Security-Policy" content="{STRICT}">'
    index.with_name("strict.html").write_text(index.read_text().replace("<head>", f"<head>{policy}"))
    address = app.address(served.url, parts="connection log history")
    page = await open_page(address.replace("/19/", "/19/strict.html"))
    await _completed(page)
    await expect(page.locator(".routiq-past li")).to_have_count(1)
    await expect(page.locator(".routiq-bar > div")).to_have_attribute("style", "width: 100%;")
    await expect(page.locator(".routiq")).to_have_css("border-top-width", "1px")


async def test_axe_finds_nothing_in_any_part(app: App, served: Served, open_page: OpenPage):
    """With every optional part axe finds nothing, wide and on a phone, where each control suits a finger."""
    page = await open_page(app.address(served.url, parts="connection log history"), reduced_motion="reduce")
    await _completed(page)
    await expect(page.locator(".routiq-past li")).to_have_count(1)
    for width in (1280, 390):
        await page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            found = (await Axe().run(page, context=".routiq")).response["violations"]
            assert [one["id"] for one in found if one["impact"] in {"serious", "critical", "moderate"}] == []
        for part in (page.locator("html"), page.locator(".routiq"), page.locator(".routiq-controls")):
            assert await part.evaluate("part => part.scrollWidth <= part.clientWidth")
    controls = page.locator(".routiq :is(button, select, summary, a)").filter(visible=True)
    heights = await controls.evaluate_all("controls => controls.map((one) => one.getBoundingClientRect().height)")
    assert min(heights) >= 44


async def test_a_page_by_https_names_the_server_by_http(app: App, open_page: OpenPage):
    """Browsers forbid http from an https page; the page says so instead of retrying forever."""
    page = await open_page()

    async def from_build(route: Route) -> None:
        path = route.request.url.partition("?")[0].removeprefix("https://app.example.test/")
        await route.fulfill(path=app.folder / "dist" / "19" / (path or "index.html"))

    await page.route("https://app.example.test/**", from_build)
    await page.goto(f"https://app.example.test/?{urlencode({'api': 'http://routiq.example.test:8000/api/v1'})}")
    expected = "the browser lets it use no server by http, such as http://routiq.example.test:8000."
    await expect(page.get_by_role("alert")).to_contain_text(expected)
