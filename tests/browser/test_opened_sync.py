"""Any sync opens whole at an address: its facts, its steps and its log, which is searched, linked and downloaded."""

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import Served, expect_status, until_at_gate
from tests.long_log import ERROR_EVERY, WARNING_EVERY, store_long_log
from tests.organization import ORGANIZATION

pytestmark = IN_SESSION_LOOP

MOST_ROWS = 200
MANY = 10_000


async def _mounted(page: Page) -> int:
    rows = await page.locator("#opened-log li").count()
    assert rows < MOST_ROWS
    return rows


async def test_a_past_sync_opens_from_the_history_and_the_back_button_returns(served: Served, open_page: OpenPage):
    """A row of the history leads to its sync at its own address, and back to the same row, with the focus on it."""
    await served.server.until_ended(await served.server.start_sync())
    sync_id = (await served.sync())["syncId"]
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}", viewport={"width": 1280, "height": 600})
    link = page.locator("#past a").first
    await link.focus()
    before = await page.evaluate("scrollY")
    await link.press("Enter")
    await expect(page.locator("#opened-title")).to_have_text(re.compile("^Sync of today"))
    await expect(page.locator("#opened-title")).to_be_focused()
    assert page.url == f"{served.url}/?organization={ORGANIZATION}&sync={sync_id}"
    await expect(page.locator("#sync")).to_be_hidden()
    await expect(page.locator("#opened-badge")).to_have_text("Completed")
    await expect(page.locator("#opened-receipt-text")).to_contain_text("Agrees with Cliniko")
    lines = len((await served.sync())["log"])
    await expect(page.locator("#opened-log li")).to_have_count(lines)
    await expect(page.locator("#timeline li")).to_have_count(8)
    await expect(page.locator("#timeline li .took").first).to_have_text(re.compile(r"\d s$"))
    await expect(page.locator("#opened-actors")).to_contain_text("Started by a person")
    await page.go_back()
    await expect_status(page, "Completed")
    await expect(link).to_be_focused()
    assert await page.evaluate("scrollY") == before
    await page.locator("#chart a").click()
    await expect(page.locator("#opened-id")).to_have_text(sync_id)
    await page.reload()
    await expect(page.locator("#opened-id")).to_have_text(sync_id)
    await expect(link).to_have_count(1)  # the history may come later than the sync
    await page.get_by_role("link", name="All syncs").click()
    await expect_status(page, "Completed")
    await expect(link).to_be_focused()
    await expect(link).to_be_in_viewport()
    assert page.url == f"{served.url}/?organization={ORGANIZATION}"


async def test_a_link_to_a_line_opens_there_in_another_browser(served: Served, open_page: OpenPage):
    """A line's link shows that line in a browser that was never here, without the other lines in the document."""
    sync_id = await store_long_log(served.server, MANY)
    page = await open_page(f"{served.url}/?sync={sync_id}#L7351")
    row = page.locator("#opened-log li.current")
    await expect(row).to_have_attribute("data-seq", "7351")
    await expect(row).to_be_in_viewport()
    await expect(row.locator("a")).to_be_focused()
    await expect(page.locator("#log-matches")).to_have_text("10,000 lines.")
    await _mounted(page)
    await page.locator("#opened-log li[data-seq='7353'] a").click()
    await expect(page).to_have_url(re.compile("#L7353$"))
    await expect(row).to_have_attribute("data-seq", "7353")
    other = await open_page(page.url, viewport={"width": 390, "height": 800})
    await expect(other.locator("#opened-log li.current")).to_have_attribute("data-seq", "7353")
    await expect(other.locator("#opened-log li.current")).to_be_in_viewport()
    await _mounted(other)


async def test_a_long_log_is_searched_and_filtered(served: Served, open_page: OpenPage):
    """Search and filters say how many lines they leave; Enter goes from match to match; few rows are mounted."""
    sync_id = await store_long_log(served.server, MANY)
    page = await open_page(f"{served.url}/?sync={sync_id}")
    note, rows = page.locator("#log-matches"), page.locator("#opened-log li")
    await expect(note).to_have_text("10,000 lines.")
    search = page.get_by_role("searchbox", name="Search the log")
    await search.fill("COULD NOT be read")
    errors = MANY // ERROR_EVERY
    await expect(note).to_have_text(f"{errors} matching of 10,000 lines.")
    await expect(rows).to_have_count(errors)
    await expect(rows.first.locator("mark")).to_have_text("could not be read")
    for number in (1, 2):
        await search.press("Enter")
        await expect(note).to_have_text(f"{number} of {errors} matching of 10,000 lines.")
    await expect(page.locator("#opened-log li.current")).to_have_attribute("data-seq", "2000")
    await search.press("Shift+Enter")
    await expect(page.locator("#opened-log li.current")).to_have_attribute("data-seq", "1000")
    await expect(search).to_be_focused()
    await page.get_by_role("button", name="Next match").click()
    await expect(page.locator("#opened-log li.current")).to_have_attribute("data-seq", "2000")
    await page.get_by_role("button", name="Previous match").click()
    await expect(page.locator("#opened-log li.current")).to_have_attribute("data-seq", "1000")
    await search.fill("")
    await expect(page.locator("#opened-log li.current")).to_be_in_viewport()  # with the lines around it
    warnings = MANY // WARNING_EVERY - errors
    await expect(page.get_by_role("button", name=f"Warning {warnings}", exact=True)).to_be_visible()
    for level in ("Info", "Success", "Error"):
        await page.locator("#opened-levels").get_by_role("button", name=re.compile(f"^{level} ")).click()
    await expect(note).to_have_text(f"{warnings} matching of 10,000 lines.")
    assert await _mounted(page) > 5
    await page.get_by_label("Step to show").select_option(label="5. Fetching appointments (5,000)")
    await expect(note).to_have_text(re.compile(r"^1\d\d matching of 10,000 lines\.$"))
    box = page.get_by_role("log")
    await box.evaluate("box => { box.scrollTop = box.scrollHeight; }")
    await expect(rows.last).to_contain_text("Page 9950")
    await _mounted(page)


async def test_lines_are_reached_by_keyboard(served: Served, open_page: OpenPage):
    """Arrow keys, Home and End move through a log of any length; Enter puts the line into the address."""
    sync_id = await store_long_log(served.server, MANY)
    page = await open_page(f"{served.url}/?sync={sync_id}")
    await expect(page.locator("#log-matches")).to_have_text("10,000 lines.")
    await page.locator("#opened-log-box").focus()
    for key, seq in (("ArrowDown", "1"), ("ArrowDown", "2"), ("End", "10000"), ("ArrowUp", "9999"), ("Home", "1")):
        await page.keyboard.press(key)
        await expect(page.locator(":focus")).to_have_text(seq)
        await expect(page.locator(":focus")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("#L1$"))
    await _mounted(page)


async def test_the_log_is_downloaded_and_copied(served: Served, open_page: OpenPage, tmp_path: Path):
    """Download gives the whole log as text or JSON; Copy takes the lines that are shown."""
    sync_id = await store_long_log(served.server, 300)
    page = await open_page(f"{served.url}/?sync={sync_id}", permissions=["clipboard-read", "clipboard-write"])
    await expect(page.locator("#log-matches")).to_have_text("300 lines.")
    texts = {}
    for name in ("As text", "As JSON"):
        await page.get_by_role("button", name="Download").click()
        async with page.expect_download() as started:
            await page.get_by_role("button", name=name).click()
        download = await started.value
        await download.save_as(tmp_path / name)
        texts[download.suggested_filename] = (tmp_path / name).read_text()
    assert len(texts[f"{sync_id}.log"].splitlines()) == 300
    assert [line["seq"] for line in json.loads(texts[f"{sync_id}.json"])["lines"]] == list(range(1, 301))
    await expect(page.get_by_role("button", name="As text")).to_be_hidden()
    await page.get_by_role("searchbox", name="Search the log").fill("page 299")
    await page.get_by_role("button", name="Copy").click()
    await expect(page.locator("#announcer")).to_have_text("1 line copied.")
    await expect(page.locator("#taken")).to_have_text("1 line copied.")
    await expect(page.locator("#taken")).to_have_text("")  # a moment later
    assert await page.evaluate("navigator.clipboard.readText()") == (
        "2026-11-26T10:04:59.123Z  INFO  FETCHING_PATIENTS  Fetched page 299 of the list"
    )


async def test_a_search_without_matches_offers_to_clear_it(served: Served, open_page: OpenPage):
    """Where no line matches, the log says so, and one button brings all lines back."""
    sync_id = await store_long_log(served.server, 30)
    page = await open_page(f"{served.url}/?sync={sync_id}")
    search = page.get_by_role("searchbox", name="Search the log")
    await search.fill("nothing of the kind")
    await expect(page.locator("#log-empty")).to_contain_text("No line matches.")
    await expect(page.locator("#opened-log-box")).to_be_hidden()
    await expect(page.get_by_role("button", name="Next match")).to_be_disabled()
    await page.get_by_role("button", name="Clear search and filters").click()
    await expect(page.locator("#opened-log li")).to_have_count(30)
    await expect(page.locator("#log-empty")).to_be_hidden()
    await expect(search).to_be_focused()


@pytest.mark.parametrize("width", [390, 768, 1920])
async def test_a_sync_that_failed_early_leaves_no_holes(served: Served, open_page: OpenPage, width: int):
    """With few log lines the log is as high as its lines, and a sync without a mode has no word for it."""
    served.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    await served.server.until_ended(await served.server.start_sync())
    page = await open_page(served.url, viewport={"width": width, "height": 900})
    await expect_status(page, "Failed")
    lines, card = page.locator("#log"), page.locator("#log-card")
    await expect(lines.locator("li").first).to_be_visible()
    lines_box, card_box = await lines.bounding_box(), await card.bounding_box()
    assert lines_box is not None
    assert card_box is not None
    assert card_box["y"] + card_box["height"] - lines_box["y"] - lines_box["height"] < 40
    modes = page.locator("#past td.mode")
    assert (
        await modes.evaluate_all(
            "cells => cells.filter((cell) => !cell.textContent && getComputedStyle(cell, '::before').content !== 'none'"
            " && cell.checkVisibility() && innerWidth <= 900).length"
        )
        == 0
    )


async def test_an_unknown_sync_is_explained_with_a_way_back(served: Served, open_page: OpenPage):
    """A link to a sync that does not exist says so, and leads to the organization's syncs."""
    page = await open_page(
        f"{served.url}/?organization={ORGANIZATION}&sync=sync_gone_20260101_000000", line_may_break=True
    )
    await expect(page.locator("#opened-title")).to_have_text("This sync is not known here")
    await expect(page.locator("#opened-problem")).to_contain_text("no such sync")
    await page.get_by_role("link", name="All syncs").click()
    await expect_status(page, "Idle")
    await expect(page.locator("#opened")).to_be_hidden()


async def test_a_failed_sync_offers_the_next_step(served: Served, open_page: OpenPage):
    """After a refused key the button leads to the key's field; after another failure it starts a sync."""
    served.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    final = await served.server.until_ended(await served.server.start_sync())
    page = await open_page(f"{served.url}/?sync={final['sync_id']}")
    await expect(page.locator("#opened-failure")).to_contain_text("Cliniko refused the API key.")
    await expect(page.locator("#opened-failure")).to_contain_text("In step 3 of 8")
    await page.get_by_role("button", name="Enter another key").click()
    await expect(page.get_by_label("Cliniko API key")).to_be_focused()
    served.emulator.faults.clear()
    await page.keyboard.type(EMULATED_API_KEY)
    await page.keyboard.press("Enter")
    await expect(page.locator("#connection-message")).to_contain_text("Connected to")
    await page.goto(f"{served.url}/?sync={final['sync_id']}")
    await page.get_by_role("button", name="Try again").click()
    await expect_status(page, "Completed")
    assert "sync=" not in page.url


async def test_a_running_sync_is_followed_and_cancelled_where_it_is_opened(served: Served, open_page: OpenPage):
    """Opened while it runs, a sync shows each new line and its end, and who cancelled it."""
    page = await open_page(served.url)
    await until_at_gate(served, "patients", page, "Fetching patients")
    sync_id = (await served.sync())["syncId"]
    await page.locator("#open-log").click()
    await expect(page.locator("#opened-badge")).to_have_text("Fetching patients")
    assert page.url == f"{served.url}/?sync={sync_id}"
    await expect(page.locator("#timeline li")).to_have_count(4)
    served.gate.open()
    served.gate.hold("individual_appointments")
    await served.gate.reached()
    await expect(page.locator("#opened-badge")).to_have_text("Fetching appointments")
    await expect(page.locator("#opened-log")).to_contain_text("Fetching appointments…")
    await page.locator("#opened-cancel").click()
    await expect(page.locator("#opened-badge")).to_have_text("Cancelled")
    await expect(page.locator("#opened-actors")).to_contain_text("Cancelled by a person")
    await expect(page.locator("#opened-cancel")).to_be_hidden()
    assert not await page.evaluate("document.activeElement === document.body")
    served.gate.open()


@pytest.mark.parametrize("width", [390, 768, 1920])
async def test_nothing_overflows_and_axe_finds_nothing(serve: Serve, open_page: OpenPage, width: int):
    """At any width no part is wider than the page, numbers stay on one line, and axe-core finds nothing."""
    served = await serve()
    for _ in range(2):
        await served.server.until_ended(await served.server.start_sync())
    page = await open_page(served.url, viewport={"width": width, "height": 900})
    await expect(page.locator("#past tr")).to_have_count(2)
    wrapped = "cells => cells.filter((cell) => cell.getClientRects().length && cell.getClientRects().length > 1).length"
    assert await page.locator("td.number, td.mode").evaluate_all(wrapped) == 0
    for selector in ("#past a >> nth=0", None):
        assert not await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        if selector:
            await page.locator(selector).click()
            await expect(page.locator("#opened-log li").first).to_be_visible()
    await page.get_by_role("button", name="Download").click()
    await page.get_by_role("searchbox", name="Search the log").fill("patients")
    await page.keyboard.press("Enter")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = await Axe().run(page, options={"resultTypes": ["violations"]})
        assert [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []
