"""What a reader learns without looking for it: the tab, freshness, the list of organizations."""

import re

import pytest
from playwright.async_api import expect

from routiq_gql.emulator import EMULATED_API_KEY
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import Served, expect_status, until_at_gate
from tests.organization import ORGANIZATION

pytestmark = IN_SESSION_LOOP

ICON = "document.querySelector('link[rel=icon]').href"


async def test_the_tab_shows_the_progress_and_is_restored(served: Served, open_page: OpenPage):
    """Title and icon of the tab have the percentage while a sync runs; afterwards the icon is the page's own again."""
    page = await open_page(served.url)
    await expect_status(page, "Idle")
    own = await page.evaluate(ICON)
    await until_at_gate(served, "patients", page, "Fetching patients")
    await expect(page).to_have_title(f"37 % · {served.emulator.clinic.name}")
    assert await page.evaluate(ICON) != own
    served.gate.open()
    await expect_status(page, "Completed")
    await expect(page).to_have_title(f"Completed · {served.emulator.clinic.name}")
    assert await page.evaluate(ICON) == own


async def test_the_page_says_how_fresh_the_data_is(served: Served, open_page: OpenPage):
    """Before the first sync nothing is said; after it, when the data was checked."""
    page = await open_page(served.url)
    await expect_status(page, "Idle")
    await expect(page.locator("#freshness")).to_be_hidden()
    await page.get_by_role("button", name="Start sync").click()
    await expect_status(page, "Completed")
    await expect(page.locator("#freshness-text")).to_have_text(re.compile(r"^Checked (just now|\d+ min ago)$"))


async def test_several_organizations_are_listed_with_a_search(serve: Serve, open_page: OpenPage):
    """The page without an organization lists those that it may show; each opens, and a search leaves matching ones."""
    served = await serve(default_organization=None)
    for name in ("org_second", "org_third"):
        await served.server.connect_organization(served.cliniko_url, EMULATED_API_KEY, name)
    await served.server.until_ended(await served.server.start_sync())
    page = await open_page(served.url)
    items = page.locator("#chooser-list li")
    await expect(items).to_have_count(3)
    await expect(items.filter(has_text=ORGANIZATION)).to_contain_text("Last success today")
    await expect(items.filter(has_text="org_third")).to_contain_text("Not synced yet")
    search = page.get_by_role("searchbox", name="Search organizations")
    await search.fill("SECOND")
    await expect(items).to_have_count(1)
    await search.fill("nothing of the kind")
    await expect(page.locator("#chooser-note")).to_have_text(
        "No organization has “nothing of the kind” in its name or id."
    )
    await search.fill("second")
    await items.get_by_role("link").click()
    await expect(page.locator("#organization-id")).to_have_text("org_second")
    assert page.url == f"{served.url}/?organization=org_second"


@pytest.mark.parametrize("default", [ORGANIZATION, None])
async def test_the_button_lists_the_organizations_of_every_server(
    serve: Serve, open_page: OpenPage, default: str | None
):
    """On a server with an organization of its own, as in a demo, "Organization…" lists all that are connected."""
    served = await serve(default_organization=default)
    page = await open_page(served.url)
    await expect_status(page, "Idle")
    change, place = page.get_by_role("button", name="Organization…"), page.locator("#place")
    await change.click()
    await expect(page.locator("#organization")).to_be_focused()
    await expect(page.locator("#chooser")).to_be_hidden()  # there is nothing to choose from
    await change.click()
    await expect(place).to_be_hidden()
    await served.server.connect_organization(served.cliniko_url, EMULATED_API_KEY, "org_second")
    await change.click()
    await expect(page.get_by_role("searchbox", name="Search organizations")).to_be_focused()
    items = page.locator("#chooser-list li")
    await expect(items).to_have_count(2)
    await expect(items.filter(has_text=ORGANIZATION).locator("a")).to_have_attribute("aria-current", "page")
    await items.filter(has_text="org_second").get_by_role("link").click()
    await expect(page.locator("#organization-id")).to_have_text("org_second")


async def test_the_chooser_stays_open_while_it_is_all_there_is(serve: Serve, open_page: OpenPage):
    """Without an organization, "Organization…" does not close the only content of the page."""
    served = await serve(default_organization=None, is_connected=False)
    page = await open_page(served.url)
    await expect(page.locator("#organization")).to_be_focused()
    await page.get_by_role("button", name="Organization…").click()
    await expect(page.locator("#organization")).to_be_focused()
    await expect(page.locator("#place")).to_be_visible()
