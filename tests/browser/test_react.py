"""The built React page in Chromium, served from a separate origin, with a running server.

``app.localhost`` is this machine to every browser, but no loopback name to the server, so its origin must be
configured, as for a page on a real host.
"""

import asyncio
import json
import re
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from filelock import FileLock
from playwright.async_api import Locator, Page, WebSocket, expect

from routiq_gql.api.auth import issued_tokens, session
from routiq_gql.cli.demo import DEMO_ORGANIZATION
from routiq_gql.clock import utc_now
from routiq_gql.emulator import Fault, FaultKind, demo_clinic
from routiq_gql.settings import Settings
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import serving
from tests.browser.sites import site
from tests.cli.programs import Program
from tests.issuing import issuing, jwt_settings, use_token
from tests.node_projects import INSTALL_SECONDS, REACT, run, tool
from tests.organization import ORGANIZATION
from tests.ports import free_port
from tests.waiting import until

pytestmark = [IN_SESSION_LOOP, pytest.mark.timeout(INSTALL_SECONDS + 120)]


@pytest.fixture(scope="module")
def app_origin(shared_folder: Path, npm: Callable[[Path], Path]) -> Iterator[str]:
    """The origin of the built page, shared by all workers of a test run."""
    built = shared_folder / "react-page"
    with FileLock(shared_folder / "react-page.lock"):
        if not built.exists():
            folder = npm(REACT)
            made = shared_folder / "react-page-unfinished"
            run(tool(folder, "vite"), "build", "--outDir", str(made), "--logLevel", "warn", folder=folder)
            made.rename(built)
    with site(built) as port:
        yield f"http://app.localhost:{port}"


def _demo(folder: Path, origin: str, *, seconds: int, port: int = 0) -> Program:
    arguments = ("demo", "--still", "--port", str(port), "--seconds", str(seconds))
    return Program(*arguments, folder=folder, settings={"ROUTIQ_ALLOWED_ORIGINS": origin})


async def _address(origin: str, demo: Program) -> str:
    return f"{origin}/?organization={DEMO_ORGANIZATION}&api={await asyncio.to_thread(demo.url)}/api/v1"


def _badge(page: Page) -> Locator:
    return page.locator(".routiq-badge")


def _connection(page: Page) -> Locator:
    return page.locator(".routiq-connection")


def _problem(page: Page) -> Locator:
    return page.locator("[data-problem]")


async def _until_percentage(page: Page, at_least: int) -> None:
    await page.wait_for_function(
        "least => document.querySelector('[role=progressbar]').ariaValueNow >= least", arg=at_least
    )


async def _log_numbers(page: Page) -> list[int]:
    """The numbers of the log lines on the page, oldest first."""
    lines = await page.locator("[role=log] li[data-seq]").all()
    return [int(await line.get_attribute("data-seq") or 0) for line in reversed(lines)]


async def _expect_completed(page: Page) -> None:
    await expect(_badge(page)).to_have_text("Completed")
    await expect(page.locator(".routiq-steps li[data-stage=done]")).to_have_count(8)
    await expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
    await expect(page.get_by_role("definition")).to_have_text(["641", "1,247", "89", "89"])
    await expect(page.get_by_text("89 of 641 patients")).to_be_visible()
    await expect(page.locator("[role=log] li").first).to_contain_text("Sync completed successfully!")
    numbers = await _log_numbers(page)
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_start_is_seen_on_every_page_to_its_end(app_origin: str, open_page: OpenPage, tmp_path: Path):
    """One person starts a sync, and both pages show all eight steps done."""
    with _demo(tmp_path, app_origin, seconds=0) as demo:
        address = await _address(app_origin, demo)
        await asyncio.to_thread(demo.wait_for, "Ctrl-C ends it")
        pages = [await open_page(address, line_may_break=True) for _ in range(2)]  # the demo ends first
        for page in pages:
            await _expect_completed(page)  # the demo's first sync
            await expect(_connection(page)).to_have_text("Live · websocket")
        first_line = "document.querySelector('[role=log] li[data-seq=\"1\"] time')?.dateTime"
        before = await pages[0].evaluate(first_line)

        await pages[0].get_by_role("button", name="Start sync").click()
        for page in pages:
            await page.wait_for_function(f"before => {first_line} && {first_line} !== before", arg=before)
            await _expect_completed(page)


async def test_axe_finds_no_problem_in_the_component(app_origin: str, open_page: OpenPage, tmp_path: Path):
    """axe-core finds no serious problem, in light and dark, wide and narrow; nothing is wider than a phone."""
    with _demo(tmp_path, app_origin, seconds=600) as demo:
        address = await _address(app_origin, demo)
        for scheme, width in (("light", 1000), ("dark", 360)):
            viewport = {"width": width, "height": 800}
            page = await open_page(address, line_may_break=True, color_scheme=scheme, viewport=viewport)
            await expect(page.locator("[role=log] li").first).to_be_visible()
            violations = (await Axe().run(page)).response["violations"]
            assert [one["id"] for one in violations if one["impact"] in {"serious", "critical"}] == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_axe_finds_no_problem_after_an_end_and_during_a_wait(serve: Serve, app_origin: str, open_page: OpenPage):
    """Failed, waiting for Cliniko and cancelled: axe-core finds nothing, wide in light and narrow in dark."""
    served = await serve(allowed_origins=(app_origin,))
    address = f"{app_origin}/?organization={ORGANIZATION}&api={served.url}/api/v1"
    page = await open_page(address, line_may_break=True, reduced_motion="reduce")

    async def check(state: str) -> None:
        for scheme, width in (("light", 1000), ("dark", 360)):
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size({"width": width, "height": 800})
            await page.mouse.move(0, 0)
            found = (await Axe().run(page)).response["violations"]
            of_component = [one for one in found if one["id"] != "page-has-heading-one"]  # the page around it has none
            assert [(one["id"], one["nodes"][0]["html"]) for one in of_component] == [], (state, scheme)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, (state, width)

    await expect(_badge(page)).to_have_text("Idle")
    served.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    await page.get_by_role("button", name="Start sync").click()
    await expect(_badge(page)).to_have_text("Failed")
    await check("failed")
    served.emulator.faults.clear()
    served.emulator.faults.add(Fault(FaultKind.RATE_LIMIT, times=None, seconds=60))
    await page.get_by_role("button", name="Start sync").click()
    await expect(page.locator("[data-waiting]")).to_be_visible()
    await check("waiting")
    await page.get_by_role("button", name="Cancel").click()
    await expect(_badge(page)).to_have_text("Cancelled")
    await check("cancelled")


async def test_a_cancel_is_seen_on_every_page(app_origin: str, open_page: OpenPage, tmp_path: Path):
    """A sync started on one page can be cancelled on another; afterwards either page can start again."""
    with _demo(tmp_path, app_origin, seconds=600) as demo:
        address = await _address(app_origin, demo)
        one, other = [await open_page(address, line_may_break=True) for _ in range(2)]
        for starter, canceller in ((None, one), (one, other)):  # the demo starts the first sync
            if starter:
                await starter.get_by_role("button", name="Start sync").click()
            for page in (one, other):
                await expect(page.get_by_role("button", name="Cancel")).to_be_enabled()
                await expect(page.locator(".routiq-steps li[data-stage=running]")).to_have_count(1)
            await canceller.get_by_role("button", name="Cancel").click()
            for page in (one, other):
                await expect(_badge(page)).to_have_text("Cancelled")
                await expect(page.get_by_role("button", name="Start sync")).to_be_enabled()
                await expect(page.locator(".routiq-steps li[data-stage=ended]")).to_have_count(1)
                await expect(page.locator("[role=log] li").first).to_contain_text("Sync cancelled by user")


async def test_a_reload_in_the_middle_shows_the_sync_at_once(app_origin: str, open_page: OpenPage, tmp_path: Path):
    """After a reload the running sync is shown with its whole log, without any input."""
    with _demo(tmp_path, app_origin, seconds=4) as demo:
        page = await open_page(await _address(app_origin, demo), line_may_break=True)
        await _until_percentage(page, 37)
        reached = int(await page.get_by_role("progressbar").get_attribute("aria-valuenow") or 0)
        await page.reload()
        await _until_percentage(page, reached)
        await _expect_completed(page)


async def test_the_page_reports_and_outlives_a_killed_server(app_origin: str, open_page: OpenPage, tmp_path: Path):
    """The page reports the lost connection, and resumes the sync once the server is back on its port.

    It requests the log from its last line, and shows every line once.
    """
    cursors: list[int] = []

    def note_socket(socket: WebSocket) -> None:
        socket.on("framesent", note_frame)

    def note_frame(frame: str | bytes) -> None:
        payload = json.loads(frame).get("payload") or {}
        if "syncLog" in payload.get("query", ""):
            cursors.append(payload["variables"]["after"])

    page = await open_page(line_may_break=True)
    page.on("websocket", note_socket)
    with _demo(tmp_path, app_origin, seconds=30, port=free_port()) as demo:
        address = await _address(app_origin, demo)
        port = int(re.search(r":(\d+)/api", address)[1])
        await page.goto(address)
        await _until_percentage(page, 37)
        shown = await _log_numbers(page)
        demo.send(signal.SIGKILL)
        await asyncio.to_thread(demo.end)
    await expect(_problem(page)).to_contain_text("Connection to the server lost. Trying again…")
    await expect(page.locator(".routiq-steps li[data-stage=running]")).to_have_count(1)
    await page.get_by_role("button", name="Refresh").click()
    await expect(page.get_by_text(f"http://127.0.0.1:{port} could not be reached. Is it running?")).to_be_visible()

    with _demo(tmp_path, app_origin, seconds=0, port=port) as demo:
        await asyncio.to_thread(demo.wait_for, "Ctrl-C ends it")
        await expect(_connection(page)).to_have_text("Live · websocket")
        await _expect_completed(page)
        await expect(page.get_by_role("alert")).to_have_count(0)
    assert cursors[0] == 0
    assert cursors[-1] >= max(shown)


async def test_a_page_that_is_not_allowed_says_what_to_set(app_origin: str, open_page: OpenPage, tmp_path: Path):
    """The page gets no data, names the setting and the origin to add, and works by itself after the change."""
    with _demo(tmp_path, "https://elsewhere.example", seconds=0) as demo:
        address = await _address(app_origin, demo)
        page = await open_page(address, line_may_break=True)
        url = await asyncio.to_thread(demo.url)
        refused = (
            f"{url} answers, but doesn't allow pages from {app_origin}. Add {app_origin} to ROUTIQ_ALLOWED_ORIGINS"
        )
        await expect(_problem(page)).to_contain_text(refused)
        await expect(_connection(page)).to_have_text("Blocked")
        await page.get_by_role("button", name="Start sync").click()
        await expect(page.get_by_role("button", name="Start sync")).to_be_enabled()
        await expect(page.get_by_role("alert")).to_have_count(1)  # not the same sentence twice
        async with httpx.AsyncClient(headers={"Origin": app_origin}) as client:
            refusal = await client.post(f"{url}/graphql", json={"query": "{ __typename }"})
        assert (refusal.status_code, refusal.json()["code"]) == (403, "ORIGIN_NOT_ALLOWED")
    with _demo(tmp_path, app_origin, seconds=0, port=int(url.rpartition(":")[2])) as demo:
        await asyncio.to_thread(demo.wait_for, "Ctrl-C ends it")
        await _expect_completed(page)
        await expect(_connection(page)).to_have_text("Live · websocket")
        await expect(page.get_by_role("alert")).to_have_count(0)


async def test_it_follows_through_expired_tokens(
    app_origin: str, open_page: OpenPage, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """With tokens of three seconds from `&tokens=`, sockets are renewed or reconnect, and no log line is lost."""
    for module in (session, issued_tokens):
        monkeypatch.setattr(module, "LEEWAY", timedelta(0))
    async with issuing() as issuing_server:
        issuer = issuing_server.issuer
        issuer.lifetime_seconds = 3
        guarded = jwt_settings(settings, issuer, auth_grace_seconds=1)
        async with serving(
            guarded,
            clinic=demo_clinic(utc_now()),
            allowed_origins=(app_origin,),
            extra_routes=issuer.routes("/issuer"),
        ) as served:
            use_token(served.server, issuer.token(ORGANIZATION, role="admin", lifetime_seconds=3600))
            address = (
                f"{app_origin}/?organization={ORGANIZATION}&api={served.url}/api/v1&tokens={served.url}/issuer/token"
            )
            page = await open_page(address, line_may_break=True)
            await expect(_badge(page)).to_have_text("Idle")
            served.gate.hold("patients")
            await page.get_by_role("button", name="Start sync").click()
            await served.gate.reached()
            await until(lambda: len(served.proxy.renewals) >= 5)  # the first token and its grace are over then
            first = served.proxy.sockets[0]["frame"]["payload"]["Authorization"]
            assert first not in {one["Authorization"] for one in served.proxy.renewals}
            served.gate.open()
            await _expect_completed(page)
            await expect(_connection(page)).to_have_text("Live · websocket")
            lines = [line["seq"] for line in (await served.sync())["log"]]
            assert await _log_numbers(page) == lines
            await page.close()
