"""The Apollo and urql apps of ``docs/clients.md`` in Chromium, compiled from the text of that page."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, Request, WebSocket, expect

from routiq_gql.api.auth import issued_tokens, session
from routiq_gql.settings import Settings
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import Served, serving
from tests.browser.sites import site
from tests.client_apps import APPS, copied_app
from tests.issuing import issuing, jwt_settings
from tests.node_projects import INSTALL_SECONDS, run, tool
from tests.organization import ORGANIZATION
from tests.waiting import until

pytestmark = [IN_SESSION_LOOP, pytest.mark.timeout(INSTALL_SECONDS + 120)]

PROGRESS = re.compile(r"^\d+ %: \S")
SOME_PATIENTS = re.compile(r"^[1-9]\d* of [1-9]\d* patients are active\.$")
NO_PATIENTS = "0 of 0 patients are active."


@pytest.fixture(scope="module", params=APPS.values())
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, npm: object) -> Path:
    """An app's built page, after its compilation without errors."""
    folder = copied_app(request.param, tmp_path_factory.mktemp("app"))
    run(tool(folder, "tsc"), "--noEmit", folder=folder)
    run(tool(folder, "vite"), "build", "--logLevel", "warn", folder=folder)
    return folder / "dist"


@contextmanager
def _hosted(built: Path, folder: Path) -> Iterator[str]:
    """The origin of a copy of the page in ``folder``."""
    shutil.copytree(built, folder)
    with site(folder) as port:
        yield f"http://localhost:{port}"


def _point_at(served: Served, folder: Path) -> None:
    """Replace the documented address in the page by that of a server on a free port."""
    address = f"{served.url.replace('http', 'ws', 1)}/graphql"
    changed = [script for script in folder.rglob("*.js") if "ws://localhost:8000/graphql" in script.read_text()]
    assert changed
    for script in changed:
        script.write_text(script.read_text().replace("ws://localhost:8000/graphql", address))


class Asked:
    """The page's requests: the operations by name, the number of sockets, and the number of HTTP requests."""

    def __init__(self, page: Page) -> None:
        self.operations: list[str] = []
        self.sockets = self.requests = 0
        page.on("websocket", self._note_socket)
        page.on("request", self._note_request)

    def _note_socket(self, socket: WebSocket) -> None:
        self.sockets += 1
        socket.on("framesent", self._note_frame)

    def _note_frame(self, frame: str | bytes) -> None:
        message = json.loads(frame)
        if message["type"] == "subscribe":
            named = re.search(r"(?:query|mutation|subscription) (\w+)", message["payload"]["query"])
            self.operations.append(named.group(1))

    def _note_request(self, request: Request) -> None:
        self.requests += "/graphql" in request.url


async def test_a_subscription_changes_what_a_query_shows(
    serve: Serve, open_page: OpenPage, built: Path, tmp_path: Path
):
    """The numbers on the screen follow a sync to its end without another query, even after an outage of the server."""
    served = await serve()
    with _hosted(built, tmp_path / "page") as origin:
        _point_at(served, tmp_path / "page")
        page = await open_page(line_may_break=True)
        asked = Asked(page)
        await page.goto(origin)
        await expect(page.get_by_text(NO_PATIENTS)).to_be_visible()

        served.gate.hold("patients")
        await page.get_by_role("button", name="Start sync").click()
        await served.gate.reached()
        await expect(page.get_by_text(PROGRESS)).to_be_visible()
        served.gate.open()
        await expect(page.get_by_text(SOME_PATIENTS)).to_be_visible()
        await expect(page.get_by_text(PROGRESS)).to_have_count(0)
        assert (asked.sockets, asked.requests) == (1, 0)

        await served.server.stop()
        await served.server.start()
        served.gate.hold("patients")
        await served.server.start_sync()
        await served.gate.reached()
        await expect(page.get_by_text(PROGRESS)).to_be_visible()
        await expect(page.get_by_role("alert")).to_have_count(0)
        served.gate.open()
        await expect(page.get_by_text(PROGRESS)).to_have_count(0)
        assert asked.operations.count("Dashboard") == 1
        assert asked.operations.count("StartSync") == 1
        await page.close()


async def test_the_connection_outlives_its_token(
    open_page: OpenPage, built: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A connection that ended with its token reconnects with a fresh token; pings renew it; a sync can start."""
    for module in (session, issued_tokens):
        monkeypatch.setattr(module, "LEEWAY", timedelta(0))
    with _hosted(built, tmp_path / "page") as origin:
        async with issuing() as issuing_server:
            issuer = issuing_server.issuer
            issuer.lifetime_seconds = 4
            guarded = jwt_settings(settings, issuer, auth_grace_seconds=1)
            routes = issuer.routes("/issuer")
            async with serving(guarded, allowed_origins=(origin,), extra_routes=routes) as served:
                _point_at(served, tmp_path / "page")
                page = await open_page(line_may_break=True)
                await page.clock.install()
                await page.goto(f"{origin}/?tokens={served.url}/issuer/token?organization={ORGANIZATION}")
                await expect(page.get_by_text(NO_PATIENTS)).to_be_visible()
                first = _tokens(served)
                issuer.lifetime_seconds = 600
                await until(lambda: _tokens(served) > first)
                await page.clock.run_for(10_000)
                await until(lambda: bool({one["Authorization"] for one in served.proxy.renewals} - _tokens(served)))
                served.gate.hold("patients")
                await page.get_by_role("button", name="Start sync").click()
                await served.gate.reached()
                served.gate.open()
                await expect(page.get_by_text(SOME_PATIENTS)).to_be_visible()
                await page.close()


def _tokens(served: Served) -> set[str]:
    """The tokens of opened sockets."""
    return {socket["frame"]["payload"]["Authorization"] for socket in served.proxy.sockets if "frame" in socket}
