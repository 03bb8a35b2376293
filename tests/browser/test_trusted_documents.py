"""The page with a server that executes trusted documents only: nothing that it asks is refused."""

from playwright.async_api import expect

from routiq_gql.api.graphql.trusted import requests
from routiq_gql.settings import Settings
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import expect_status, serving, until_at_gate
from tests.organization import ORGANIZATION

pytestmark = IN_SESSION_LOOP


async def test_the_page_asks_for_trusted_documents_only(settings: Settings, open_page: OpenPage, monkeypatch):
    """A person starts, cancels and follows syncs, opens an earlier one, a list and a patient."""
    refusals: list[str] = []

    def refuse() -> Exception:
        refusals.append("refused")
        return real()

    real = requests.not_trusted
    monkeypatch.setattr("routiq_gql.api.graphql.trusted.documents.not_trusted", refuse)
    async with serving(settings.model_copy(update={"documents_only": True})) as served:
        page = await open_page(served.url)
        await until_at_gate(served, "patients", page, "Fetching patients")
        await page.get_by_role("button", name="Cancel").click()
        await expect_status(page, "Cancelled")
        served.gate.open()
        await page.get_by_role("button", name="Start sync").click()
        await expect_status(page, "Completed")
        history = await served.server.http.get(f"/api/v1/sync/history/{ORGANIZATION}")
        sync_id = history.json()["recent_syncs"][0]["sync_id"]
        await page.locator("#figure-active a").click()
        await page.locator(".patient .name button").first.click()
        await expect(page.get_by_role("dialog").get_by_role("listitem").first).to_be_visible()
        await page.goto(f"{served.url}/?sync={sync_id}")
        await expect(page.locator("#opened-log li").first).to_be_visible()
        await page.context.close()
    assert refusals == []
