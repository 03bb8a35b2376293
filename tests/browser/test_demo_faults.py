"""Trouble on purpose: the buttons of the demo's page, and what the sync then says and comes to."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from routiq_gql.cli.demo_trouble import TROUBLE_PATH
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import Served, expect_status
from tests.cli.programs import Program

pytestmark = IN_SESSION_LOOP


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A demo whose first sync is over."""
    with Program("demo", "--port", "0", "--seconds", "2", folder=tmp_path_factory.mktemp("demo")) as program:
        url = await asyncio.to_thread(program.url)
        await asyncio.to_thread(program.wait_for, "Ctrl-C ends it")
        yield url


async def _make(page: Page, title: str) -> None:
    await page.locator("#trouble-kinds").get_by_role("button", name=re.compile(f"^{title}")).click()
    await expect(page.locator("#trouble-message")).not_to_be_empty()


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("Cut answers", "trying again in"),
        ("Stop the worker", "Continuing after an interruption"),
    ],
)
async def test_a_trouble_is_told_and_the_sync_ends_right(demo: str, open_page: OpenPage, title: str, told: str):
    """The button starts a sync, the log says what happens, and the figures at the end are the clinic's."""
    page = await open_page(demo)
    await expect_status(page, "Completed")
    before = await page.locator("#past tr").first.get_attribute("data-sync-id")
    await _make(page, title)
    await expect(page.locator("#log li.warning, #log li.info").filter(has_text=told).first).to_be_visible()
    await expect(page.locator(f"#past tr:first-child:not([data-sync-id='{before}'])")).to_be_visible()
    await expect_status(page, "Completed")
    await expect(page.locator("#active-stored")).to_have_text("89")


async def test_a_slow_source_takes_longer_and_ends_right(demo: str, open_page: OpenPage):
    """With late answers the sync shows that it lives, and nothing is lost."""
    page = await open_page(demo)
    await _make(page, "Slow source")
    await expect(page.locator("#time-so-far")).to_have_text(re.compile(r"Running for \d+ s"))
    await _make(page, "Behave again")
    await expect_status(page, "Completed")
    await expect(page.locator("#active-stored")).to_have_text("89")


async def test_moving_rows_change_the_list_and_not_the_active(demo: str, open_page: OpenPage):
    """Patients come and go while they are read: more are found in the end, and the same ones are active."""
    page = await open_page(demo)
    await _make(page, "Rows that move")
    await expect(page.locator("#track.running")).to_be_visible()
    await expect_status(page, "Completed")
    await expect(page.locator("#active-stored")).to_have_text("89")
    assert int(await page.locator("#patients-found").inner_text()) > 641


async def test_an_organization_without_connection_is_told_why_no_trouble_can_be_made(demo: str, open_page: OpenPage):
    """The buttons that need a sync can't be used and the reason stands above them; the other one works by keyboard."""
    page = await open_page(f"{demo}/?organization=org_unconnected")
    await expect(page.locator("#trouble-why")).to_contain_text("This organization is not connected")
    buttons = page.locator("#trouble-kinds button")
    for button in await buttons.all():
        if await button.get_attribute("data-kind") == "behave":
            await button.focus()
            await button.press("Enter")
            await expect(page.locator("#trouble-message")).not_to_be_empty()
            await expect(button).to_be_focused()
        else:
            await expect(button).to_be_disabled()
    await page.goto(demo)
    await expect(page.locator("#trouble-why")).to_be_hidden()
    await expect(buttons.first).to_be_enabled()


async def test_a_refused_key_fails_and_the_shown_key_connects_again(demo: str, open_page: OpenPage):
    """The sync fails with what to do; the key that the panel shows connects again, and the next sync works."""
    page = await open_page(demo)
    await _make(page, "Key refused")
    await expect_status(page, "Failed")
    await expect(page.locator("#failure")).to_contain_text("KEY_REFUSED")
    await expect(page.locator("#connection-state")).to_have_text("Needs attention")
    await page.get_by_text("Its API key, to connect again").click()
    await page.get_by_label("Cliniko API key").fill(await page.locator("#trouble-key").inner_text())
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.locator("#connection-state")).to_have_text("Connected")
    await page.get_by_role("button", name="Start sync").click()
    await expect_status(page, "Completed")


async def test_a_rate_limit_counts_down_and_can_be_cancelled(demo: str, open_page: OpenPage):
    """The page counts down, and the sync can be ended. The last one here, as the wait stays with the key."""
    page = await open_page(demo)
    await _make(page, "Rate limit")
    await expect(page.locator("#waiting")).to_be_visible()
    await expect(page.locator("#step-text")).to_have_text(re.compile(r"Waiting for Cliniko's rate limit.* in \d+ s"))
    await page.get_by_role("button", name="Cancel").click()
    await expect_status(page, "Cancelled")


async def test_only_a_demo_has_the_panel(served: Served, open_page: OpenPage):
    """A server that is no demo shows no such panel and has no such route."""
    page = await open_page(served.url)
    await expect_status(page, "Idle")
    await expect(page.locator("#trouble")).to_be_hidden()
    assert (await served.server.http.post(TROUBLE_PATH, json={"kind": "slow"})).status_code == 404


async def test_nonsense_is_refused_and_pages_elsewhere_too(demo: str):
    """Wrong bodies are answered with a sentence, and pages of other origins may not make trouble."""
    async with httpx.AsyncClient(base_url=demo) as client:
        for body in (b"", b"[", b"[]", b"3", b'{"kind": 3}', b'{"kind": "earthquake"}', b"[" * 100_000):
            answer = await client.post(TROUBLE_PATH, content=body)
            assert answer.status_code == 422, body
            assert "one of slow, rate_limit" in answer.json()["detail"]
        headers = {"Origin": "https://elsewhere.example"}
        assert (await client.post(TROUBLE_PATH, json={"kind": "slow"}, headers=headers)).status_code == 403
