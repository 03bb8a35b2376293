"""Addresses of the page that can't work: each shows a sentence and a way out, and offers no useless retry."""

from datetime import timedelta

import pytest
from playwright.async_api import Route, expect

from routiq_gql.clock import utc_now
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.organization import ORGANIZATION
from tests.patients.clinics import ListedClinic, Person, Visit

pytestmark = IN_SESSION_LOOP

UNKNOWN = f"sync_{ORGANIZATION}_20200101_000000"


@pytest.mark.parametrize(
    ("address", "sentence", "way_out", "leads_to"),
    [
        ("changes=zzz", "There is no such sync", "Show the dashboard", "#patients"),
        (f"changes={UNKNOWN}", "There is no such sync", "Show the dashboard", "#patients"),
        ("changes={second}&since=zzz", "There is no such sync", "Show the dashboard", "#patients"),
        ("changes={first}&since={second}", "ended before the other", "Show the dashboard", "#patients"),
        ("list=ACTIVE&asOf=zzz", "can’t be shown", "Show the newest list", "#list-rows"),
        (f"list=ACTIVE&asOf={UNKNOWN}", "can’t be shown", "Show the newest list", "#list-rows"),
        ("sync=zzz", "There is no such sync", "All syncs", "#patients"),
        (f"sync={UNKNOWN}", "There is no such sync", "All syncs", "#patients"),
    ],
)
async def test_an_address_that_can_not_work_has_a_way_out(
    serve: Serve, open_page: OpenPage, address: str, sentence: str, way_out: str, leads_to: str
):
    """A link that was cut, or that leads to something removed, is explained; a retry would fail again."""
    served = await serve(is_connected=False)
    clinic = ListedClinic(served.server.runtime.database, ORGANIZATION)
    before = utc_now() - timedelta(hours=1)
    ana = Person(11, "Ana", "Adams", visits=(Visit(1, before - timedelta(days=3)),))
    ids = {"first": await clinic.sync([ana], before), "second": await clinic.sync([ana], utc_now())}
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}&{address.format(**ids)}")
    alert = page.get_by_role("alert").filter(visible=True).filter(has_text=sentence)
    await expect(alert).to_have_count(1)
    await expect(page.get_by_text("query `")).to_have_count(0)
    await expect(page.get_by_role("button", name="Ask again")).to_have_count(0)
    out = page.get_by_role("link", name=way_out).or_(page.get_by_role("button", name=way_out))
    await out.filter(visible=True).click()
    await expect(page.locator(leads_to)).to_be_visible()
    await expect(alert).to_have_count(0)


async def test_changes_that_a_busy_server_can_not_read_may_be_asked_for_again(serve: Serve, open_page: OpenPage):
    """A passing problem keeps its retry, which reads the changes."""
    served = await serve(is_connected=False)
    clinic = ListedClinic(served.server.runtime.database, ORGANIZATION)
    sync_id = await clinic.sync([Person(11, "Ana", "Adams")], utc_now())
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}")
    await expect(page.locator("#patients")).to_be_visible()
    is_broken = True

    async def refuse(route: Route) -> None:
        if is_broken and "syncChanges" in (route.request.post_data or ""):
            fault = {"message": "Internal error.", "extensions": {"code": "INTERNAL"}}
            await route.fulfill(json={"data": None, "errors": [fault]})
        else:
            await route.continue_()

    await page.route("**/graphql", refuse)
    await page.evaluate(
        "href => { history.pushState(null, '', href); dispatchEvent(new PopStateEvent('popstate')); }",
        f"?organization={ORGANIZATION}&changes={sync_id}",
    )
    await expect(page.locator("#changes-problem")).to_be_visible()
    await expect(page.locator("#changes-leave")).to_be_hidden()
    is_broken = False
    await page.get_by_role("button", name="Ask again").click()
    await expect(page.locator("#changes-problem")).to_be_hidden()
    await expect(page.locator("#changes-note")).to_contain_text("first sync of this kind")
