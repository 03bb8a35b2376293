"""An issuer, and a server with authentication for two clinics."""

from collections.abc import AsyncIterator

import pytest

from routiq_gql.emulator import Issuer
from routiq_gql.settings import Settings
from tests.api.auth.issuing import OURS, IssuerServer, issuing, jwt_settings, use_token
from tests.api.serving import Server


@pytest.fixture
async def issuer_server() -> AsyncIterator[IssuerServer]:
    async with issuing() as server:
        yield server


@pytest.fixture
def issuer(issuer_server: IssuerServer) -> Issuer:
    return issuer_server.issuer


@pytest.fixture
async def guarded(settings: Settings, issuer: Issuer) -> AsyncIterator[Server]:
    """A server that requires tokens. Its client has the token of an admin of ``OURS``."""
    async with Server(jwt_settings(settings, issuer, auth_grace_seconds=60)) as server:
        use_token(server, issuer.token(OURS, role="admin", lifetime_seconds=600))
        yield server
        await server.without_watchers()
