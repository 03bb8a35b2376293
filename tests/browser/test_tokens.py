"""The page with authentication: tokens are renewed, a user can enter one, and refusals are shown.

Tokens live for three seconds here, and sockets and streams end a second later: a real issuer, and no tolerance for
clocks. The page's behaviour is observed from a proxy in front of the server.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from routiq_gql.api.auth import issued_tokens, session
from routiq_gql.emulator import EMULATED_API_KEY, Issuer
from routiq_gql.settings import Settings
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import Served, expect_status, expect_whole_log, serving, until_at_gate
from tests.issuing import issuing, jwt_settings, use_token
from tests.organization import ORGANIZATION
from tests.waiting import until

pytestmark = IN_SESSION_LOOP

BRIEF_SECONDS = 3
TOKEN_PATH = "/issuer/token"
LOSE_RENEWALS = """
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) {
        const { type, payload } = JSON.parse(text);
        if (!(type === 'ping' && payload)) send.call(this, text);
    };
"""
"""Drops every ping with a fresh token, so that sockets end with their tokens."""

ServeWithTokens = Callable[..., Awaitable[Served]]


@pytest_asyncio.fixture(loop_scope="session")
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as server:
        server.issuer.lifetime_seconds = BRIEF_SECONDS
        yield server.issuer


@pytest_asyncio.fixture(loop_scope="session")
async def serve_with_tokens(
    settings: Settings, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ServeWithTokens]:
    """Starts a server with authentication. Accepts settings, and ``create_app``'s ``token_path``."""
    for module in (session, issued_tokens):
        monkeypatch.setattr(module, "LEEWAY", timedelta(0))
    running: list[Any] = []

    async def start(*, token_path: str | None = None, **more: Any) -> Served:
        guarded = jwt_settings(settings, issuer, **{"auth_grace_seconds": 1, **more})
        running.append(serving(guarded, extra_routes=issuer.routes("/issuer"), token_path=token_path))
        served: Served = await running[-1].__aenter__()
        use_token(served.server, issuer.token(ORGANIZATION, role="admin", lifetime_seconds=3600))
        return served

    yield start
    for one in running:
        await one.__aexit__(None, None, None)


def _tokens(seen: list[dict[str, Any]]) -> set[str]:
    return {one["authorization"] for one in seen if "authorization" in one}


@pytest.mark.parametrize("transport", ["websocket", "websocket that is renewed", "server-sent events", "polling"])
async def test_a_sync_is_followed_through_expired_tokens(
    serve_with_tokens: ServeWithTokens, open_page: OpenPage, transport: str
):
    """Over every transport, the page follows a sync through several tokens, and its log stays complete."""
    is_renewed = transport == "websocket that is renewed"
    served = await serve_with_tokens(token_path=TOKEN_PATH, auth_grace_seconds=20 if is_renewed else 1)
    proxy = served.proxy
    proxy.refuse_sockets = not transport.startswith("websocket")
    proxy.refuse_streams = transport == "polling"
    page = await open_page(line_may_break=True)
    if transport == "websocket":
        await page.add_init_script(LOSE_RENEWALS)
    await page.goto(served.url)

    def used() -> int:
        match transport:
            case "websocket":
                return len(proxy.sockets)
            case "websocket that is renewed":
                return len(proxy.renewals)
            case "server-sent events":
                return len(_tokens(proxy.streams))
        return len(_tokens(proxy.seen))

    async def through_tokens() -> None:
        before = used()
        await until(lambda: used() > before)

    await until_at_gate(served, "patients", page, "Fetching patients")
    await through_tokens()
    served.gate.open()
    served.gate.hold("individual_appointments")
    await served.gate.reached()
    await expect_status(page, "Fetching appointments")
    await through_tokens()
    await expect_whole_log(page, served)
    served.gate.open()
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)
    await expect(page.locator("#link-text")).to_have_text(f"Live · {transport.removesuffix(' that is renewed')}")
    await expect(page.locator("#sign-in")).to_be_hidden()
    if is_renewed:
        assert len(proxy.sockets) == 1
        assert len({one["Authorization"] for one in proxy.renewals}) == len(proxy.renewals)


async def test_a_reader_is_asked_for_a_token(serve_with_tokens: ServeWithTokens, issuer: Issuer, open_page: OpenPage):
    """A field accepts a token, keeps it in memory, and returns after its expiry; the display stays and continues."""
    served = await serve_with_tokens()
    page = await open_page(served.url)
    form, field, sentence = page.locator("#sign-in"), page.get_by_label("Token", exact=True), page.get_by_role("alert")
    await expect(form).to_be_visible()
    await expect(sentence).to_contain_text("The token says who you are")
    assert await field.get_attribute("type") == "password"
    assert await field.get_attribute("autocomplete") == "off"
    await expect(page.locator("#sync")).to_be_hidden()
    assert await _serious_findings(page) == []

    await field.fill("two words")
    await field.press("Enter")
    assert await field.evaluate("field => field.validity.patternMismatch")
    await field.fill("garbage")
    await field.press("Enter")
    await expect(sentence).to_have_text("This token is not accepted here.")
    await expect(field).to_be_focused()
    await expect(page.locator("#link-text")).to_have_text("Refused")
    attempts = len(served.proxy.sockets)
    assert attempts == 2  # without a token, and with a wrong token; neither was repeated

    await field.fill(f"  Bearer {issuer.token(ORGANIZATION, role='admin', lifetime_seconds=600)} ")
    await field.press("Enter")
    await expect(form).to_be_hidden()
    await expect(page.locator("#title")).to_be_focused()  # the form has disappeared; the focus must not start over
    assert await field.input_value() == ""
    await until_at_gate(served, "patients", page, "Fetching patients")
    assert len(served.proxy.sockets) == attempts + 1
    assert await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]

    await page.reload()
    brief = issuer.token(ORGANIZATION, lifetime_seconds=10)
    await field.fill(brief)
    await page.get_by_role("button", name="Use this token").click()
    await expect_status(page, "Fetching patients")
    await expect(form).to_be_visible()
    await expect(sentence).to_have_text("The token has expired. Reconnect with a new one.")
    assert brief not in await page.content()
    await expect(page.locator("#log li").first).to_be_visible()
    served.gate.open()
    await field.fill(issuer.token(ORGANIZATION, lifetime_seconds=600))
    await field.press("Enter")
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)


async def _serious_findings(page: Page) -> list[str]:
    found = await Axe().run(page, options={"resultTypes": ["violations"]})
    return [one["id"] for one in found.response["violations"] if one["impact"] in {"serious", "critical", "moderate"}]


async def test_a_refused_action_is_reported_beside_its_button(
    serve_with_tokens: ServeWithTokens, issuer: Issuer, open_page: OpenPage
):
    """Start and Connect are refused with a sentence beside the button, and the page continues to follow."""
    served = await serve_with_tokens(start_roles=("admin",), auth_grace_seconds=600)
    token = issuer.token(ORGANIZATION, role="member", lifetime_seconds=600)
    page = await open_page(f"{served.url}/#token={token}")
    await expect_status(page, "Idle")
    message = page.locator("#sync-message")
    await expect(message).to_be_empty()
    await page.get_by_role("button", name="Start sync").click()
    await expect(message).to_contain_text("You may not start syncs")
    await page.locator("#connect-summary").click()
    await page.get_by_label("Cliniko API key").fill(EMULATED_API_KEY)
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.locator("#connect-message")).to_contain_text("You may not change the connection to Cliniko")
    assert EMULATED_API_KEY not in await page.content()
    await expect(page.locator("#problem")).to_be_hidden()
    await expect(page.locator("#sign-in")).to_be_hidden()
    assert await _serious_findings(page) == []
    served.gate.hold("patients")
    await served.server.start_sync()
    await expect_status(page, "Fetching patients")
    await page.get_by_role("button", name="Cancel").click()  # every member may cancel
    await expect_status(page, "Cancelled")
    await expect(message).to_be_empty()


async def test_another_organization_is_refused_with_a_sentence(
    serve_with_tokens: ServeWithTokens, issuer: Issuer, open_page: OpenPage
):
    """For a token of another organization, the page says so, asks for another token, and does not repeat requests."""
    served = await serve_with_tokens(auth_grace_seconds=600)
    token = issuer.token("org_other", lifetime_seconds=600)
    page = await open_page(f"{served.url}/#token={token}")
    await expect(page.get_by_role("alert")).to_have_text("This token belongs to another organization.")
    assert len(served.proxy.sockets) == 1
    await page.get_by_label("Token", exact=True).fill(issuer.token(ORGANIZATION, lifetime_seconds=600))
    await page.keyboard.press("Enter")
    await expect_status(page, "Idle")
    assert len(served.proxy.sockets) == 2


async def test_refused_tokens_are_not_asked_for_in_a_hot_loop(
    serve_with_tokens: ServeWithTokens, issuer: Issuer, open_page: OpenPage
):
    """A refused token is retried once at once, then with growing pauses; a good token is used without a click."""
    served = await serve_with_tokens(auth_grace_seconds=600)
    page = await open_page()
    tokens = {"expired": issuer.token(ORGANIZATION, lifetime_seconds=-60)}
    await page.expose_function("routiqGetToken", lambda: tokens.get("good", tokens["expired"]))
    await page.goto(served.url)
    await until(lambda: len(served.proxy.sockets) >= 4)
    at = [one["at"] for one in served.proxy.sockets]
    waits = [later - earlier for earlier, later in pairwise(at)]
    assert waits[1] > 0.2
    assert waits[2] > 0.4
    await expect(page.locator("#problem")).to_contain_text("The token has expired.")
    tokens["good"] = issuer.token(ORGANIZATION, lifetime_seconds=600)
    await expect_status(page, "Idle")
    await expect(page.locator("#problem")).to_be_hidden()


async def test_a_token_for_another_person_ends_the_socket_and_opens_another(
    serve_with_tokens: ServeWithTokens, issuer: Issuer, open_page: OpenPage
):
    """After another person signs in on the surrounding page, a new socket opens at once, and no line is lost."""
    served = await serve_with_tokens(auth_grace_seconds=600)
    page = await open_page()
    people = {"now": "user_1"}

    async def token() -> str:
        return issuer.token(ORGANIZATION, role="admin", subject=people["now"], lifetime_seconds=BRIEF_SECONDS)

    await page.expose_function("routiqGetToken", token)
    await page.goto(served.url)
    await until_at_gate(served, "patients", page, "Fetching patients")
    await until(lambda: len(served.proxy.renewals) >= 1)
    assert len(served.proxy.sockets) == 1
    people["now"] = "user_2"
    await until(lambda: len(served.proxy.sockets) >= 2)
    served.gate.open()
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)


async def test_a_page_around_that_is_signed_out_is_tried_again_by_a_click(
    serve_with_tokens: ServeWithTokens, issuer: Issuer, open_page: OpenPage
):
    """Without a token from the surrounding page there is a button instead of a field, and no request until a click."""
    served = await serve_with_tokens(auth_grace_seconds=600)
    page = await open_page()
    tokens: list[str] = []
    await page.expose_function("routiqGetToken", lambda: tokens[-1] if tokens else None)
    await page.goto(served.url)
    await expect(page.get_by_role("alert")).to_contain_text("Sign in, and try again.")
    await expect(page.get_by_label("Token", exact=True)).to_be_hidden()
    assert len(served.proxy.sockets) == 1
    tokens.append(issuer.token(ORGANIZATION, lifetime_seconds=600))
    await page.get_by_role("button", name="Try again").click()
    await expect_status(page, "Idle")
    await expect(page.locator("#sign-in")).to_be_hidden()
