"""The Apollo and urql apps of ``docs/clients.md`` in Chromium, compiled from the text of that page."""

import json
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, Request, WebSocket, WebSocketRoute, expect
from sqlalchemy import update

from routiq_gql.api.auth import issued_tokens, session
from routiq_gql.clock import utc_now
from routiq_gql.database.syncs import insert_sync
from routiq_gql.database.tables import SYNC
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode, SyncState
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import Served, serving
from tests.browser.sites import site
from tests.client_apps import APPS, build_page, copied_app
from tests.issuing import issuing, jwt_settings
from tests.node_projects import INSTALL_SECONDS
from tests.organization import ORGANIZATION
from tests.server import Server
from tests.syncs import run_sync
from tests.waiting import until

pytestmark = [IN_SESSION_LOOP, pytest.mark.timeout(INSTALL_SECONDS + 120)]

PROGRESS = re.compile(r"^\d+ %: \S")
SOME_PATIENTS = re.compile(r"^[1-9]\d* of [1-9]\d* patients are active\.$")
LOST = "The server can’t be reached. Trying again…"
NO_PATIENTS = "0 of 0 patients are active."


@pytest.fixture(scope="module", params=APPS.values())
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, npm: object) -> Path:
    """The folder of an app."""
    return copied_app(request.param, tmp_path_factory.mktemp("app"))


class Asked:
    """The page's requests.

    Attributes:
        operations: The names of the operations, in order.
        log_after: After which line each subscription to a log has begun.
        sockets: The number of websockets.
        requests: The number of HTTP requests to the API.
    """

    def __init__(self, page: Page) -> None:
        self.operations: list[str] = []
        self.log_after: list[int] = []
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
            if named.group(1) == "SyncLog":
                self.log_after.append(message["payload"]["variables"]["after"])

    def _note_request(self, request: Request) -> None:
        self.requests += "/graphql" in request.url


async def test_a_sync_is_live_on_the_whole_page(serve: Serve, open_page: OpenPage, app: Path, tmp_path: Path):
    """Numbers, log and history follow a sync to its end, each line once, also over a restart of the server.

    While the server is away the page says so, and takes no click that would count later.
    """
    served = await serve()
    await _store_past_syncs(served.server, 22)
    await build_page(app, tmp_path / "page", server=served.url)
    with site(tmp_path / "page") as port:
        page = await open_page(line_may_break=True)
        asked = Asked(page)
        await page.goto(f"http://localhost:{port}")
        await expect(page.get_by_text(NO_PATIENTS)).to_be_visible()
        history, log = (page.get_by_role("region", name=name).get_by_role("listitem") for name in ("History", "Log"))
        await expect(history).to_have_count(10)
        await page.get_by_role("button", name="More").click()
        await expect(history).to_have_count(20)

        served.gate.hold("patients")
        await page.get_by_role("button", name="Start sync").click()
        await served.gate.reached()
        await expect(page.get_by_text(PROGRESS)).to_be_visible()
        await expect(history).to_have_count(21)
        await expect(history.first).to_contain_text("FETCHING_PATIENTS")
        await expect(log.filter(has_text="Fetching patients")).to_have_count(1)
        seen = await log.all_inner_texts()
        assert (asked.sockets, asked.requests) == (1, 0)

        await served.server.stop()
        served.gate.open()
        served.gate.hold("individual_appointments")
        await expect(page.get_by_text(LOST)).to_be_visible()
        for button in await page.get_by_role("button", name=re.compile("Start sync|Cancel")).all():
            await expect(button).to_be_disabled()
        await served.server.start()
        await served.gate.reached()
        await expect(history.first).to_contain_text("FETCHING_APPOINTMENTS")
        await expect(log.filter(has_text="Continuing after an interruption")).to_have_count(1)
        await expect(page.get_by_text(LOST)).to_have_count(0)
        assert asked.log_after[-2:] == [0, len(seen)]
        served.gate.open()
        await expect(page.get_by_text(SOME_PATIENTS)).to_be_visible()
        await expect(page.get_by_text(PROGRESS)).to_have_count(0)
        await expect(history.first).to_contain_text("COMPLETED")
        await _expect_lines(log, (await served.sync())["log"])
        assert await page.get_by_role("alert").all_inner_texts() == []
        counts = Counter(asked.operations)
        assert (counts["Dashboard"], counts["StartSync"], counts["History"]) == (1, 1, len(["first", "more", "begun"]))

        served.proxy.refuse_sockets = True
        await served.server.stop()
        await served.server.start()
        for _ in range(2):
            await run_sync(served.server.runtime)
        served.proxy.refuse_sockets = False
        await expect(history).to_have_count(23)
        await page.get_by_role("button", name="More").click()
        await expect(history).to_have_count(25)
        await expect(page.get_by_role("button", name="More")).to_have_count(0)
        shown = await history.all_inner_texts()
        assert [text.rpartition(" ")[2] for text in shown] == ["COMPLETED"] * 3 + ["FAILED"] * 22
        assert len(set(shown[3:])) == 22  # which began a minute apart
        await _expect_lines(log, (await served.sync())["log"])
        await page.close()


async def test_a_refusal_says_what_to_do(serve: Serve, open_page: OpenPage, app: Path, tmp_path: Path):
    """A start after the clinic was disconnected, and a cancellation that comes too late, are explained."""
    served = await serve()
    await build_page(app, tmp_path / "page", server=served.url)
    with site(tmp_path / "page") as port:
        page = await open_page(line_may_break=True)
        line = _Line()
        await page.route_web_socket(re.compile("/graphql$"), line.connect)
        await page.goto(f"http://localhost:{port}")
        await expect(page.get_by_text(NO_PATIENTS)).to_be_visible()
        line.has_events = False
        await served.server.runtime.connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)
        await page.get_by_role("button", name="Start sync").click()
        await expect(page.get_by_role("alert")).to_have_text(re.compile(r"is switched off\. Connect it again"))

        line.has_events = True
        await served.server.connect_organization(served.cliniko_url, EMULATED_API_KEY)
        served.gate.hold("patients")
        await page.get_by_role("button", name="Start sync").click()
        await served.gate.reached()
        await expect(page.get_by_role("alert")).to_have_count(0)
        await expect(page.get_by_text(PROGRESS)).to_be_visible()
        line.has_events = False
        cancelled = "mutation ($id: ID!) { cancelSync(syncId: $id) { status } }"
        await served.server.ask(cancelled, id=(await served.sync())["syncId"])
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.get_by_role("alert")).to_have_text(re.compile("before this request.*Nothing has to be done"))
        await page.close()


class _Line:
    """The page's websocket, on which a test can hold back the events of subscriptions."""

    def __init__(self) -> None:
        self.has_events = True
        self._subscriptions: set[str] = set()

    def connect(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def to_server(frame: str | bytes) -> None:
            message = json.loads(frame)
            if message["type"] == "subscribe" and "subscription " in message["payload"]["query"]:
                self._subscriptions.add(message["id"])
            server.send(frame)

        def to_page(frame: str | bytes) -> None:
            if self.has_events or json.loads(frame).get("id") not in self._subscriptions:
                socket.send(frame)

        socket.on_message(to_server)
        server.on_message(to_page)


async def _store_past_syncs(server: Server, count: int) -> None:
    """Failed syncs, a minute apart."""
    async with server.runtime.database.writing() as connection:
        for minute in range(count):
            began = utc_now() - timedelta(days=1, minutes=-minute)
            row = await insert_sync(connection, ORGANIZATION, first_values(SyncMode.FULL, began))
            assert row is not None
            ended = {"status": SyncState.FAILED.value, "completed_at": began + timedelta(seconds=1)}
            await connection.execute(update(SYNC).where(SYNC.c.key == row.key).values(**ended))


async def _expect_lines(log: Locator, stored: list[dict[str, Any]]) -> None:
    """Return once the page has all lines; each must be there once and in order."""
    await expect(log).to_have_count(len(stored))
    shown = await log.evaluate_all("items => items.map((item) => item.value)")
    assert shown == [line["seq"] for line in stored] == list(range(1, len(stored) + 1))


async def test_the_connection_outlives_its_token(
    open_page: OpenPage, app: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A connection that ended with its token reconnects with a fresh token; pings renew it; a sync can start."""
    for module in (session, issued_tokens):
        monkeypatch.setattr(module, "LEEWAY", timedelta(0))
    with site(tmp_path / "page") as port:
        origin = f"http://localhost:{port}"
        async with issuing() as issuing_server:
            issuer = issuing_server.issuer
            issuer.lifetime_seconds = 4
            guarded = jwt_settings(settings, issuer, auth_grace_seconds=1)
            routes = issuer.routes("/issuer")
            async with serving(guarded, allowed_origins=(origin,), extra_routes=routes) as served:
                await build_page(app, tmp_path / "page", server=served.url)
                page = await open_page(line_may_break=True)
                await page.clock.install()
                asked = Asked(page)
                await page.goto(f"{origin}/?tokens={served.url}/issuer/token?organization={ORGANIZATION}")
                await expect(page.get_by_text(NO_PATIENTS)).to_be_visible()
                first = _tokens(served)
                issuer.lifetime_seconds = 600
                await until(lambda: _tokens(served) > first and asked.operations.count("DashboardUpdated") > 1)
                await page.clock.run_for(10_000)
                await until(lambda: bool({one["Authorization"] for one in served.proxy.renewals} - first))
                served.gate.hold("patients")
                await page.get_by_role("button", name="Start sync").click()
                await served.gate.reached()
                served.gate.open()
                await expect(page.get_by_text(SOME_PATIENTS)).to_be_visible()
                await page.close()


def _tokens(served: Served) -> set[str]:
    """The tokens of opened sockets."""
    return {socket["frame"]["payload"]["Authorization"] for socket in served.proxy.sockets if "frame" in socket}
