"""Tests a server through its proxy, as a browser on another machine would, and reports what to change.

Used by ``routiq-gql check``. It changes nothing on the server, and every wait has a limit.
"""

from collections.abc import Awaitable, Callable

from routiq_gql.doctor.findings import Finding, Result, not_checked, problem
from routiq_gql.doctor.live import check_silence, check_stream, check_websocket
from routiq_gql.doctor.requests import (
    check_foreign_host,
    check_foreign_origin,
    check_graphql,
    check_page,
    check_preflight,
    check_ready,
    find_server,
)
from routiq_gql.doctor.site import Site, Unreachable

__all__ = ["Finding", "Result", "Site", "Unreachable", "examine"]


async def examine(site: Site, *, organization: str = "", origin: str = "", idle: float = 0) -> list[Finding]:
    """All findings in reading order; the first is about the address itself.

    Args:
        organization: Subscribed to, to test whether the proxy buffers streams.
        origin: The origin of another site's page that uses the server.
        idle: Seconds to keep a silent websocket open.
    """
    checks: dict[str, Callable[[], Awaitable[Finding]]] = {
        "ready": lambda: check_ready(site),
        "page": lambda: check_page(site),
        "graphql": lambda: check_graphql(site),
        "websocket": lambda: check_websocket(site),
        "stream": lambda: check_stream(site, organization),
        "silence": lambda: check_silence(site, idle),
        "other origins": lambda: check_foreign_origin(site),
        "other names": lambda: check_foreign_host(site),
        "preflight": lambda: check_preflight(site, origin),
    }
    first = await _tried("address", lambda: find_server(site))
    if first.result is not Result.OK:
        return [first, *(not_checked(name, "There is no server to look at.") for name in checks)]
    return [first, *[await _tried(name, check) for name, check in checks.items()]]


async def _tried(name: str, check: Callable[[], Awaitable[Finding]]) -> Finding:
    try:
        return await check()
    except Unreachable as error:
        return problem(name, error.sentence, error.what_to_do)
