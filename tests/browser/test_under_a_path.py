"""The page under a path of a proxy, and at an address of another program."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import Served, expect_status, expect_whole_log, until_at_gate
from tests.deploy.conftest import StartNginx, nginx  # noqa: F401 - a fixture
from tests.organization import ORGANIZATION

pytestmark = IN_SESSION_LOOP


async def test_the_page_works_under_a_path(served: Served, nginx: StartNginx, open_page: OpenPage):  # noqa: F811
    """Behind nginx at /routiq/ the page follows a sync live, and all its requests are under that path."""
    proxy = await asyncio.to_thread(nginx, "routiq-under-a-path.conf", served.server.port)
    base = f"https://localhost:{proxy.port}/routiq/"
    page = await open_page(ignore_https_errors=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url.replace("wss:", "https:")))
    await page.goto(f"{base}?organization={ORGANIZATION}")
    await expect(page.locator("#link-text")).to_have_text("Live · websocket")
    await until_at_gate(served, "patients", page, "Fetching patients")
    served.gate.open()
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)
    assert [url for url in asked if not url.startswith(base)] == []


async def test_the_page_streams_under_a_path(served: Served, nginx: StartNginx, open_page: OpenPage):  # noqa: F811
    """The event stream, used when websockets are refused, is under the path, too."""
    served.proxy.refuse_sockets = True
    proxy = await asyncio.to_thread(nginx, "routiq-under-a-path.conf", served.server.port)
    base = f"https://localhost:{proxy.port}/routiq/"
    page = await open_page(f"{base}?organization={ORGANIZATION}", ignore_https_errors=True, line_may_break=True)
    await expect(page.locator("#link-text")).to_have_text("Live · server-sent events")
    await until_at_gate(served, "patients", page, "Fetching patients")
    served.gate.open()
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [(404, "text/html", "<h1>Not found</h1>"), (404, "application/json", "{}"), (200, "text/html", "<h1>Welcome</h1>")],
    ids=["a page for 404", "JSON for 404", "a page"],
)
async def test_another_program_at_the_address_is_named(
    served: Served, open_page: OpenPage, status: int, kind: str, body: str
):
    """If another program responds, the page says that there is no Routiq server at the address."""
    served.proxy.refuse_sockets = True
    page = await open_page(line_may_break=True)
    await page.route("**/graphql", lambda route: route.fulfill(status=status, content_type=kind, body=body))
    await page.goto(served.url)
    await expect(page.locator("#problem-text")).to_contain_text(f"There is no Routiq server at {served.url}/graphql.")
    await page.unroute("**/graphql")
    await expect(page.locator("#problem")).to_be_hidden()
    await expect_status(page, "Idle")
