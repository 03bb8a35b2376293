"""Checks of long-lived connections: the websocket, and whether a stream arrives without buffering."""

import asyncio
import json
from contextlib import suppress
from typing import cast
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError, WebSocketException
from websockets.typing import Origin, Subprotocol

from routiq_gql.doctor.findings import Finding, Result, not_checked, ok, problem
from routiq_gql.doctor.requests import HOST_REMEDY, LOGIN_REMEDY
from routiq_gql.doctor.site import Site

SUBPROTOCOL = Subprotocol("graphql-transport-ws")
TRIED_ORGANIZATION = "check"
"""Subscribed to on a server without tokens, which allows any organization, even if it does not exist."""
CLOSED_FOR_TOKEN = frozenset({4401, 4403})

UPGRADE_REMEDY = (
    "Make the proxy forward the upgrade. nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    'proxy_set_header Connection "upgrade";'
)
IDLE_REMEDY = (
    "Make the proxy keep idle connections for longer than the 20 s between the server's pings. nginx: "
    "proxy_read_timeout 1h;"
)
BUFFERING_REMEDY = (
    "Turn off buffering in the proxy. nginx: proxy_buffering off; and neither proxy_ignore_headers "
    "X-Accel-Buffering nor gzip for text/event-stream."
)


async def check_websocket(site: Site) -> Finding:
    """Whether a page can open a websocket, and messages arrive in both directions."""
    check = "websocket"
    if site.proxy is not None and site.proxy.speaks_socks:
        return not_checked(
            check, f"{site.proxy.variable} is a SOCKS proxy.", "Run this check where no SOCKS proxy is needed."
        )
    try:
        async with asyncio.timeout(site.timeout), _opening(site) as opened:
            return await _greeted(check, site, opened)
    except InvalidStatus as error:
        return _not_upgraded(check, error.response.status_code, error.response.body or b"")
    except NegotiationError:
        return problem(check, "A proxy removes the websocket's subprotocol.", UPGRADE_REMEDY)
    except TimeoutError:
        return problem(check, f"The upgrade is not answered within {site.timeout:g} s.", UPGRADE_REMEDY)
    except (WebSocketException, OSError, EOFError):
        return problem(check, "The connection is closed instead of upgraded.", UPGRADE_REMEDY)


def _opening(site: Site) -> connect:
    return connect(
        f"{'wss' if site.scheme == 'https' else 'ws'}://{site.authority}{site.path}graphql",
        origin=Origin(site.origin),
        subprotocols=[SUBPROTOCOL],
        ssl=site.tls if site.scheme == "https" else None,
        proxy=_proxy_url(site),
        open_timeout=None,
        close_timeout=1,
        ping_interval=None,  # browsers send no pings either
    )


async def check_silence(site: Site, seconds: float) -> Finding:
    """Whether a websocket stays open without messages for ``seconds``."""
    check = "silence"
    if not seconds:
        return not_checked(check, "The idle timeout of websockets was not measured.", "Add --idle 60")
    try:
        async with asyncio.timeout(site.timeout + seconds), _opening(site) as opened:
            greeting = await _greeted(check, site, opened)
            if greeting.result is not Result.OK or opened.close_code is not None:
                return not_checked(check, "Measuring the idle timeout needs a token.", "Add --token TOKEN")
            began = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(seconds):
                    await opened.wait_closed()
            except TimeoutError:
                return ok(check, f"An idle websocket stays open for {seconds:g} s.")
            after = asyncio.get_running_loop().time() - began
            found = f"An idle websocket is closed after {after:.0f} s, by a proxy or by the end of its token."
            return problem(check, found, IDLE_REMEDY)
    except (TimeoutError, WebSocketException, OSError, EOFError):
        return not_checked(check, "No websocket can be opened.")


async def _greeted(check: str, site: Site, opened: ClientConnection) -> Finding:
    if opened.subprotocol != SUBPROTOCOL:
        return problem(check, "A proxy removes the websocket's subprotocol.", UPGRADE_REMEDY)
    payload = {"payload": site.credentials} if site.credentials else {}
    try:
        async with asyncio.timeout(site.timeout / 2):
            await opened.send(json.dumps({"type": "connection_init", **payload}))
            frame = json.loads(await opened.recv())
    except ConnectionClosed as error:
        code = error.rcvd.code if error.rcvd is not None else None
        if code in CLOSED_FOR_TOKEN:
            if site.token:
                return problem(check, f"The server does not accept this token (close {code}).", LOGIN_REMEDY)
            return ok(check, "The upgrade works; the server requires a token.")
        return problem(
            check,
            f"The websocket is closed right after the upgrade (close {code or 1006}).",
            "Check the logs of the proxy and of the server.",
        )
    except (TimeoutError, ValueError):
        return problem(
            check, "The upgrade works, but messages do not arrive.", f"{UPGRADE_REMEDY} proxy_buffering off;"
        )
    is_acknowledged = isinstance(frame, dict) and frame.get("type") == "connection_ack"
    if not is_acknowledged:
        return problem(check, "Another program answers on the websocket.", UPGRADE_REMEDY)
    return ok(check, "The upgrade works, and messages arrive.")


def _not_upgraded(check: str, status: int, body: bytes | bytearray) -> Finding:
    code = None
    with suppress(ValueError, AttributeError):
        code = json.loads(body).get("code")
    if code in {"ORIGIN_NOT_ALLOWED", "HOST_NOT_ALLOWED"}:
        found = (
            f"The websocket of a page at this address is refused (status {status}): the server receives another Host."
        )
        return problem(check, found, HOST_REMEDY)
    return problem(
        check, f"The upgrade to a websocket does not reach the server (answered with status {status}).", UPGRADE_REMEDY
    )


def _proxy_url(site: Site) -> str | None:
    if site.proxy is None:
        return None
    login = "" if site.proxy.login is None else ":".join(quote(one, safe="") for one in site.proxy.login) + "@"
    return f"{site.proxy.scheme}://{login}{site.proxy.name}"


async def check_stream(site: Site, organization: str) -> Finding:
    """Whether the first event of an open stream arrives at once. Only subscribes to an organization.

    Raises:
        Unreachable: The request got no response at all.
    """
    check = "stream"
    if site.token and not organization:
        return not_checked(check, "A token reaches one organization only.", "Add --organization ORG")
    query = f'subscription {{ dashboardUpdated(organizationId: "{organization or TRIED_ORGANIZATION}") {{ status }} }}'
    headers = {"Accept": "text/event-stream", "Origin": site.origin, **site.credentials}
    answer = await site.first_piece("graphql", headers=headers, query=query)
    if answer is None:
        found = f"A stream's first event does not arrive within {site.timeout:g} s: a proxy buffers it."
        return problem(check, found, BUFFERING_REMEDY)
    if answer.status == 401 and not site.token:
        return not_checked(check, "A subscription needs a token.", "Add --token TOKEN --organization ORG")
    kind = cast(str, answer.headers.get("content-type", ""))
    if answer.status != 200 or not kind.startswith("text/event-stream"):
        return not_checked(check, f"The response with status {answer.status} is not a stream.")
    if b'"errors"' in answer.body:
        return not_checked(check, "The server refuses to show this organization.", "Correct --organization or --token")
    return ok(check, "Events arrive at once.")
