"""GraphiQL's files, and a user's actions on its page."""

from collections.abc import Callable

import pytest
from filelock import FileLock
from playwright.async_api import Locator, Page

from routiq_gql.api.graphql.ide import OURS
from tests.node_projects import INSTALL_SECONDS, ROOT, program, run

GRAPHIQL = ROOT / "examples" / "graphiql"


@pytest.fixture(scope="session")
def graphiql_files(npm: object) -> None:
    """Puts GraphiQL's files, as npm ships them, into the server's folder for them. Tests with it need npm."""
    program("npm", "to install GraphiQL")
    with FileLock(GRAPHIQL / "node_modules.lock"):
        run(program("make", "to put GraphiQL's files in their place"), "graphiql", folder=ROOT, seconds=INSTALL_SECONDS)
    assert (OURS / "assets").is_dir()


def result_of(page: Page) -> Locator:
    """The pane with the result."""
    return page.get_by_role("region", name="Result Window")


async def open_tab(page: Page, name: str) -> None:
    """Switch to a tab and return once GraphiQL has its operation."""
    await page.get_by_role("tab", name=name).click()
    await page.wait_for_function("name => localStorage.getItem('graphiql:operationName') === name", arg=name)


async def run_tab(page: Page, name: str) -> None:
    """Switch to a tab and execute it."""
    await open_tab(page, name)
    await page.get_by_role("button", name="Execute query").click()


async def stop(page: Page) -> None:
    """End the running subscription."""
    await page.get_by_role("button", name="Stop query").click()


async def type_operation(page: Page, text: str) -> None:
    """Replace the text of the open tab, and return once GraphiQL has stored it."""
    await page.locator(".graphiql-query-editor .CodeMirror").click()
    await page.keyboard.press("Control+a")
    await page.keyboard.insert_text(text)
    await until_stored(page, text)


async def until_stored(page: Page, text: str) -> None:
    """Return once a stored tab contains the text."""
    await page.wait_for_function(
        "text => JSON.parse(localStorage.getItem('graphiql:tabState') ?? '{\"tabs\": []}')"
        ".tabs.some((tab) => tab.query.includes(text))",
        arg=text,
    )


async def query_text(page: Page) -> str:
    """The text of the open tab."""
    text: str = await page.locator(".graphiql-query-editor .CodeMirror").evaluate("box => box.CodeMirror.getValue()")
    return text


def schema_requests(page: Page) -> Callable[[], int]:
    """How many requests for the schema the page has sent from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.post_data or ""))
    return lambda: sum("IntrospectionQuery" in body for body in asked)
