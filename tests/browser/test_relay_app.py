"""The Relay app of ``examples/relay-react`` in Chromium, on a server that executes nothing but trusted documents."""

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, WebSocket, expect

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.syncs import NewLine, end_sync, insert_sync
from routiq_gql.emulator import Fault, FaultKind
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import LogLevel, SyncMode, SyncState, SyncStep
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import Served, serving
from tests.browser.sites import site
from tests.client_apps import RELAY, build_page, copied_app
from tests.node_projects import INSTALL_SECONDS, ROOT
from tests.organization import ORGANIZATION

pytestmark = [IN_SESSION_LOOP, pytest.mark.timeout(INSTALL_SECONDS + 120)]

OLD_SYNCS = 7
OLD_LINES = 25
KEEP_SOCKETS = """
const opened = [];
window.WebSocket = class extends WebSocket { constructor(...given) { super(...given); opened.push(this); } };
window.cut = () => opened.at(-1).close(4000);
"""
"""Makes ``cut()`` close the newest connection, as a proxy between the page and the server might."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, npm: object) -> Path:
    """The app's folder."""
    return copied_app(RELAY, tmp_path_factory.mktemp("app"))


class Frames:
    """The operations that the page has sent, and the numbers of the log lines that each subscription has received."""

    def __init__(self, page: Page) -> None:
        self.sent: list[dict[str, object]] = []
        self.lines: dict[str, list[int]] = {}
        self.sockets = 0
        page.on("websocket", self._note_socket)

    def _note_socket(self, socket: WebSocket) -> None:
        self.sockets += 1
        socket.on("framesent", self._note_sent)
        socket.on("framereceived", self._note_received)

    def _note_sent(self, frame: str | bytes) -> None:
        message = json.loads(frame)
        if message["type"] == "subscribe":
            self.sent.append(message["payload"])

    def _note_received(self, frame: str | bytes) -> None:
        message = json.loads(frame)
        if message["type"] == "next" and "syncLog" in message["payload"]["data"]:
            self.lines.setdefault(message["id"], []).append(message["payload"]["data"]["syncLog"]["seq"])


async def _store_syncs(database: Database, count: int) -> None:
    """Syncs that have failed, each with a log."""
    async with database.writing() as connection:
        for _ in range(count):
            row = await insert_sync(connection, ORGANIZATION, first_values(SyncMode.FULL, utc_now()))
            assert row is not None
            log = [NewLine(LogLevel.INFO.value, SyncStep.STORING.value, f"Line {seq}") for seq in range(OLD_LINES)]
            await end_sync(connection, row.key, {"status": SyncState.FAILED.value}, log)


async def _count_of(served: Served, name: str) -> int:
    answer = await served.server.http.get(f"/api/v1/patients/{ORGANIZATION}?list={name}&first=1")
    return int(answer.json()["total_count"])


async def test_an_app_of_relay_shows_syncs_and_patients(
    open_page: OpenPage, app: Path, settings: Settings, tmp_path: Path
):
    """People page through syncs and the log, start and cancel a sync, follow it through a cut, and search patients.

    A start that can't succeed says so at once, and a sync that another client starts is listed once.
    """
    manifest = ROOT / "examples" / RELAY / "persisted.json"
    trusting = settings.model_copy(update={"documents": (str(manifest),), "documents_only": True})
    async with serving(trusting) as served:
        await _store_syncs(served.server.runtime.database, OLD_SYNCS)
        await build_page(app, tmp_path / "page", server=served.url)
        with site(tmp_path / "page") as port:
            page = await open_page(line_may_break=True)
            await page.add_init_script(KEEP_SOCKETS)
            frames = Frames(page)
            await page.goto(f"http://localhost:{port}")
            syncs = page.get_by_label("Syncs").get_by_role("listitem")
            lines = page.get_by_label("Log").get_by_role("listitem")
            patients = page.get_by_label("Patients")

            await expect(syncs).to_have_count(5)
            await page.get_by_role("button", name="Earlier syncs").click()
            await expect(syncs).to_have_count(OLD_SYNCS)
            await expect(page.get_by_role("button", name="Earlier syncs")).to_have_count(0)
            await expect(lines).to_have_count(10)
            await page.get_by_role("button", name="Earlier lines").click()
            await expect(lines).to_have_count(OLD_LINES)
            await expect(patients).to_have_count(0)

            served.gate.hold("patients")
            await page.get_by_role("button", name="Start sync").click()
            await served.gate.reached()
            await expect(syncs.first).to_contain_text("FETCHING_PATIENTS")
            await expect(page.get_by_text(re.compile(r"^\d+ %: \S"))).to_be_visible()
            await expect(syncs).to_have_count(OLD_SYNCS + 1)
            await expect(lines.last).to_have_text("Fetching patients…")
            served.gate.open()
            served.gate.hold("individual_appointments")
            await served.gate.reached()
            await expect(lines.last).to_have_text("Fetching appointments…")
            await page.evaluate("cut()")
            served.gate.open()
            await expect(syncs.first).to_contain_text("COMPLETED, 100 %")
            await expect(lines.last).to_have_text("Sync completed successfully!")
            numbers = await lines.evaluate_all("items => items.map((item) => item.value)")
            assert numbers == list(range(1, len(numbers) + 1))
            assert numbers[-1] in [received[-1] for received in frames.lines.values()]
            for received in frames.lines.values():
                assert received == sorted(set(received)), "each line comes once, also through a cut"
            assert frames.sockets == 2

            served.proxy.refuse_sockets = True
            await page.evaluate("cut()")
            await _store_syncs(served.server.runtime.database, 2)
            served.proxy.refuse_sockets = False
            await expect(syncs).to_have_count(OLD_SYNCS + 3)

            await expect(patients).to_contain_text(f"{await _count_of(served, 'active')} found.")
            await patients.get_by_label("List").select_option("All patients")
            await expect(patients).to_contain_text(f"{await _count_of(served, 'all')} found.")
            await patients.get_by_label("Search").fill("nobody of this name")
            await patients.get_by_role("button", name="Search").click()
            await expect(patients).to_contain_text("0 found.")

            await served.server.until_ended(await served.server.start_sync())
            await expect(syncs).to_have_count(OLD_SYNCS + 4)
            await patients.get_by_role("button", name="Show the newest").click()
            await expect(patients.get_by_role("button", name="Show the newest")).to_have_count(0)

            served.gate.hold("patients")
            await page.get_by_role("button", name="Start sync").click()
            await served.gate.reached()
            await page.get_by_role("button", name="Cancel").click()
            await expect(syncs.first).to_contain_text("CANCELLED")
            await expect(syncs).to_have_count(OLD_SYNCS + 5)

            await expect(page.get_by_role("alert")).to_have_count(0)
            served.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
            await served.server.runtime.connections.test(LOCAL_OPERATOR, ORGANIZATION)
            await page.get_by_role("button", name="Start sync").click()
            await expect(page.get_by_role("alert")).to_contain_text("Cliniko refused the API key.")
            await expect(syncs.first).to_contain_text("FAILED")
            await expect(syncs).to_have_count(OLD_SYNCS + 6)

            assert {operation["query"] for operation in frames.sent} == {""}
            assert {operation["documentId"] for operation in frames.sent} == set(json.loads(manifest.read_text()))
            await page.close()


async def test_an_app_of_relay_names_the_missing_setting(served: Served, browser: Browser, app: Path, tmp_path: Path):
    """On a server without the app's documents the page says which setting is missing."""
    await build_page(app, tmp_path / "page", server=served.url)
    with site(tmp_path / "page") as port:
        page = await browser.new_page()  # React writes the error to the console, too
        await page.goto(f"http://localhost:{port}")
        await expect(page.get_by_role("alert")).to_contain_text("persisted.json to its ROUTIQ_DOCUMENTS")
        await page.context.close()
