"""The package of the React component, installed in apps of Vite and of Next.js and built by them, in Chromium."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from filelock import FileLock
from playwright.async_api import Page, expect

from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import Served
from tests.browser.sites import site
from tests.node_projects import INSTALL_SECONDS, NEXT_APP, VITE_APP, prepared_app, program, run
from tests.organization import ORGANIZATION
from tests.ports import free_port

pytestmark = [IN_SESSION_LOOP, pytest.mark.timeout(2 * INSTALL_SECONDS)]


def _built(app: Path, shared: Path) -> Path:
    """The app with the package, built as its own `npm run build` does, once for each run of the tests."""
    folder = prepared_app(app, shared)
    with FileLock(f"{folder}-built.lock"):
        if not (folder / "built").exists():
            run("npm", "run", "build", folder=folder, seconds=INSTALL_SECONDS, NEXT_TELEMETRY_DISABLED="1")
            (folder / "built").touch()
    return folder


@contextmanager
def _vite(folder: Path) -> Iterator[str]:
    with site(folder / "dist") as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _next(folder: Path) -> Iterator[str]:
    """The app's own server, which renders each page."""
    port = free_port()
    start = [program("node", "to serve the app"), "node_modules/next/dist/bin/next", "start"]
    command = [*start, "--hostname", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            printed = ""
            while "Ready in" not in printed:
                line = server.stdout.readline()
                assert line, f"it ended: {printed}"
                printed += line
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.stdout.read()


APPS = {"vite": (VITE_APP, _vite), "next": (NEXT_APP, _next)}


@pytest.fixture(scope="module", params=APPS)
def origin(request: pytest.FixtureRequest, shared_folder: Path, npm: object) -> Iterator[str]:
    """Where the app is served."""
    app, served_by = APPS[request.param]
    with served_by(_built(app, shared_folder)) as origin:
        yield origin


def _address(origin: str, served: Served) -> str:
    return f"{origin}/?{urlencode({'organization': ORGANIZATION, 'api': f'{served.url}/api/v1'})}"


async def _shown_log(page: Page) -> list[int]:
    """The numbers of the log lines on the page, oldest first."""
    lines = page.locator("[role=log] li[data-seq]")
    return list(reversed(await lines.evaluate_all("lines => lines.map((line) => Number(line.dataset.seq))")))


async def test_an_app_follows_a_sync_through_a_restart_of_the_server(served: Served, open_page: OpenPage, origin: str):
    """A sync that runs while the server restarts is shown to its end, with each line of its log once."""
    page = await open_page(_address(origin, served), line_may_break=True)
    await expect(page.locator(".routiq-connection")).to_have_text("Live · websocket")
    served.gate.hold("patients")
    await page.get_by_role("button", name="Start sync").click()
    await served.gate.reached()
    await expect(page.locator(".routiq-head .routiq-badge")).to_have_text("Fetching patients")

    await served.server.stop()
    await expect(page.locator("[data-problem=lost]")).to_be_visible()
    await expect(page.locator(".routiq-head .routiq-badge")).to_have_text("Fetching patients")
    served.gate.open()
    await served.server.start()
    await expect(page.locator(".routiq-head .routiq-badge")).to_have_text("Completed")
    await expect(page.locator(".routiq-connection")).to_have_text("Live · websocket")
    await expect(page.locator(".routiq [role=alert]")).to_have_count(0)
    sync = await served.sync()
    lines = [line["seq"] for line in sync["log"]]
    await expect(page.locator("[role=log] li[data-seq]")).to_have_count(len(lines))
    assert await _shown_log(page) == lines
    await expect(page.locator("#completed")).to_have_text(sync["syncId"])  # the callback, once


@pytest.mark.parametrize("origin", ["next"], indirect=True)
async def test_a_server_renders_the_component(served: Served, open_page: OpenPage, origin: str):
    """The page of Next.js holds the component and its styles before any script runs, and then comes to life."""
    address = _address(origin, served)
    page = await open_page(address, java_script_enabled=False)
    await expect(page.locator(".routiq-connection")).to_have_text("Connecting…")
    await expect(page.locator(".routiq")).to_have_css("display", "block")
    await expect(page.locator(".routiq")).to_have_css("border-top-width", "1px")
    async with httpx.AsyncClient() as client:
        assert 'style="' not in (await client.get(address)).text  # a strict policy forbids styles in attributes
    page = await open_page(address)
    await expect(page.locator(".routiq-connection")).to_have_text("Live · websocket")
    await expect(page.locator(".routiq-head .routiq-badge")).to_have_text("Idle")
