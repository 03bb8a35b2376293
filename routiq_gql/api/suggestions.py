"""The organizations that the dashboard page and GraphiQL fill in.

Only without authentication, where each viewer reaches every organization. If the database is slow or can't be read, the
page is served without suggestions, and its requests then report the problem.
"""

import asyncio

from starlette.requests import Request

from routiq_gql.api.services import services_of
from routiq_gql.errors import RoutiqError
from routiq_gql.security.viewer import Viewer

MOST_SUGGESTED = 50
"""Organizations that a page suggests."""
LOOKUP_SECONDS = 2.0
"""How long a page waits for the database to name them."""


async def suggested_organizations(request: Request) -> list[str]:
    """Ids of the first connected organizations; empty with authentication on, or if the database can't be read."""
    if services_of(request).settings.auth != "off":
        return []
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            return await services_of(request).runtime.syncs.connected_organizations(Viewer(), MOST_SUGGESTED)
    except (RoutiqError, TimeoutError):
        return []


async def only_organization(request: Request) -> str | None:
    """The connected organization if there is exactly one, else ``None``."""
    found = await suggested_organizations(request)
    return found[0] if len(found) == 1 else None
