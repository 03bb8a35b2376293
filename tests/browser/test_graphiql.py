"""GraphiQL in Chromium: it loads nothing from elsewhere, and runs what its tabs hold, subscriptions included."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from filelock import FileLock
from playwright.async_api import Page, expect

from routiq_gql.cli.demo import DEMO_ORGANIZATION
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.cli.programs import Program
from tests.node_projects import INSTALL_SECONDS, ROOT, program, run

pytestmark = [IN_SESSION_LOOP, pytest.mark.timeout(INSTALL_SECONDS + 120)]

TABS = ["Dashboard", "StartSync", "Watch", "Log", "CancelSync", "History"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, shared_folder: Path, npm: object) -> Iterator[Program]:
    """A demo that has GraphiQL's files, and a first sync behind it."""
    program("npm", "to install GraphiQL")
    make = program("make", "to put GraphiQL's files in their place")
    with FileLock(shared_folder / "graphiql.lock"):
        run(make, "graphiql", folder=ROOT, seconds=INSTALL_SECONDS)
    with Program("demo", "--port", "0", "--seconds", "0", folder=tmp_path_factory.mktemp("graphiql")) as running:
        running.wait_for("Ctrl-C ends it")
        yield running


async def _run_tab(page: Page, name: str) -> None:
    await page.get_by_role("tab", name=name).click()
    # The editor looks for the operation's name a moment after the text has changed.
    await page.wait_for_function("name => localStorage.getItem('graphiql:operationName') === name", arg=name)
    await page.get_by_role("button", name="Execute query").click()


async def test_graphiql_loads_nothing_from_elsewhere_and_runs_its_tabs(demo: Program, open_page: OpenPage):
    """A query, a subscription that sees a sync start, and each other tab: one click each."""
    url = demo.url()
    asked: list[str] = []
    page = await open_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    await page.goto(f"{url}/graphql")
    result = page.get_by_role("region", name="Result Window")
    await expect(page.get_by_role("tab")).to_have_text(TABS, use_inner_text=True)

    await _run_tab(page, "Dashboard")
    await expect(result).to_contain_text('"syncAvailable": true')

    await _run_tab(page, "Watch")
    await expect(result).to_contain_text('"patientsInCliniko": 641')
    async with httpx.AsyncClient(base_url=url) as client:
        before = (await client.get(f"/api/v1/sync/dashboard/{DEMO_ORGANIZATION}")).json()["last_sync"]["completed_at"]
        sync_id = (await client.post(f"/api/v1/sync/start/{DEMO_ORGANIZATION}")).json()["sync_id"]
        # Quick as this sync is, its end is shown in any case: the figures are of a later moment then.
        await expect(result).not_to_contain_text(before)
    await page.get_by_role("button", name="Stop query").click()

    await _run_tab(page, "History")
    await expect(result).to_contain_text('"successfulSyncs": 2')
    await _run_tab(page, "StartSync")
    await expect(result).to_contain_text('"message": "Sync started"')
    await _run_tab(page, "CancelSync")
    await expect(result).to_contain_text("SYNC_NOT_FOUND")  # whoever has not put a sync's id in yet is told so

    await page.get_by_role("tab", name="Log").click()
    await page.locator(".graphiql-query-editor .CodeMirror").click()
    await page.keyboard.press("Control+a")
    await page.keyboard.insert_text(f'subscription Log {{ syncLog(syncId: "{sync_id}", after: 1) {{ seq message }} }}')
    await page.wait_for_function("id => localStorage.getItem('graphiql:query').includes(id)", arg=sync_id)
    await page.get_by_role("button", name="Execute query").click()
    await expect(result).to_contain_text('"message": "Sync completed successfully!"')

    own = (url, url.replace("http", "ws"))
    assert [address for address in asked if not address.startswith(own)] == []
    assert {f"{own[1]}/graphql", f"{own[0]}/graphiql/graphiql.min.js"} <= set(asked)


async def test_graphiql_is_the_same_after_a_reload(demo: Program, open_page: OpenPage):
    """What was typed is kept in the browser, and no tab is added."""
    page = await open_page(f"{await asyncio.to_thread(demo.url)}/graphql")
    await expect(page.get_by_role("tab")).to_have_text(TABS, use_inner_text=True)
    await page.reload()
    await expect(page.get_by_role("tab")).to_have_text(TABS, use_inner_text=True)
