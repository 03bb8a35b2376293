"""The programs of ``examples/clients`` with authentication: each outlives its first token.

Tokens live for ten seconds here, and sockets and streams end a second later. A sync is held until every program has
reconnected with a fresh token, and then continues.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from routiq_gql.api.auth import issued_tokens, session
from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, Issuer, demo_clinic
from routiq_gql.settings import Settings
from tests.cli.programs import PATIENCE_SECONDS
from tests.clients.running import EXAMPLES, expect_ends, running
from tests.emulated_cliniko import Gate
from tests.issuing import issuing, jwt_settings
from tests.node_projects import INSTALL_SECONDS
from tests.organization import ORGANIZATION
from tests.server import Server

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 2 * PATIENCE_SECONDS)

BRIEF_SECONDS, GRACE_SECONDS = 10, 1
SHOWS_LINES = "event-source.mjs"
"""Shows every log line, so that a repeated line would be noticed."""


class TokenDesk:
    """Issues tokens, and records when each client got one."""

    def __init__(self, issuer: Issuer) -> None:
        self._given_at: dict[str, list[float]] = defaultdict(list)
        _, given = issuer.routes("/issuer")

        async def give(request: Request) -> Response:
            self._given_at[request.query_params["subject"]].append(asyncio.get_running_loop().time())
            response: Response = await given.endpoint(request)
            return response

        self.route = Route(given.path, give, methods=["POST"])

    def url(self, server: Server, name: str) -> str:
        return f"{server.url}{self.route.path}?organization={ORGANIZATION}&subject={name}"

    def has_given(self, name: str, since: float) -> bool:
        return any(at > since for at in self._given_at[name])


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("programs")
async def test_each_client_outlives_its_token(
    settings: Settings, ariadne: Path, generated: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each client reconnects with a fresh token and follows to the end, without repeated log lines."""
    for module in (session, issued_tokens):
        monkeypatch.setattr(module, "LEEWAY", timedelta(0))
    emulator = Emulator(demo_clinic(utc_now()))
    gate = emulator.app = Gate(emulator.app)
    gate.hold("patients")
    others: dict[str, dict[str, Any]] = {
        "follow_sync.py": {"command": [str(ariadne / "python"), "-u", "follow_sync.py"], "folder": generated}
    }
    names = [*EXAMPLES, *others]
    async with AsyncExitStack() as stack:
        issuer = (await stack.enter_async_context(issuing())).issuer
        issuer.lifetime_seconds = BRIEF_SECONDS
        desk = TokenDesk(issuer)
        cliniko = await stack.enter_async_context(EmulatorServer(emulator))
        stack.callback(gate.open)  # else the emulator would wait for held requests after a failure
        guarded = jwt_settings(settings, issuer, auth_grace_seconds=GRACE_SECONDS, cliniko_base_url=cliniko.base_url)
        server = await stack.enter_async_context(Server(guarded, extra_routes=[desk.route]))
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        clients = [
            await stack.enter_async_context(
                running(
                    name, server.url, environment={"ROUTIQ_TOKEN_URL": desk.url(server, name)}, **others.get(name, {})
                )
            )
            for name in names
        ]
        for client in clients:
            await client.until("Fetching patients")
        following_since = asyncio.get_running_loop().time()
        for name in names:
            await _until(lambda name=name: desk.has_given(name, following_since))
        gate.open()
        await expect_ends(clients)
    lines = re.findall(r"^\S+Z \w+ (.+)$", next(one.output for one in clients if one.name == SHOWS_LINES), re.MULTILINE)
    assert lines[-1] == "Sync completed successfully!"
    assert len(lines) == len(set(lines))
