"""Several tabs of one browser share one connection, and each shows everything that its own reader may see.

Websockets are blocked here. An event stream takes one of the six connections that a browser opens to a server over
HTTP/1.1, so that tabs with a stream each would block each other.
"""

import pytest
from playwright.async_api import Page, Request, expect

from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.settings import Settings
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import Served, expect_status, expect_whole_log, serving, shown_log, until_at_gate
from tests.issuing import issuing, jwt_settings, use_token
from tests.organization import ORGANIZATION
from tests.waiting import until

pytestmark = IN_SESSION_LOOP

MORE_THAN_A_BROWSER_CONNECTS = 8
STREAMING = "Live · server-sent events"
SECOND = "org_second"
CAN_BE_HIDDEN = """
    window.isHiddenHere = false;
    Object.defineProperty(document, 'hidden', { get: () => window.isHiddenHere });
    Object.defineProperty(document, 'visibilityState', { get: () => (window.isHiddenHere ? 'hidden' : 'visible') });
"""
"""Without a window, Chromium reports every tab as visible."""
SET_HIDDEN = """isHidden => {
    window.isHiddenHere = isHidden;
    document.dispatchEvent(new Event('visibilitychange'));
}"""


class Tabs:
    """Tabs of one browser.

    Attributes:
        streamed: The tab of each request for an event stream, in order.
    """

    def __init__(self, first: Page) -> None:
        self.streamed: list[Page] = []
        self._context = first.context
        self._context.on("request", self._note)

    def _note(self, request: Request) -> None:
        if "/sync/stream/" in request.url:
            self.streamed.append(request.frame.page)

    async def open(self, url: str) -> Page:
        page = await self._context.new_page()
        await page.goto(url)
        return page


async def _open_tabs(served: Served, open_page: OpenPage, count: int) -> tuple[Tabs, list[Page]]:
    """Tabs with the page of the default organization, live by server-sent events."""
    served.proxy.refuse_sockets = True
    first = await open_page(line_may_break=True)
    await first.context.add_init_script(CAN_BE_HIDDEN)
    tabs = Tabs(first)
    await first.goto(served.url)
    pages = [first, *[await tabs.open(served.url) for _ in range(count - 1)]]
    for page in pages:
        await expect_status(page, "Idle")
        await expect(page.locator("#link-text")).to_have_text(STREAMING)
    return tabs, pages


async def _expect_followed(served: Served, pages: list[Page], status: str) -> None:
    """Return once every page shows the status, and each line of the log once."""
    for page in pages:
        await expect_status(page, status)
        await expect_whole_log(page, served)


async def test_eight_tabs_follow_a_sync_by_one_event_stream(served: Served, open_page: OpenPage):
    """More tabs than a browser has connections load, and show live the sync that is started in one of them."""
    _, pages = await _open_tabs(served, open_page, MORE_THAN_A_BROWSER_CONNECTS)
    await until_at_gate(served, "individual_appointments", pages[3], "Fetching appointments")
    await _expect_followed(served, pages, "Fetching appointments")
    assert served.proxy.open_streams == 1
    served.gate.open()
    await _expect_followed(served, pages, "Completed")
    assert served.proxy.most_streams == 1


@pytest.mark.parametrize("ending", ["closed", "reloaded"])
async def test_the_tab_that_holds_the_connection_ends(served: Served, open_page: OpenPage, ending: str):
    """Another tab connects in the middle of the sync, and no tab loses or repeats a line of the log."""
    tabs, pages = await _open_tabs(served, open_page, 4)
    await until_at_gate(served, "patients", pages[-1], "Fetching patients")
    await _expect_followed(served, pages, "Fetching patients")
    holder = tabs.streamed[-1]
    assert set(tabs.streamed) == {holder}
    if ending == "closed":
        pages.remove(holder)
        await holder.close()
    else:
        await holder.reload()
    served.gate.open()
    served.gate.hold("individual_appointments")
    await served.gate.reached()
    await _expect_followed(served, pages, "Fetching appointments")
    await until(lambda: served.proxy.open_streams == 1)
    assert tabs.streamed[-1] in pages
    assert tabs.streamed[-1] is not holder
    served.gate.open()
    await _expect_followed(served, pages, "Completed")


async def test_a_hidden_tab_gives_its_connection_to_a_visible_one(served: Served, open_page: OpenPage):
    """The visible tab connects, in each direction, and the hidden one continues to show everything."""
    tabs, (first, second) = await _open_tabs(served, open_page, 2)
    await until_at_gate(served, "patients", first, "Fetching patients")
    await _expect_followed(served, [first, second], "Fetching patients")
    assert set(tabs.streamed) == {first}
    await first.evaluate(SET_HIDDEN, True)
    await until(lambda: tabs.streamed[-1] is second)
    await until(lambda: served.proxy.open_streams == 1)
    served.gate.open()
    served.gate.hold("individual_appointments")
    await served.gate.reached()
    await _expect_followed(served, [first, second], "Fetching appointments")
    await second.evaluate(SET_HIDDEN, True)
    await first.evaluate(SET_HIDDEN, False)
    await until(lambda: tabs.streamed[-1] is first)
    await until(lambda: served.proxy.open_streams == 1)
    served.gate.open()
    await _expect_followed(served, [first, second], "Completed")


async def test_tabs_of_two_organizations_show_only_their_own(served: Served, open_page: OpenPage):
    """While one clinic syncs, the tab of another clinic stays as it is, and each follows its own sync."""
    await served.server.connect_organization(served.cliniko_url, EMULATED_API_KEY, SECOND)
    _, (ours,) = await _open_tabs(served, open_page, 1)
    theirs = await Tabs(ours).open(f"{served.url}/?organization={SECOND}")
    await expect_status(theirs, "Idle")
    await until_at_gate(served, "patients", ours, "Fetching patients")
    await expect_whole_log(ours, served)
    before = await shown_log(ours)
    await expect_status(theirs, "Idle")
    assert await shown_log(theirs) == []
    await theirs.get_by_role("button", name="Start sync").click()
    await expect_status(theirs, "Fetching patients")
    await until(lambda: served.proxy.open_streams == 2)
    await theirs.get_by_role("button", name="Cancel").click()
    await expect_status(theirs, "Cancelled")
    await expect_status(ours, "Fetching patients")
    assert await shown_log(ours) == before
    served.gate.open()
    await expect_status(ours, "Completed")
    await expect_whole_log(ours, served)
    await expect_status(theirs, "Cancelled")


@pytest.mark.parametrize(
    ("organization", "lifetime_seconds", "refusal"),
    [
        (ORGANIZATION, -60, "The token has expired."),
        ("org_other", 600, "This token belongs to another organization."),
    ],
)
async def test_a_tab_of_another_person_shows_nothing_that_its_token_does_not_allow(
    settings: Settings, open_page: OpenPage, organization: str, lifetime_seconds: int, refusal: str
):
    """A refused person sees no sync, though another tab shows it. With a good token the tab has its own connection."""
    async with issuing() as issuing_server:
        issuer = issuing_server.issuer
        async with serving(jwt_settings(settings, issuer)) as served:
            use_token(served.server, issuer.token(ORGANIZATION, role="admin", lifetime_seconds=3600))
            served.proxy.refuse_sockets = True
            mine = issuer.token(ORGANIZATION, role="admin", subject="user_1", lifetime_seconds=600)
            refused = issuer.token(organization, subject="user_2", lifetime_seconds=lifetime_seconds)
            page = await open_page(f"{served.url}/#token={mine}", line_may_break=True)
            await expect_status(page, "Idle")
            tabs = Tabs(page)
            other = await tabs.open(f"{served.url}/?organization={ORGANIZATION}#token={refused}")
            await expect(other.get_by_role("alert")).to_contain_text(refusal)
            await until_at_gate(served, "patients", page, "Fetching patients")
            await expect_whole_log(page, served)
            await expect(other.locator("#link-text")).to_have_text("Refused")
            await expect(other.locator("#sync")).to_be_hidden()
            assert await shown_log(other) == []

            await other.get_by_label("Token", exact=True).fill(
                issuer.token(ORGANIZATION, subject="user_2", lifetime_seconds=600)
            )
            await other.keyboard.press("Enter")
            await _expect_followed(served, [other], "Fetching patients")
            assert set(tabs.streamed) == {page, other}
            assert served.proxy.open_streams == 2
            served.gate.open()
            await _expect_followed(served, [page, other], "Completed")
            for one in [page, other]:
                await one.close()  # before their server
