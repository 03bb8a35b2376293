"""Pages that don't come from the server: a file, a documented page on another origin, and their authentication."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.async_api import expect

from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import PAGE, Served, expect_status, expect_whole_log, until_at_gate
from tests.organization import ORGANIZATION

pytestmark = IN_SESSION_LOOP


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class has it
        pass


@pytest.fixture
def other_origin() -> Iterator[str]:
    """A web server of another origin, with the documented page."""
    handler = partial(_Quiet, directory=str(Path(__file__).parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://app.example.test:{server.server_port}"
        server.shutdown()
        thread.join()


def _documented(origin: str, served: Served, **parameters: str) -> str:
    given = {"organization": ORGANIZATION, "api": f"{served.url}/api/v1", **parameters}
    return f"{origin}/documented_page.html?{urlencode(given)}"


async def test_the_documented_flow_works_from_an_allowed_origin(serve: Serve, other_origin: str, open_page: OpenPage):
    """A page on another origin starts a sync and polls each second until it is completed."""
    served = await serve(allowed_origins=(other_origin,))
    page = await open_page(_documented(other_origin, served))
    served.gate.hold("patients")
    await page.click("#start")
    await expect(page.locator("#status")).to_have_text("fetching_patients")
    served.gate.open()
    await expect(page.locator("#status")).to_have_text("completed")
    await expect(page.locator("#percentage")).to_have_text("100")
    await expect(page.locator("#step")).to_have_text("Sync completed successfully!")


async def test_the_documented_habits_do_no_harm(serve: Serve, other_origin: str, open_page: OpenPage):
    """Cancelling, losing the id, restarting at once, and an unknown id: the page shows a word, never a number."""
    served = await serve(allowed_origins=(other_origin,))
    page = await open_page(_documented(other_origin, served, sync="sync_unknown"), line_may_break=True)
    await page.wait_for_function("window.shown.length > 0")
    served.gate.hold("patients")
    await page.click("#start")
    await expect(page.locator("#status")).to_have_text("fetching_patients")
    first = await served.sync()
    await page.click("#cancel")
    await expect(page.locator("#status")).to_have_text("failed")
    await page.click("#start")
    served.gate.open()
    await expect(page.locator("#status")).to_have_text("completed")
    assert (await served.sync())["syncId"] != first["syncId"]
    words = {"starting", "fetching_patients", "fetching_appointments", "analyzing", "storing", "completed", "failed"}
    assert {word for word in await page.evaluate("window.shown") if word is not None} <= words


async def test_a_page_of_another_origin_is_kept_out(served: Served, other_origin: str, open_page: OpenPage):
    """An origin that is not allowed can neither start a sync nor read anything."""
    page = await open_page(_documented(other_origin, served), line_may_break=True)
    attempt = f"""async () => {{
        try {{
            await fetch('{served.url}/api/v1/sync/start/{ORGANIZATION}', {{ method: 'POST' }});
            return 'answered';
        }} catch (error) {{ return error.name; }}
    }}"""
    assert await page.evaluate(attempt) == "TypeError"
    assert (await served.server.http.get(f"/api/v1/sync/history/{ORGANIZATION}")).json()["total_syncs"] == 0


HEADERS_OF_LIBRARIES = {
    "content-type": "application/json",
    "x-request-id": "page-17",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "congo=t61rcWkgMzE",
    "baggage": "sentry-environment=production",
    "sentry-trace": "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
    "apollographql-client-name": "web",
    "apollographql-client-version": "1.0",
    "apollo-require-preflight": "true",
    "x-apollo-operation-name": "Type",
    "cache-control": "no-cache",
    "idempotency-key": "1",
    "last-event-id": "1.1",
    "authorization": "Bearer x",
}
ASK = """async ([url, options]) => {
    try {
        const answer = await fetch(url, options);
        const read = (name) => answer.headers.get(name);
        return { status: answer.status, text: await answer.text(), id: read('x-request-id') };
    } catch (error) { return { error: error.name }; }
}"""


async def test_a_page_of_an_allowed_origin_may_use_any_library(serve: Serve, other_origin: str, open_page: OpenPage):
    """Headers for tracing, error reports and caches are allowed, and the page can read refusals."""
    served = await serve(allowed_origins=(other_origin,))
    page = await open_page(f"{other_origin}/", line_may_break=True)

    async def ask(path: str, body: str, *, server: str = served.url, **options: str) -> dict[str, Any]:
        given = {"method": "POST", "headers": HEADERS_OF_LIBRARIES, "body": body, **options}
        return dict(await page.evaluate(ASK, [f"{server}{path}", given]))

    query = json.dumps({"query": "query Type { __typename }", "operationName": ""})
    answer = await ask("/graphql", query)
    assert answer == {"status": 200, "text": '{"data":{"__typename":"Query"}}', "id": "page-17"}
    elsewhere = served.url.replace("127.0.0.1", "sync.example.test")
    for status, sentence, refused in [
        (400, "not JSON", await ask("/graphql", "{")),
        (404, "Nothing is served at this address", await ask("/nowhere", query)),
        (405, "This method is not supported", await ask("/healthz", query)),
        (413, "at most 256 KiB", await ask("/graphql", "x" * 300_000)),
        (413, "at most 256 KiB", await ask("/graphql", "x" * 3_000_000)),
        (421, "ROUTIQ_ALLOWED_HOSTS", await ask("/graphql", query, server=elsewhere)),
    ]:
        assert (refused.get("status"), refused.get("id")) == (status, "page-17"), refused
        assert sentence in refused["text"]
    # There are no cookies, and the browser refuses to send any.
    assert await ask("/graphql", query, credentials="include") == {"error": "TypeError"}


async def test_the_file_opened_by_double_click_works(serve: Serve, open_page: OpenPage):
    """Opened from the file system, the page follows a server that accepts such pages, as the demo does."""
    served = await serve(allow_null_origin=True)
    address = f"{PAGE.as_uri()}?{urlencode({'organization': ORGANIZATION, 'api': served.url})}"
    page = await open_page(address)
    await expect(page.locator("#link-text")).to_have_text("Live · websocket")
    await until_at_gate(served, "patients", page, "Fetching patients")
    await page.reload()
    await expect_status(page, "Fetching patients")
    served.gate.open()
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)
    await expect(page.locator("#patients-figure")).to_contain_text("patients seen recently or booked soon")
    await page.get_by_role("button", name="Organization…").click()
    await expect(page.get_by_label("API address")).to_have_value(f"{served.url}/api/v1")
    await page.get_by_label("API address").fill("localhost")
    await page.get_by_label("API address").press("Enter")  # the browser itself refuses an invalid URL
    await page.get_by_label("API address").fill("ftp://localhost/")
    await page.get_by_label("API address").press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("http")


async def test_a_token_comes_from_the_fragment_and_leaves_the_address(served: Served, open_page: OpenPage):
    """It is sent with requests and in connection_init, and neither the address nor the server's log shows it."""
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}#token=from-the-link")
    await expect_status(page, "Idle")
    assert page.url == f"{served.url}/?organization={ORGANIZATION}"
    await page.get_by_role("button", name="Start sync").click()
    await expect_status(page, "Completed")
    api = [seen for seen in served.proxy.seen if seen["path"] == "/graphql"]
    assert {seen["authorization"] for seen in api if seen["type"] == "http"} == {"Bearer from-the-link"}
    frames = [seen["frame"] for seen in api if seen["type"] == "websocket"]
    assert frames == [{"type": "connection_init", "payload": {"Authorization": "Bearer from-the-link"}}]
    assert "from-the-link" not in await page.content()


async def test_a_callback_brings_a_fresh_token_each_time(served: Served, open_page: OpenPage):
    """A surrounding page may supply tokens; it is asked for each request and each stream, before the link's token."""
    served.proxy.refuse_sockets = True
    page = await open_page(line_may_break=True)
    await page.add_init_script("let count = 0; window.routiqGetToken = async () => `fresh-${++count}`")
    await page.goto(f"{served.url}/?organization={ORGANIZATION}#token=from-the-link")
    await until_at_gate(served, "patients", page, "Fetching patients")
    served.gate.open()
    await expect_status(page, "Completed")
    sent = [seen["authorization"] for seen in served.proxy.seen if "authorization" in seen]
    assert len(set(sent)) == len(sent) > 2
    assert all(one.startswith("Bearer fresh-") for one in sent)
    assert any("/stream/" in seen["path"] and "authorization" in seen for seen in served.proxy.seen)
