"""GraphiQL with authentication: the field for a token, and a demo that fills tokens in by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from routiq_gql.api.auth import issued_tokens, session
from routiq_gql.emulator import Issuer
from routiq_gql.security.token_file import TokenFile
from routiq_gql.settings import Settings
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.graphiql import (
    graphiql_files,  # noqa: F401 - a fixture
    open_tab,
    query_text,
    result_of,
    run_tab,
    schema_requests,
    stop,
    until_stored,
)
from tests.browser.serving import Served, serving
from tests.cli.programs import Program
from tests.deploy.conftest import StartNginx, nginx  # noqa: F401 - a fixture
from tests.issuing import issuing, jwt_settings, use_token
from tests.node_projects import INSTALL_SECONDS
from tests.organization import ORGANIZATION
from tests.waiting import until

pytestmark = [IN_SESSION_LOOP, pytest.mark.timeout(INSTALL_SECONDS + 120), pytest.mark.usefixtures("graphiql_files")]

ASKED_FOR = "This server asks for a token. Type it into the field “Token” above."
TOKEN_PATH = "/issuer/token"


@dataclass
class Guarded:
    """A server with authentication, and its source of tokens."""

    served: Served
    token: Callable[..., str]
    """Another token for the organization."""
    issuer: Issuer | None = None

    @property
    def url(self) -> str:
        return f"{self.served.url}/graphql"

    @property
    def tokens_of_sockets(self) -> list[str]:
        frames = [seen["frame"] for seen in self.served.proxy.sockets if "frame" in seen]
        return [frame["payload"]["Authorization"].removeprefix("Bearer ") for frame in frames]


ServeGuarded = Callable[..., Awaitable[Guarded]]


@pytest_asyncio.fixture(loop_scope="session")
async def serve_guarded(settings: Settings, tmp_path: Path) -> AsyncIterator[ServeGuarded]:
    """Starts a server with ``token`` or ``jwt`` authentication."""
    async with AsyncExitStack() as running:

        async def start(auth: str, **more: object) -> Guarded:
            if auth == "token":
                file = TokenFile(tmp_path / "tokens")
                values = {"auth": "token", "tokens_file": str(tmp_path / "tokens"), "allowed_hosts": ("127.0.0.1",)}
                first = file.add(ORGANIZATION, ["admin"])[1]
                served = await running.enter_async_context(serving(settings.model_copy(update=values)))
                use_token(served.server, first)
                return Guarded(served, lambda **_: file.add(ORGANIZATION, ["admin"])[1])
            issuer = (await running.enter_async_context(issuing())).issuer
            token_path = TOKEN_PATH if more.pop("is_demo", False) else None
            served = await running.enter_async_context(
                serving(
                    jwt_settings(settings, issuer, **more),
                    extra_routes=issuer.routes("/issuer"),
                    token_path=token_path,
                )
            )
            use_token(served.server, issuer.token(ORGANIZATION, role="admin", lifetime_seconds=3600))
            subjects = iter(range(1000))

            def token(lifetime_seconds: float = 3600) -> str:
                subject = f"user_{next(subjects)}"
                return issuer.token(ORGANIZATION, role="admin", subject=subject, lifetime_seconds=lifetime_seconds)

            return Guarded(served, token, issuer)

        yield start


async def _use(page: Page, token: str) -> None:
    await page.get_by_label("Token", exact=True).fill(token)
    await page.get_by_role("button", name="Use this token").click()


async def _stored(page: Page) -> str:
    """All data stored beyond this tab, or visible in it."""
    kept: str = await page.evaluate("JSON.stringify(localStorage) + document.cookie + location.href")
    return kept + await page.content()


@pytest.mark.parametrize("auth", ["token", "jwt"])
async def test_a_typed_token_opens_queries_and_subscriptions(
    serve_guarded: ServeGuarded, open_page: OpenPage, auth: str
):
    """The page opens without a token and asks for one; with a token everything works, until it is removed."""
    guarded = await serve_guarded(auth)
    served, token = guarded.served, guarded.token()
    sync_id = await served.server.start_sync()
    await served.server.until_ended(sync_id)
    page = await open_page(line_may_break=True)
    schema_was_asked_for = schema_requests(page)
    await page.goto(guarded.url)
    result, refusal = result_of(page), page.locator("#token-refusal")
    field = page.get_by_label("Token", exact=True)
    await expect(field).to_be_visible()
    assert await field.get_attribute("type") == "password"
    found = await Axe().run(page, context="#token-form", options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()
    await run_tab(page, "Dashboard")
    await expect(result).to_contain_text(ASKED_FOR)
    await run_tab(page, "Watch")
    await expect(result).to_contain_text(ASKED_FOR)
    assert schema_was_asked_for() == 0
    assert served.proxy.sockets == []

    await _use(page, "garbage")
    await expect(refusal).to_have_text("This token is not accepted here.")
    await expect(page.locator("#token-state")).to_have_text("Use another token, or remove this one.")
    assert await field.input_value() == ""
    await run_tab(page, "Watch")
    await expect(result).to_contain_text("This token is not accepted here.")
    await expect(page.get_by_role("button", name="Execute query")).to_be_visible()
    asked_before = schema_was_asked_for()

    await _use(page, f"  Bearer {token} ")
    await expect(refusal).to_be_hidden()
    await until(lambda: schema_was_asked_for() > asked_before)
    await run_tab(page, "Dashboard")
    await expect(result).to_contain_text('"syncAvailable": true')
    await until_stored(page, sync_id)
    await open_tab(page, "Log")
    assert f'syncId: "{sync_id}"' in await query_text(page)
    await run_tab(page, "Watch")
    await expect(result).to_contain_text('"status": "IDLE"')
    served.gate.hold("patients")
    await served.server.start_sync()
    await expect(result).to_contain_text('"status": "FETCHING_PATIENTS"')

    await page.reload()
    await run_tab(page, "History")
    await expect(result).to_contain_text('"totalSyncs": 2')
    assert token not in await _stored(page)
    another = await page.context.new_page()
    await another.goto(guarded.url)
    await expect(another.locator("#token-state")).to_contain_text("This server asks for a token.")
    await another.close()

    await run_tab(page, "Watch")
    await expect(result).to_contain_text('"status": "FETCHING_PATIENTS"')
    await page.get_by_role("button", name="Remove").click()
    await expect(result).to_contain_text(ASKED_FOR)
    await expect(field).to_be_focused()
    await expect(page.locator("#token-state")).to_contain_text("This server asks for a token.")
    assert await page.evaluate("sessionStorage.length") == 0
    served.gate.open()


async def test_a_changed_token_reconnects_a_subscription(serve_guarded: ServeGuarded, open_page: OpenPage):
    """A subscription continues with the new token at once, over another websocket."""
    guarded = await serve_guarded("token")
    first, second = guarded.token(), guarded.token()
    page = await open_page(guarded.url)
    await _use(page, first)
    await run_tab(page, "Watch")
    await expect(result_of(page)).to_contain_text('"status": "IDLE"')
    assert guarded.tokens_of_sockets == [first]
    await _use(page, second)
    await until(lambda: guarded.tokens_of_sockets == [first, second])
    guarded.served.gate.hold("patients")
    await guarded.served.server.start_sync()
    await expect(result_of(page)).to_contain_text('"status": "FETCHING_PATIENTS"')
    guarded.served.gate.open()
    await stop(page)


async def test_a_subscription_resumes_when_an_expired_token_is_replaced(
    serve_guarded: ServeGuarded, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
):
    """When the token expires the page says so beside the field, and the next token continues the subscription."""
    for module in (session, issued_tokens):
        monkeypatch.setattr(module, "LEEWAY", timedelta(0))
    guarded = await serve_guarded("jwt", auth_grace_seconds=1)
    page = await open_page(guarded.url, line_may_break=True)
    await _use(page, guarded.token(lifetime_seconds=8))
    await run_tab(page, "Watch")
    await expect(result_of(page)).to_contain_text('"status": "IDLE"')
    sentence = "The token has expired. Reconnect with a new one."
    await expect(page.locator("#token-refusal")).to_have_text(sentence)
    await expect(result_of(page)).to_contain_text(sentence)
    await _use(page, guarded.token())
    await expect(page.locator("#token-refusal")).to_be_hidden()
    await expect(result_of(page)).to_contain_text('"status": "IDLE"')
    await stop(page)


async def test_an_authorization_header_typed_into_graphiql_wins(serve_guarded: ServeGuarded, open_page: OpenPage):
    """GraphiQL's header is sent instead of the token, over HTTP and websockets, and the page says so."""
    guarded = await serve_guarded("token")
    typed = guarded.token()
    page = await open_page(guarded.url, line_may_break=True)
    await _use(page, "garbage")
    await expect(page.locator("#token-refusal")).to_be_visible()
    await page.get_by_role("button", name="Headers").click()
    await page.locator(".graphiql-editor-tool .graphiql-editor:not(.hidden) .CodeMirror").click()
    await page.keyboard.insert_text(f'{{"authorization": "Bearer {typed}"}}')
    await page.get_by_role("button", name="Execute query").click()
    await expect(result_of(page)).to_contain_text('"syncAvailable": true')
    await expect(page.locator("#token-state")).to_contain_text("was sent instead")
    await expect(page.locator("#token-refusal")).to_be_hidden()


async def test_an_address_may_bring_the_token(serve_guarded: ServeGuarded, open_page: OpenPage):
    """A token behind #token= is used, as on the dashboard page, and removed from the address at once."""
    guarded = await serve_guarded("token")
    page = await open_page(f"{guarded.url}#token={guarded.token()}")
    assert page.url == guarded.url
    await run_tab(page, "Dashboard")
    await expect(result_of(page)).to_contain_text('"syncAvailable": true')


async def test_a_demo_fills_tokens_in(graphiql_files: None, tmp_path: Path, open_page: OpenPage):  # noqa: F811
    """In `demo --auth` every tab works without any input."""
    with Program("demo", "--auth", "--port", "0", "--seconds", "0", folder=tmp_path) as demo:
        await asyncio.to_thread(demo.wait_for, "Ctrl-C ends it")
        page = await open_page(f"{await asyncio.to_thread(demo.url)}/graphql")
        result = result_of(page)
        await expect(page.locator("#token-state")).to_contain_text("This demo fills in tokens of its own.")
        await run_tab(page, "Dashboard")
        await expect(result).to_contain_text('"syncAvailable": true')
        await run_tab(page, "Watch")
        await expect(result).to_contain_text('"patientsInCliniko": 641')
        await stop(page)
        await run_tab(page, "Log")
        await expect(result).to_contain_text('"message": "Sync completed successfully!"')


async def test_a_demo_replaces_tokens_that_have_expired(
    serve_guarded: ServeGuarded, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
):
    """A subscription outlives the demo's tokens, and a refused token is replaced before the next response."""
    for module in (session, issued_tokens):
        monkeypatch.setattr(module, "LEEWAY", timedelta(0))
    guarded = await serve_guarded("jwt", is_demo=True, auth_grace_seconds=0)
    assert guarded.issuer is not None
    guarded.issuer.lifetime_seconds = 3
    page = await open_page(guarded.url, line_may_break=True)
    await run_tab(page, "Watch")
    await until(lambda: len(set(guarded.tokens_of_sockets)) >= 3)
    await expect(result_of(page)).to_contain_text('"status": "IDLE"')
    await stop(page)
    await run_tab(page, "Dashboard")
    await expect(result_of(page)).to_contain_text('"syncAvailable": true')
    await expect(page.locator("#token-refusal")).to_be_hidden()


async def test_the_token_works_under_a_path(
    serve_guarded: ServeGuarded,
    nginx: StartNginx,  # noqa: F811
    open_page: OpenPage,
):
    """Behind nginx at /routiq/ a demo's tokens, queries and subscriptions stay under that path."""
    guarded = await serve_guarded("jwt", is_demo=True, allowed_hosts=("127.0.0.1", "localhost"))
    proxy = await asyncio.to_thread(nginx, "routiq-under-a-path.conf", guarded.served.server.port)
    base = f"https://localhost:{proxy.port}/routiq/"
    # Chromium may give up a resource over TLS with an unknown certificate: ERR_TOO_MANY_RETRIES, seen once.
    page = await open_page(ignore_https_errors=True, line_may_break=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url.replace("wss:", "https:")))
    await page.goto(f"{base}graphql")
    await run_tab(page, "Watch")
    await expect(result_of(page)).to_contain_text('"status": "IDLE"')
    await stop(page)
    assert [url for url in asked if not url.startswith(base)] == []
    assert any(url.startswith(f"{base}issuer/token?") for url in asked)
