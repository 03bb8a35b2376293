"""GraphiQL shows refusals of the server, or of a proxy in front of it, as a sentence, never as an exception."""

import json
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.graphiql import (
    graphiql_files,  # noqa: F401 - a fixture
    open_tab,
    result_of,
    run_tab,
    stop,
    type_operation,
)
from tests.browser.serving import Served
from tests.node_projects import INSTALL_SECONDS
from tests.organization import ORGANIZATION

pytestmark = [IN_SESSION_LOOP, pytest.mark.timeout(INSTALL_SECONDS + 120), pytest.mark.usefixtures("graphiql_files")]

EXECUTE = "Execute query"
REFUSED_SUBSCRIPTIONS = {
    'subscription A { syncLog(syncId: "sync_unknown") { seq } }': "There is no sync with this id. The query `history` ",
    f'subscription B {{ dashboardUpdated(organizationId: "{ORGANIZATION}") {{ nothing }} }}': "Cannot query field",
    "subscription C($id: ID!) { syncLog(syncId: $id) { seq } }": "Variable '$id'",
    'subscription D { dashboardUpdated(organizationId: "a b") { status } }': "organization",
    "subscription E {": "Syntax Error",
}

PROBLEM = "application/problem+json"
ANSWERS = [
    (401, PROBLEM, '{"title": "Not authenticated", "detail": "Send a token."}', "Send a token."),
    (403, PROBLEM, '{"detail": "Not this origin.", "code": "X"}', "Not this origin."),
    (429, PROBLEM, '{"detail": "Try again in 3 s."}', "Try again in 3 s."),
    (503, PROBLEM, '{"title": "Took too long"}', "Took too long"),
    (502, "text/html", "<h1>Bad gateway</h1>", "The answer has status 502 and is not JSON."),
    (500, "application/json", "null", "The server answered with status 500."),
]


def _answer(status: int, kind: str, body: str) -> Callable[[Route], Awaitable[None]]:
    return lambda route: route.fulfill(status=status, content_type=kind, body=body)


async def _expect_error(page: Page, sentence: str) -> None:
    """Return once the result is an error with the sentence as its message, and the operation has ended."""
    await expect(result_of(page)).to_contain_text(sentence)
    shown = json.loads(await page.locator(".result-window .CodeMirror").evaluate("box => box.CodeMirror.getValue()"))
    assert sentence in shown["errors"][0]["message"]
    assert "stack" not in shown["errors"][0]
    await expect(page.get_by_role("button", name=EXECUTE)).to_be_visible()


async def test_a_refused_subscription_shows_its_message(served: Served, open_page: OpenPage):
    """The error message of a subscription is shown like a query's."""
    page = await open_page(f"{served.url}/graphql")
    await open_tab(page, "Log")
    for operation, message in REFUSED_SUBSCRIPTIONS.items():
        await type_operation(page, operation)
        await page.get_by_role("button", name=EXECUTE).click()
        await _expect_error(page, message)


async def test_a_server_that_is_gone_is_named(served: Served, open_page: OpenPage):
    """When the server ends, a subscription says so and resumes later; operations meanwhile get a sentence."""
    page = await open_page(f"{served.url}/graphql", line_may_break=True)
    result = result_of(page)
    await run_tab(page, "Watch")
    await expect(result).to_contain_text('"status": "IDLE"')
    await served.server.stop()
    await expect(result).to_contain_text("The connection to the server was lost. Trying again…")
    await served.server.start()
    await expect(result).to_contain_text('"status": "IDLE"')
    await stop(page)
    await served.server.stop()
    gone = f"The server at {served.url} can’t be reached."
    for tab in ("Dashboard", "Watch"):
        await run_tab(page, tab)
        await _expect_error(page, gone)
    await served.server.start()


async def test_a_refused_websocket_is_distinguished_from_a_dead_server(served: Served, open_page: OpenPage):
    """If only websockets fail, the sentence names the proxy as the probable cause."""
    served.proxy.refuse_sockets = True
    page = await open_page(f"{served.url}/graphql", line_may_break=True)
    await run_tab(page, "Watch")
    await _expect_error(page, "The server answers, but the websocket was refused.")


async def test_an_answer_that_is_no_result_shows_its_sentence(served: Served, open_page: OpenPage):
    """A refusal before GraphQL, or a proxy's page, is an error with a sentence in the result."""
    page = await open_page(f"{served.url}/graphql", line_may_break=True)
    await open_tab(page, "Dashboard")
    for status, kind, body, sentence in ANSWERS:
        await page.unroute_all()
        await page.route("**/graphql", _answer(status, kind, body))
        await page.get_by_role("button", name=EXECUTE).click()
        await _expect_error(page, sentence)
