"""The buttons of the demo's page that cause trouble, and the behaviour of the sync then."""

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
    """A demo whose first sync has ended."""
    with Program("demo", "--still", "--port", "0", "--seconds", "2", folder=tmp_path_factory.mktemp("demo")) as program:
        url = await asyncio.to_thread(program.url)
        await asyncio.to_thread(program.wait_for, "Ctrl-C ends it")
        yield url


NO_EMPTY_HALF = """() => {
    const [card, box, lines] = ["#log-card", "#log-box", "#log"].map(
        name => document.querySelector(name).getBoundingClientRect());
    const padding = card.bottom - box.bottom;
    const areFull = ["#sync", "#trouble"].map(name => document.querySelector(name)).every(each => {
        const content = Math.max(...[...each.children].map(child => child.getBoundingClientRect().bottom));
        return each.getBoundingClientRect().bottom - content < 40;
    });
    const fits = document.documentElement.scrollWidth <= innerWidth;
    return fits && areFull && box.height > 0 && box.height <= lines.height + 1 && padding < 40;
}"""


async def _make(page: Page, title: str) -> None:
    await page.locator("#trouble-kinds").get_by_role("button", name=re.compile(f"^{title}")).click()
    await expect(page.locator("#trouble-message")).not_to_be_empty()


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("Cut answers", "trying again in"),
        ("Stop the worker", "Continuing after an interruption"),
    ],
)
async def test_a_trouble_is_reported_and_the_sync_ends_correctly(demo: str, open_page: OpenPage, title: str, line: str):
    """The button starts a sync, the log reports the trouble, and the figures at the end are the clinic's."""
    page = await open_page(demo)
    await expect_status(page, "Completed")
    before = await page.locator("#past tr").first.get_attribute("data-sync-id")
    await _make(page, title)
    await expect(page.locator("#log li.warning, #log li.info").filter(has_text=line).first).to_be_visible()
    await expect(page.locator(f"#past tr:first-child:not([data-sync-id='{before}'])")).to_be_visible()
    await expect_status(page, "Completed")
    await expect(page.locator("#active-stored")).to_have_text("89")


@pytest.mark.parametrize("width", [901, 1280, 1500, 1600, 1920])
async def test_no_card_has_an_empty_half(demo: str, open_page: OpenPage, width: int):
    """The cards of log, sync and troubles are as high as their content, beside a card of any height."""
    page = await open_page(demo)
    await expect_status(page, "Completed")
    await expect(page.locator("#log li.success").first).to_be_visible()
    await page.set_viewport_size({"width": width, "height": 900})
    if width >= 1500:  # with many latest changes; on narrower screens the log takes the height
        await page.locator("#patients").evaluate("card => card.style.minHeight = '900px'")
    for level in ("Success", "Warning", "Error"):
        await page.locator("#levels").get_by_role("button", name=level).click()
    await expect(page.locator("#log li.success")).to_have_count(0)
    # The heights follow the buttons a moment later.
    await page.wait_for_function(NO_EMPTY_HALF, timeout=20_000)


async def test_a_slow_source_takes_longer_and_ends_right(demo: str, open_page: OpenPage):
    """With slow responses the sync still shows progress, and nothing is lost."""
    page = await open_page(demo)
    await _make(page, "Slow source")
    await expect(page.locator("#time-so-far")).to_have_text(re.compile(r"Running for \d+ s"))
    await _make(page, "Behave again")
    await expect_status(page, "Completed")
    await expect(page.locator("#active-stored")).to_have_text("89")


async def test_moving_rows_change_the_list_and_not_the_active(demo: str, open_page: OpenPage):
    """Patients are added and removed during the read: more are found in the end, and the same ones are active."""
    page = await open_page(demo)
    await _make(page, "Rows that move")
    await expect(page.locator("#track.running")).to_be_visible()
    await expect_status(page, "Completed")
    await expect(page.locator("#active-stored")).to_have_text("89")
    assert int(await page.locator("#patients-found").inner_text()) > 641


async def test_without_a_connection_the_page_explains_the_disabled_buttons(demo: str, open_page: OpenPage):
    """The buttons that need a sync are disabled with a reason above them; the other button works by keyboard."""
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
    """The sync fails with advice; the key shown in the panel connects again, and the next sync works."""
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
    """The page counts down, and the sync can be cancelled. The last test here, as the key stays limited."""
    page = await open_page(demo)
    await _make(page, "Rate limit")
    await expect(page.locator("#waiting")).to_be_visible()
    await expect(page.locator("#step-text")).to_have_text(re.compile(r"Waiting for Cliniko's rate limit.* in \d+ s"))
    await page.get_by_role("button", name="Cancel").click()
    await expect_status(page, "Cancelled")


async def test_only_a_demo_has_the_panel(served: Served, open_page: OpenPage):
    """A server that is no demo has neither the panel nor the route."""
    page = await open_page(served.url)
    await expect_status(page, "Idle")
    await expect(page.locator("#trouble")).to_be_hidden()
    assert (await served.server.http.post(TROUBLE_PATH, json={"kind": "slow"})).status_code == 404


async def test_nonsense_is_refused_and_pages_elsewhere_too(demo: str):
    """Malformed bodies get a sentence, and pages of other origins can't cause trouble."""
    async with httpx.AsyncClient(base_url=demo) as client:
        for body in (b"", b"[", b"[]", b"3", b'{"kind": 3}', b'{"kind": "earthquake"}', b"[" * 100_000):
            answer = await client.post(TROUBLE_PATH, content=body)
            assert answer.status_code == 422, body
            assert "one of patients_change, slow, rate_limit" in answer.json()["detail"]
        headers = {"Origin": "https://elsewhere.example"}
        assert (await client.post(TROUBLE_PATH, json={"kind": "slow"}, headers=headers)).status_code == 403
