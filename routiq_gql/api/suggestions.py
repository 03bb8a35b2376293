"""What the dashboard page and GraphiQL fill in from the database: organizations, and which appointments are stored.

Organizations are named only without authentication, where each viewer reaches every organization. If the database is
slow or can't be read, the page is served without these values, and its requests then report the problem.
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


async def keeps_window(request: Request) -> bool:
    """Whether this server stores the window of appointments of an earlier version; ``False`` if it can't be read."""
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            return await services_of(request).runtime.syncs.keeps_window()
    except (RoutiqError, TimeoutError):
        return False


async def only_organization(request: Request) -> str | None:
    """The connected organization if there is exactly one, else ``None``."""
    found = await suggested_organizations(request)
    return found[0] if len(found) == 1 else None
