"""Subscriptions of other people's clients resume after cuts, with the element package's ``resume.js``."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.settings import Settings
from tests.clients.cutting import CuttingProxy
from tests.long_log import store_long_log
from tests.node_projects import INSTALL_SECONDS
from tests.patients.clinics import ListedClinic, Person
from tests.server import Server
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 2 * LIMIT_SECONDS)

ORGANIZATION = "org_1"
LIBRARIES = ("graphql-ws", "trusted", "iterator", "apollo", "urql", "relay")
LINES = 1_500
CHANGES = 300
CUTS = 50
PAGE = """query ($id: ID!, $after: String) {
  syncChanges(syncId: $id, first: 200, after: $after) { cursor nodes { cursor } }
}"""


@pytest.fixture
async def trusting(settings: Settings, node: str, tmp_path: Path) -> AsyncIterator[Server]:
    """A server that executes the two subscriptions by their ids too."""
    (manifest := tmp_path / "documents.json").write_text(json.dumps(await _output(node, "manifest")))
    async with Server(settings.model_copy(update={"documents": (str(manifest),)})) as server:
        yield server
        await server.without_watchers()


async def test_each_event_comes_once_through_fifty_cuts(trusting: Server, node: str):
    """Each library shows each log line and each change of a patient once and in order, however often it is cut.

    ``trusted`` is graphql-ws with the ids of trusted documents in place of their texts.
    """
    sync_id = await store_long_log(trusting, LINES, ORGANIZATION)
    clinic = ListedClinic(trusting.runtime.database)
    baseline = await clinic.sync([Person(1, "Zoe", "Zed")], utc_now())
    changed = await clinic.sync([Person(number, "Ana", f"B{number}") for number in range(2, CHANGES + 1)], utc_now())
    begin = (await trusting.ask(PAGE, id=baseline))["data"]["syncChanges"]["cursor"]
    first = (await trusting.ask(PAGE, id=changed))["data"]["syncChanges"]
    second = (await trusting.ask(PAGE, id=changed, after=first["cursor"]))["data"]["syncChanges"]
    cursors = [change["cursor"] for page in (first, second) for change in page["nodes"]]
    assert len(cursors) == CHANGES

    async def follow(library: str, seed: int) -> None:
        proxy = CuttingProxy(trusting.port, CUTS, seed)
        async with proxy.open():
            given = json.dumps({"syncId": sync_id, "organizationId": ORGANIZATION, "after": begin})
            seen = await _output(node, library, f"http://127.0.0.1:{proxy.port}", given, str(LINES), str(CHANGES))
        assert seen["lines"] == list(range(1, LINES + 1)), library
        assert seen["changes"] == cursors, library
        assert proxy.left == 0, library

    await asyncio.gather(*(follow(library, seed) for seed, library in enumerate(LIBRARIES)))


async def _output(node: str, *arguments: str) -> dict[str, Any]:
    script = str(Path(__file__).parent / "resuming.mjs")
    process = await asyncio.create_subprocess_exec(
        node, script, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, limit=2**20
    )
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()
    return dict(json.loads(output))
