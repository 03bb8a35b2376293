"""The page's messages about actions and its connection disappear as soon as they are no longer true."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind, demo_clinic
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import Served, expect_status, shown_log, until_at_gate

pytestmark = IN_SESSION_LOOP

UNREACHABLE = re.compile(r"could not be reached")


async def _expect_nothing_stale(page: Page) -> None:
    await expect(page.locator("#line-lost")).to_be_hidden()
    await expect(page.locator("#problem")).to_be_hidden()
    await expect(page.get_by_text(UNREACHABLE)).to_have_count(0)


@pytest.mark.parametrize("transport", ["websocket", "server-sent events", "polling"])
async def test_unreachable_is_said_only_until_the_server_answers(served: Served, open_page: OpenPage, transport: str):
    """Over any transport, after a restart of the server no message says that it is unreachable."""
    served.proxy.refuse_sockets = transport != "websocket"
    served.proxy.refuse_streams = transport == "polling"
    page = await open_page(served.url, line_may_break=True)
    if transport == "polling":  # used once a stream was refused
        await until_at_gate(served, "patients", page, "Fetching patients")
    await expect(page.locator("#link-text")).to_have_text(f"Live · {transport}")
    await served.server.stop()
    await expect(page.locator("#line-lost")).to_be_visible()
    await page.locator("#refresh").click()
    await expect(page.locator("#sync-message")).to_have_text(UNREACHABLE)
    served.gate.open()
    await served.server.start()
    await expect(page.locator("#link-text")).to_have_text(re.compile("^Live"))
    await _expect_nothing_stale(page)


async def test_a_single_lost_request_is_said_for_some_seconds(served: Served, open_page: OpenPage):
    """A request that fails while the connection works is reported beside its button, and gone a minute later."""
    page = await open_page(served.url, line_may_break=True)
    await expect_status(page, "Idle")
    await page.route("**/graphql", lambda route: route.abort())
    await page.get_by_role("button", name="Start sync").click()
    await expect(page.locator("#sync-message")).to_have_text(UNREACHABLE)
    await expect(page.locator("#line-lost")).to_be_hidden()
    await page.evaluate("(() => { const now = Date.now; Date.now = () => now() + 60_000; })()")
    await expect(page.locator("#sync-message")).to_be_empty()


async def test_a_refusal_of_the_server_goes_with_the_connection(served: Served, open_page: OpenPage):
    """A server's refusal disappears when the server is unreachable or accepts again."""
    page = await open_page(f"{served.url}/?organization=a%20b", line_may_break=True)
    await expect(page.locator("#problem")).to_be_visible()
    await served.server.stop()
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator("#line-lost")).to_be_visible()
    await expect(page.locator("#problem")).to_be_hidden()
    await served.server.start()
    await expect(page.locator("#problem")).to_be_visible()
    await expect(page.locator("#line-lost")).to_be_hidden()


async def test_a_new_connection_is_announced_and_its_message_goes_with_the_next_sync(serve: Serve, open_page: OpenPage):
    """A new connection is announced, visibly and to screen readers; a refused key shows its reason above the field."""
    served = await serve(is_connected=False)
    page = await open_page(served.url, viewport={"width": 390, "height": 800})
    key, refused = page.get_by_label("Cliniko API key"), page.locator("#connect-message")
    await key.fill("MS0xLXdyb25n-au1")
    await key.press("Enter")
    await expect(refused).to_contain_text("Cliniko refused the API key.")
    await expect(key).to_have_attribute("aria-invalid", "true")
    assert await _top(page, "#connect-message") < await _top(page, "#api-key")
    await key.fill(EMULATED_API_KEY)
    await key.press("Enter")
    done = page.get_by_role("status").filter(has_text="Connected to")
    await expect(done).to_be_in_viewport()
    await expect(refused).to_be_empty()
    await expect(page.locator("#start")).to_be_in_viewport()
    await page.locator("#start").press("Enter")
    await expect(done).to_have_count(0)
    await expect_status(page, "Completed")


async def _top(page: Page, selector: str) -> float:
    box = await page.locator(selector).bounding_box()
    assert box is not None, selector
    return box["y"]


async def test_after_a_failure_the_reason_comes_first_and_the_stored_patients_are_named(
    serve: Serve, open_page: OpenPage
):
    """On a phone the reason is above the form. The page says that it has changed no patients, with their date."""
    served = await serve(clinic=demo_clinic(utc_now()))
    page = await open_page(served.url, viewport={"width": 390, "height": 800})
    served.gate.hold("patients")
    await page.locator("#start").click()
    await served.gate.reached()
    await page.locator("#cancel").click()
    kept = page.locator("#failure-kept")
    await expect(kept).to_have_text("No patients are stored yet, as no sync has completed.")
    served.gate.open()
    await page.locator("#start").click()
    await expect_status(page, "Completed")
    await expect(kept).to_be_hidden()
    served.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    await page.locator("#start").click()
    await expect_status(page, "Failed")
    as_of = await page.locator("#as-of").inner_text()
    await expect(kept).to_have_text(f"This sync has changed no stored patients. As of {as_of}, 89 are active.")
    await expect(page.locator("#connection-problem")).to_contain_text("Cliniko refused the API key.")
    assert await _top(page, "#connection-problem") < await _top(page, "#api-key")
    await expect(page.locator("#connection-facts")).to_contain_text("Key last accepted")
    await expect(page.locator("#connection-facts")).not_to_contain_text("checked")


WAITS = [
    ("RATE_LIMIT", "Waiting for Cliniko's rate limit, resuming in", "Resuming now…", "rate limit"),
    ("CLINIKO_RETRY", "Waiting to ask Cliniko again, trying again in", "Trying again now…", "did not answer"),
    ("DATABASE", "Waiting for the database…", "Waiting for the database…", "database"),
]


async def _change_waits(page: Page) -> Callable[[str, float], None]:
    """Between page and server: the given wait is put into each state of the sync from then on, and sent at once."""
    sent: dict[str, Any] = {"version": 0}

    def through(here: WebSocketRoute) -> None:
        there = here.connect_to_server()

        def answer(message: str | bytes) -> None:
            frame = json.loads(message)
            if frame["type"] == "next" and "dashboardUpdated" in (frame["payload"].get("data") or {}):
                sent["frame"], sent["here"] = frame, here
            here.send(message)

        there.on_message(answer)

    await page.route_web_socket("**/graphql", through)

    def change(reason: str, seconds: float) -> None:
        frame = json.loads(json.dumps(sent["frame"]))
        sync = frame["payload"]["data"]["dashboardUpdated"]["currentSync"]
        sent["version"] += 1
        sync["version"] += sent["version"]
        end = utc_now() + timedelta(seconds=seconds)
        sync["waitingFor"], sync["currentStep"] = reason, "A sentence that is not read, resuming in 77 s"
        sync["resumesAt"] = None if reason == "DATABASE" else end.isoformat().replace("+00:00", "Z")
        sent["here"].send(json.dumps(frame))

    return change


async def test_each_kind_of_wait_has_a_countdown_and_an_end(served: Served, open_page: OpenPage):
    """The page shows the reason of a wait and counts down; at its end it says so, and never “in 0 s”."""
    page = await open_page()
    change = await _change_waits(page)
    await page.goto(served.url)
    await until_at_gate(served, "patients", page, "Fetching patients")
    for reason, counting, due, told in WAITS:
        for seconds, text in ((89, rf"{counting}( 1 min \d+ s)?"), (-0.5, due)):
            change(reason, seconds)
            await expect(page.locator("#step-text")).to_have_text(re.compile(f"^{text}$"))
            await expect(page.locator("#waiting")).to_contain_text(told)
            await expect(page.locator("#track")).to_have_class("track waiting")
    await expect(page.get_by_text("77 s")).to_have_count(0)
    served.gate.open()
    await expect_status(page, "Completed")
    await expect(page.locator("#waiting")).to_be_hidden()


async def test_the_log_counts_its_hidden_lines(served: Served, open_page: OpenPage):
    """The sentence above a filtered, cleared or empty log is true, and cleared lines can be shown again."""
    page = await open_page(served.url)
    note = page.locator("#log-note-text")
    await expect(note).to_have_text("The log of the first sync will appear here.")
    levels = ("Info", "Success", "Warning", "Error")
    for level in levels:
        await page.get_by_role("button", name=level, exact=True).click()
    await expect(note).to_contain_text("All levels are off, so new lines will be hidden.")
    await page.locator("#start").click()
    await expect_status(page, "Completed")
    total = len((await served.sync())["log"])
    await expect(note).to_contain_text(f"The filter hides all {total} lines:")
    for level in levels[1:]:
        await page.get_by_role("button", name=level, exact=True).click()
    infos = sum(line["level"] == "INFO" for line in (await served.sync())["log"])
    await expect(note).to_have_text(f"The filter hides {infos} of {total} lines: {infos} Info.")
    await expect(page.locator("#announcer")).to_have_text(f"The filter hides {infos} of {total} lines: {infos} Info.")
    await page.get_by_role("button", name="Info", exact=True).click()
    await expect(page.locator("#log-note")).to_be_hidden()
    before = await shown_log(page)
    await page.get_by_role("button", name="Clear log").click()
    await expect(note).to_have_text(f"{total} lines cleared. New lines appear here.")
    await page.get_by_role("button", name="Show cleared lines").click()
    await expect(page.locator("#log-note")).to_be_hidden()
    assert await shown_log(page) == before
