"""When the connection to the server breaks, the page says so, uses another transport, and keeps the log complete."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import Served, expect_status, expect_whole_log, shown_log, until_at_gate
from tests.cli.programs import Program
from tests.organization import ORGANIZATION
from tests.ports import free_port

pytestmark = IN_SESSION_LOOP

STREAMING, POLLING = "Live · server-sent events", "Live · polling"
LOOK_AGAIN_SOON = """
    for (const name of ['setTimeout', 'setInterval']) {
        const set = window[name];
        const soon = (milliseconds) => (milliseconds === 60_000 ? 500 : milliseconds);
        window[name] = (action, milliseconds, ...rest) => set(action, soon(milliseconds), ...rest);
    }
"""
"""The page looks for a better transport every half second, instead of once a minute."""
WORKER_IS_AWAY, BACK_AT_ONCE = timedelta(minutes=10), timedelta()


async def _expect_line(page: Page, text: str) -> None:
    await expect(page.locator("#link-text")).to_have_text(text)


async def test_refused_sockets_fall_back_to_the_event_stream(served: Served, open_page: OpenPage):
    """Behind a proxy without websockets, the page follows by server-sent events, live and to the end."""
    served.proxy.refuse_sockets = True
    page = await open_page(served.url, line_may_break=True)
    await _expect_line(page, STREAMING)
    await until_at_gate(served, "individual_appointments", page, "Fetching appointments")
    await expect_whole_log(page, served)
    await _expect_line(page, STREAMING)
    served.gate.open()
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)
    assert any(seen["path"].startswith("/api/v1/sync/stream/") for seen in served.proxy.seen)


async def test_refused_streams_fall_back_to_polling(served: Served, open_page: OpenPage):
    """Without websockets and streams, the page polls each second, and says so."""
    served.proxy.refuse_sockets = served.proxy.refuse_streams = True
    page = await open_page(served.url, line_may_break=True)
    await until_at_gate(served, "individual_appointments", page, "Fetching appointments")
    await _expect_line(page, POLLING)
    await expect_whole_log(page, served)
    served.gate.open()
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)


async def test_buffered_streams_fall_back_to_polling(served: Served, open_page: OpenPage):
    """A proxy that buffers a stream is detected within seconds, though its status is 200."""
    served.proxy.refuse_sockets = served.proxy.hold_streams = True
    page = await open_page(served.url, line_may_break=True)
    await _expect_line(page, STREAMING)  # nothing is streamed yet
    served.gate.hold("patients")
    await page.get_by_role("button", name="Start sync").click()
    await _expect_line(page, POLLING)
    await expect_whole_log(page, served)
    served.gate.open()
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)


async def test_the_way_changes_in_the_middle_of_a_sync(served: Served, open_page: OpenPage):
    """When websockets fail, the stream continues after the last line, and later the page returns to a websocket."""
    page = await open_page(line_may_break=True)
    await page.add_init_script(LOOK_AGAIN_SOON)
    await page.goto(served.url)
    await until_at_gate(served, "patients", page, "Fetching patients")
    await _expect_line(page, "Live · websocket")
    await expect_whole_log(page, served)
    seen = await shown_log(page)
    served.proxy.refuse_sockets = True
    await served.server.stop()
    await expect(page.locator("#line-lost")).to_be_visible()
    assert await shown_log(page) == seen
    served.gate.open()
    served.gate.hold("individual_appointments")
    await served.server.start()
    await _expect_line(page, STREAMING)
    await served.gate.reached()
    await expect_status(page, "Fetching appointments")
    await expect_whole_log(page, served)
    served.proxy.refuse_sockets = False
    await _expect_line(page, "Live · websocket")
    served.gate.open()
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)


async def test_the_page_reconnects_to_a_restarted_server(open_page: OpenPage, tmp_path: Path):
    """After `kill -9` the page reports the lost connection and resumes by itself, and its log is complete."""
    port = str(free_port())
    with Program("demo", "--still", "--port", port, "--seconds", "14", folder=tmp_path) as demo:
        url = await asyncio.to_thread(demo.url)
        page = await open_page(url, line_may_break=True)
        await expect_status(page, "Fetching patients")
        await expect(page.locator("#step-text")).to_contain_text("of 641 patients")
        demo.process.kill()
        lost = page.locator("#line-lost")
        await expect(lost).to_be_visible()
        await expect(lost).to_contain_text("This page shows the state of")
        seen = await shown_log(page)
        await expect(lost).to_contain_text(re.compile(r"Next try in [1-5] s"))
        times = await page.locator("#time-so-far, #time-left").all_inner_texts()
        await page.evaluate("window.lostAt = Date.now()")
        await page.wait_for_function("() => Date.now() - window.lostAt > 3000")
        assert await page.locator("#time-so-far, #time-left").all_inner_texts() == times  # of the displayed state
    with Program("demo", "--still", "--port", port, "--seconds", "3", folder=tmp_path) as demo:
        await expect(lost).to_be_hidden()
        await _expect_line(page, "Live · websocket")
        await expect_status(page, "Completed")
        lines = page.locator("#log li")
        await expect(lines.filter(has_text="Continuing after an interruption")).to_have_count(1)
        await expect(lines.first).to_contain_text("Sync completed successfully!")
        shown = await shown_log(page)
        assert shown[: len(seen)] == seen
        assert shown == list(range(1, len(shown) + 1))


@pytest.mark.sqlite_only  # only an engine in the serving process can be paused
async def test_a_silent_worker_is_distinguished_from_a_lost_connection(served: Served, open_page: OpenPage):
    """While the engine is paused, the page reports missing updates, not a lost connection."""
    page = await open_page(served.url)
    await until_at_gate(served, "patients", page, "Fetching patients")
    served.server.runtime.engine.pause(WORKER_IS_AWAY)
    await expect(page.locator("#silent")).to_be_visible()
    await expect(page.locator("#silent")).to_contain_text(re.compile(r"No news from the sync for \d+ s"))
    await _expect_line(page, "Live · websocket")
    served.gate.open()
    served.server.runtime.engine.pause(BACK_AT_ONCE)
    await expect_status(page, "Completed")
    await expect(page.locator("#silent")).to_be_hidden()
    await expect(page.locator("#log")).to_contain_text("Continuing after an interruption")
    await expect_whole_log(page, served)


async def test_the_organization_is_refused_with_a_sentence(served: Served, open_page: OpenPage):
    """A malformed organization id shows the server's sentence, and is not reported as a lost connection."""
    page = await open_page(f"{served.url}/?organization=a%20b")
    await expect(page.get_by_role("alert")).to_contain_text("organization", ignore_case=True)
    await _expect_line(page, "Refused")
    await expect(page.locator("#line-lost")).to_be_hidden()
    assert ORGANIZATION not in await page.locator("#organization-id").inner_text()
