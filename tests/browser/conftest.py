"""The machine's Chromium, started once per session; a page with errors fails its test.

Playwright drives it but brings no browser itself. Tests with these fixtures are coroutines in the session's event loop,
in which the browser lives: each module says ``pytestmark = IN_SESSION_LOOP``.
"""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from routiq_gql.settings import Settings
from tests.browser.serving import Served, serving
from tests.machine import leave_out

IN_SESSION_LOOP = pytest.mark.asyncio(loop_scope="session")

PATIENCE_MILLISECONDS = 45_000
"""How long a page may take to show an expected element; far more than it needs on a slow machine."""

CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first of them that is installed. The headless shell is the same engine without the browser's own windows."""
CHROMIUM_OPTIONS = (
    "--no-sandbox",  # CI runs as root, where the sandbox does not start
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.example.test 127.0.0.1",  # pages of other origins, from this machine
)
LINE_ERRORS = (
    "Failed to load resource:",
    "WebSocket connection to ",
    "Access to fetch at ",
    "Connecting to ",  # forbidden by the page's Content-Security-Policy
    "Fetch API cannot load ",
)
"""Beginnings of Chromium's messages about failed requests, which a page can't prevent."""

OpenPage = Callable[..., Awaitable[Page]]
Serve = Callable[..., Awaitable[Served]]


def find_chromium() -> str | None:
    """Where Chromium is installed; ``None`` if it isn't."""
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The path of Chromium."""
    found = find_chromium()
    if found is None:
        leave_out("chromium is not installed; it is needed to see pages as people do")
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """Chromium without a window and with a fresh profile."""
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium_path, args=list(CHROMIUM_OPTIONS))
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """Opens a page: ``await open_page(url)``; further arguments are those of Playwright's ``new_context``.

    Every page has a separate profile. After the test no page may have had an error or a warning in its console. With
    ``line_may_break=True``, the browser's messages about failed requests are allowed. Without a URL the page is empty,
    for a test that sets up routes first.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    async def open_one(url: str = "", *, line_may_break: bool = False, **options: Any) -> Page:
        context = await browser.new_context(**options)
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        contexts.append(context)

        def note_console(message: ConsoleMessage) -> None:
            is_about_line = message.text.startswith(LINE_ERRORS)
            if message.type in {"error", "warning"} and not (line_may_break and is_about_line):
                errors.append(f"{message.type} in the console: {message.text}")

        context.on("console", note_console)
        context.on("weberror", lambda error: errors.append(f"uncaught: {error.error}"))
        page = await context.new_page()
        page.on("crash", lambda: errors.append("the page crashed"))
        if url:
            await page.goto(url)
        return page

    yield open_one
    for context in contexts:
        for page in context.pages:  # a route that still answers would raise in a later test
            await page.unroute_all(behavior="ignoreErrors")
        await context.close()
    assert errors == []


@pytest_asyncio.fixture(loop_scope="session")
async def serve(settings: Settings) -> AsyncIterator[Serve]:
    """Starts a server over an emulated Cliniko: ``await serve(clinic=…)``, with the arguments of ``serving``.

    A test names this fixture before ``open_page``, so that its pages are closed before their server.
    """
    async with AsyncExitStack() as running:

        async def start(**options: Any) -> Served:
            return await running.enter_async_context(serving(settings, **options))

        yield start


@pytest_asyncio.fixture(loop_scope="session")
async def served(serve: Serve) -> Served:
    """A server with an organization, connected to a small emulated clinic. Name it before ``open_page``."""
    return await serve()
