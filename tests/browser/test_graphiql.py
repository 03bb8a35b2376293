"""GraphiQL in Chromium: it loads nothing from other servers, and runs the operations of its tabs."""

import asyncio
import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.async_api import expect

from routiq_gql.cli.demo import DEMO_ORGANIZATION
from routiq_gql.emulator import EMULATED_API_KEY
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.graphiql import (
    graphiql_files,  # noqa: F401 - a fixture
    open_tab,
    query_text,
    result_of,
    run_tab,
    stop,
    type_operation,
    until_stored,
)
from tests.browser.serving import Served
from tests.cli.programs import Program
from tests.node_projects import INSTALL_SECONDS
from tests.organization import ORGANIZATION

pytestmark = [IN_SESSION_LOOP, pytest.mark.timeout(INSTALL_SECONDS + 120), pytest.mark.usefixtures("graphiql_files")]

TABS = ["Dashboard", "StartSync", "Watch", "Log", "CancelSync", "History", "Patients", "Webhooks"]


@pytest.fixture(scope="module")
def demo(graphiql_files: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:  # noqa: F811
    """A demo with GraphiQL's files and an ended first sync."""
    with Program(
        "demo", "--still", "--port", "0", "--seconds", "0", folder=tmp_path_factory.mktemp("graphiql")
    ) as running:
        running.wait_for("Ctrl-C ends it")
        yield running


async def test_graphiql_loads_nothing_from_elsewhere_and_runs_its_tabs(demo: Program, open_page: OpenPage):
    """A query, a subscription that shows the start of a sync, and each other tab run with one click each."""
    url = demo.url()
    asked: list[str] = []
    page = await open_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    await page.goto(f"{url}/graphql")
    result = result_of(page)
    await expect(page.get_by_role("tab")).to_have_text(TABS, use_inner_text=True)

    await run_tab(page, "Dashboard")
    await expect(result).to_contain_text('"syncAvailable": true')

    await run_tab(page, "Watch")
    await expect(result).to_contain_text('"patientsInCliniko": 641')
    async with httpx.AsyncClient(base_url=url) as client:
        before = (await client.get(f"/api/v1/sync/dashboard/{DEMO_ORGANIZATION}")).json()["last_sync"]["completed_at"]
        sync_id = (await client.post(f"/api/v1/sync/start/{DEMO_ORGANIZATION}")).json()["sync_id"]
        # However quick this sync is, its end is shown; the figures may be from a later moment.
        await expect(result).not_to_contain_text(before)
    await stop(page)

    await run_tab(page, "History")
    await expect(result).to_contain_text('"successfulSyncs": 2')
    await run_tab(page, "Patients")
    await expect(result).to_contain_text('"sentence": "')
    await run_tab(page, "Webhooks")
    await expect(result).to_contain_text('"webhooks": []')
    await run_tab(page, "StartSync")
    await expect(result).to_contain_text('"message": "Sync started"')
    await run_tab(page, "CancelSync")
    await expect(result).to_contain_text(re.compile('"status": "(CANCELLED|COMPLETED)"'))

    await open_tab(page, "Log")
    await type_operation(page, f'subscription Log {{ syncLog(syncId: "{sync_id}", after: 1) {{ seq message }} }}')
    await page.get_by_role("button", name="Execute query").click()
    await expect(result).to_contain_text('"message": "Sync completed successfully!"')

    await expect(page.locator("#token-form")).to_be_hidden()
    own = (url, url.replace("http", "ws"))
    assert [address for address in asked if not address.startswith(own)] == []
    assert {f"{own[1]}/graphql", f"{own[0]}/graphiql/graphiql.min.js"} <= set(asked)


async def test_graphiql_is_the_same_after_a_reload(demo: Program, open_page: OpenPage):
    """The typed text is stored in the browser, and no tab is added."""
    page = await open_page(f"{await asyncio.to_thread(demo.url)}/graphql")
    await expect(page.get_by_role("tab")).to_have_text(TABS, use_inner_text=True)
    await page.reload()
    await expect(page.get_by_role("tab")).to_have_text(TABS, use_inner_text=True)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        pytest.param({"query": None}, "query History { id }", id="tabs before text"),
        pytest.param({"query": "query Other { id }"}, "query Other { id }", id="text before tabs"),
        pytest.param({"variables": '{"limit": 1}'}, "query History { id }", id="variables before tabs"),
        pytest.param({"query": None, "variables": '{"limit": 1}'}, "query History { id }", id="variables before text"),
    ],
)
async def test_a_reload_between_two_writes_of_graphiql_adds_no_tab(
    demo: Program, open_page: OpenPage, stored: dict[str, str | None], shown: str
):
    """GraphiQL stores its text, variables and tabs at different moments; a reload in between keeps text and tabs."""
    url = await asyncio.to_thread(demo.url)
    page = await open_page(f"{url}/graphql", line_may_break=True)  # the page below has no icon
    await open_tab(page, "History")
    await type_operation(page, "query History { id }")
    await page.goto(f"{url}/healthz")  # of this origin, without GraphiQL
    await page.evaluate(
        "stored => Object.entries(stored).forEach(([name, text]) => text === null"
        " ? localStorage.removeItem(`graphiql:${name}`) : localStorage.setItem(`graphiql:${name}`, text))",
        stored,
    )
    await page.goto(f"{url}/graphql")
    tabs = ["Other" if name == "History" and "Other" in shown else name for name in TABS]
    await expect(page.get_by_role("tab")).to_have_text(tabs, use_inner_text=True)
    assert await query_text(page) == shown


async def test_log_and_cancel_hold_the_newest_sync(served: Served, open_page: OpenPage):
    """The tabs for a sync's log and for cancelling contain the newest sync, replaced when a new one starts."""
    first = await served.server.start_sync()
    await served.server.until_ended(first)
    page = await open_page(f"{served.url}/graphql")
    await until_stored(page, first)
    for name in ("CancelSync", "Log"):
        await open_tab(page, name)
        assert f'syncId: "{first}"' in await query_text(page)
    await run_tab(page, "Log")
    await expect(result_of(page)).to_contain_text('"message": "Sync completed successfully!"')

    served.gate.hold("patients")
    await run_tab(page, "StartSync")
    await expect(result_of(page)).to_contain_text('"created": true')
    second = (await served.sync())["syncId"]
    assert second != first
    await run_tab(page, "CancelSync")
    await expect(result_of(page)).to_contain_text('"status": "CANCELLED"')
    assert f'syncId: "{second}"' in await query_text(page)
    served.gate.open()

    third = await served.server.start_sync()
    await page.reload()
    await until_stored(page, third)
    await open_tab(page, "Log")
    assert f'syncId: "{third}"' in await query_text(page)
    await expect(page.get_by_role("tab")).to_have_text(TABS, use_inner_text=True)


async def test_a_sync_that_was_typed_in_stays(served: Served, open_page: OpenPage):
    """A manually entered older sync stays in the tab when a newer sync starts, and after a reload."""
    older = await served.server.start_sync()
    await served.server.until_ended(older)
    page = await open_page(f"{served.url}/graphql")
    await open_tab(page, "Log")
    typed = f'subscription Log {{ syncLog(syncId: "{older}x", after: 1) {{ seq }} }}'
    await type_operation(page, typed)
    await run_tab(page, "StartSync")
    await expect(result_of(page)).to_contain_text('"created": true')
    newer = (await served.sync())["syncId"]
    await page.reload()
    await until_stored(page, newer)
    await open_tab(page, "Log")
    assert await query_text(page) == typed


async def test_before_the_first_sync_the_tabs_say_where_its_id_is_found(served: Served, open_page: OpenPage):
    """Without any sync the tabs have no id; the first sync seen in any tab is filled in."""
    page = await open_page(f"{served.url}/graphql")
    await open_tab(page, "Log")
    assert "the syncId that another tab shows" in await query_text(page)
    await run_tab(page, "Watch")
    await expect(result_of(page)).to_contain_text('"status": "IDLE"')
    sync_id = await served.server.start_sync()
    await until_stored(page, sync_id)
    await stop(page)
    await open_tab(page, "Log")
    assert f'syncId: "{sync_id}"' in await query_text(page)
    assert ORGANIZATION in sync_id


async def test_the_only_connected_organization_is_filled_in(serve: Serve, open_page: OpenPage):
    """With a single clinic the operations run unchanged; with two, the user enters the organization."""
    served = await serve(default_organization=None)
    page = await open_page(f"{served.url}/graphql")
    await run_tab(page, "Dashboard")
    await expect(result_of(page)).to_contain_text('"status": "IDLE"')
    await served.server.connect_organization(served.cliniko_url, EMULATED_API_KEY, "org_second")
    answer = await served.server.http.get("/graphql", headers={"Accept": "text/html"})
    assert ORGANIZATION not in answer.text
