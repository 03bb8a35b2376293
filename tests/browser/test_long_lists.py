"""Lists of very many patients on the page: any place of them is reached at once, and few of their rows are made."""

import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Locator, Page, Request, expect

from routiq_gql.clock import utc_now
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.organization import ORGANIZATION
from tests.patients.clinics import ListedClinic, Person, random_person

pytestmark = IN_SESSION_LOOP

MOST_ROWS = 200
MANY = 50_000
PAGE_SIZE = 200


def _people(count: int) -> list[Person]:
    """The first 300 have appointments, odd names and no names; the others are sorted by their number."""
    pick, now = random.Random(22), utc_now()
    plain = [Person(number, f"Given{number}", f"Name{number:05}") for number in range(301, count + 1)]
    return [random_person(pick, number, now) for number in range(1, 301)] + plain


def _row(page: Page, position: int) -> Locator:
    return page.locator(f".patient[data-position='{position}'] button")


async def _total(page: Page) -> int:
    note = page.locator("#list-note")
    await expect(note).to_contain_text(re.compile(r"^[\d,]+ patients\."))
    return int((await note.inner_text()).split()[0].replace(",", ""))


async def _mounted(page: Page) -> int:
    rows = await page.locator(".patient").count()
    assert rows < MOST_ROWS
    return rows


async def _expect_settled(page: Page) -> None:
    """The box scrolls no more, the rows of its place are there, and all rows in the document have their patient."""
    await page.wait_for_function(
        """() => {
          const box = document.getElementById('list-box');
          const below = document.getElementById('list-head').getBoundingClientRect().bottom;
          const rows = [...document.querySelectorAll('.patient')];
          const isInSight = ({ top, bottom }) => top < below + 1 && bottom > below;
          const isAtRest = window.scrolledTo === box.scrollTop;
          window.scrolledTo = box.scrollTop;
          return isAtRest && rows.every((row) => row.dataset.position !== undefined)
            && rows.some((row) => isInSight(row.getBoundingClientRect()));
        }""",
        polling=150,
    )
    await _mounted(page)


@asynccontextmanager
async def _asked(page: Page) -> AsyncIterator[list[int]]:
    """The positions of the pages that are asked for meanwhile."""
    found: list[int] = []

    def look(request: Request) -> None:
        asked = request.post_data_json if request.method == "POST" else None
        if asked and "skip" in asked.get("variables", {}):
            found.append(asked["variables"]["skip"])

    page.on("request", look)
    yield found
    page.remove_listener("request", look)


async def _scroll_to(page: Page, part: float) -> None:
    await page.locator("#list-box").evaluate("(box, part) => { box.scrollTop = part * box.scrollHeight; }", part)


async def _position_in_sight(page: Page) -> int:
    """The position of the first row below the header of the table."""
    return await page.evaluate(
        """() => {
          const below = document.getElementById('list-head').getBoundingClientRect().bottom;
          const rows = [...document.querySelectorAll('.patient[data-position]')];
          return Number(rows.find((row) => row.getBoundingClientRect().bottom > below + 1).dataset.position);
        }"""
    )


@pytest.mark.timeout(300)
async def test_any_place_of_fifty_thousand_patients_is_reached_at_once(serve: Serve, open_page: OpenPage):
    """The end, the middle and a search; keys held down and fast scrolling; with few rows and few requests."""
    served = await serve(is_connected=False)
    await ListedClinic(served.server.runtime.database, ORGANIZATION).sync(_people(MANY), utc_now())
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}&list=ALL")
    total = await _total(page)
    assert 49_000 < total <= MANY
    assert await _mounted(page) > 5
    box = page.locator("#list-box")
    await box.focus()

    async with _asked(page) as asked:
        await page.keyboard.press("End")
        await expect(_row(page, total - 1)).to_be_focused()
        await expect(_row(page, total - 1)).to_be_in_viewport()
        await _mounted(page)
        await page.keyboard.press("Home")
        await expect(_row(page, 0)).to_be_focused()
        await expect(_row(page, 0)).to_be_in_viewport()
    assert set(asked) <= {(total - 1) // PAGE_SIZE * PAGE_SIZE, ((total - 1) // PAGE_SIZE - 1) * PAGE_SIZE}

    async with _asked(page) as asked:
        await _scroll_to(page, 0.5)
        await _expect_settled(page)
        assert abs(await _position_in_sight(page) - total / 2) < total / 50
    assert 1 <= len(asked) <= 2

    async with _asked(page) as asked:  # 60 jumps of the scrollbar, quicker than answers come
        await page.locator("#list-box").evaluate(
            """async (box) => {
              for (let step = 0; step < 60; step += 1) {
                box.scrollTop = (step / 60) * box.scrollHeight;
                await new Promise(requestAnimationFrame);
              }
            }"""
        )
        await _scroll_to(page, 0.75)
        await _expect_settled(page)
        assert abs(await _position_in_sight(page) - 0.75 * total) < total / 50
    assert len(asked) < 60

    await box.hover()
    for _ in range(40):
        await page.mouse.wheel(0, 2_000)
    await _expect_settled(page)
    start = await _position_in_sight(page)
    await _row(page, start + 1).click()
    await page.keyboard.press("Escape")
    await expect(_row(page, start + 1)).to_be_focused()
    for _ in range(30):
        await page.keyboard.press("PageDown")
    await expect(_row(page, min(total - 1, start + 1 + 300))).to_be_focused()
    await expect(_row(page, min(total - 1, start + 1 + 300))).to_be_in_viewport()
    await _expect_settled(page)

    await page.locator("#patient-search").fill("name43210")
    await expect(page.locator(".patient .name button")).to_have_text(["Given43210 Name43210"])


async def test_a_list_is_found_again_where_it_was_left(serve: Serve, open_page: OpenPage):
    """Back from another list or the dashboard, and a reload, return to the same patients."""
    served = await serve(is_connected=False)
    await ListedClinic(served.server.runtime.database, ORGANIZATION).sync(_people(2_000), utc_now())
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}&list=ALL")
    assert await _total(page) > 1_800
    await _scroll_to(page, 0.6)
    await _expect_settled(page)
    left = await _position_in_sight(page)
    assert left > 1_000
    await page.wait_for_function("left => history.state?.rows?.first === left", arg=left)

    async def expect_the_same_place() -> None:
        await expect(_row(page, left)).to_be_in_viewport()
        await _expect_settled(page)
        assert abs(await _position_in_sight(page) - left) <= 1

    await page.reload()
    await expect_the_same_place()
    await page.locator("#list-tabs a").nth(1).click()
    await expect(page.locator("#list-title")).not_to_have_text("All patients")
    await expect(_row(page, 0)).to_be_in_viewport()
    await page.go_back()
    await expect(page.locator("#list-title")).to_have_text("All patients")
    await expect_the_same_place()
    await page.get_by_role("link", name="Dashboard").click()
    await expect(page.locator("#dashboard")).to_be_visible()
    await page.go_back()
    await expect_the_same_place()
