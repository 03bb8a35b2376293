"""Sends the requests of a client with a transport of httpx.

The only module here that uses httpx. ``ClinikoClient`` imports it when it is entered, so that httpx is not loaded by a
start that sends no request. httpx's client would follow redirects, keep cookies and merge headers for each request;
without it a look takes less processor time, and the key is sent to a single address. httpx's errors may hold the
request, so they are never chained.
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import httpx

from routiq_gql.cliniko.errors import ClinikoUnreachable
from routiq_gql.cliniko.proxied import (
    LOWER_ADVICE,
    UNREACHABLE_ADVICE,
    is_untrusted,
    refused_by,
    through,
    untrusted,
)
from routiq_gql.cliniko.replies import Outcome, Reply
from routiq_gql.cliniko.retries import Retriable, unusable
from routiq_gql.proxies import Proxy, check_certificates, proxy_for

CONNECT_SECONDS = 10.0
MAX_BODY_BYTES = 16 * 1024 * 1024
"""A limit on memory; a page of 100 rows with long notes stays far below it."""


class Broken(NamedTuple):
    """A request without a complete response."""

    outcome: Outcome
    problem: Exception


class Transport:
    """The connections to one base URL. Close it.

    Raises:
        UnusableVariable: The environment names an unusable proxy or unusable certificates.
    """

    def __init__(self, base_url: str, api_key: str, contact_email: str, read_timeout: float) -> None:
        self._base_url = base_url
        self._read_timeout = read_timeout
        self.proxy = proxy_for(base_url)
        tls = _tls()
        key = b64encode(f"{api_key}:".encode()).decode()
        self._headers = httpx.Headers(
            {
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "Authorization": f"Basic {key}",
                "User-Agent": f"Routiq ({contact_email})",
            }
        )
        self._extensions = {"timeout": httpx.Timeout(read_timeout, connect=CONNECT_SECONDS).as_dict()}
        self._http = httpx.AsyncHTTPTransport(
            verify=tls,
            trust_env=False,  # httpx raises on values that other tools skip; see ``proxies``
            proxy=_for_httpx(self.proxy, tls),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, params: Sequence[tuple[str, str]], where: str) -> Reply | Broken:
        """The response for ``path`` below the base URL, or the error of the network. ``where`` names it in errors."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS + self._read_timeout):
                return await self._exchange(path, params)
        except (httpx.HTTPError, OSError) as error:
            return _broken(error, where, self.proxy)
        except Exception:
            if self.proxy is None or not self.proxy.speaks_socks:
                raise
            return Broken("no_answer", refused_by(self.proxy, "", where))  # httpx passes on socksio's errors

    async def _exchange(self, path: str, params: Sequence[tuple[str, str]]) -> Reply:
        request = httpx.Request(
            "GET", f"{self._base_url}/{path}", params=list(params), headers=self._headers, extensions=self._extensions
        )
        response = await self._http.handle_async_request(request)
        try:
            if not response.is_success:
                return Reply(response.status_code, response.headers, None)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return Reply(response.status_code, response.headers, None)
            return Reply(response.status_code, response.headers, bytes(body))
        finally:
            await response.aclose()


@cache
def _tls() -> ssl.SSLContext:
    """The TLS context of all clients; loading certificates blocks the event loop for about 40 ms.

    Raises:
        UnusableVariable: The environment names other certificates, and they can't be used.
    """
    check_certificates()
    return httpx.create_ssl_context()


def _for_httpx(proxy: Proxy | None, tls: ssl.SSLContext) -> httpx.Proxy | None:
    if proxy is None:
        return None
    return httpx.Proxy(proxy.url, auth=proxy.login, ssl_context=tls if proxy.scheme == "https" else None)


def _broken(error: Exception, where: str, proxy: Proxy | None) -> Broken:
    """The outcome and error of a request without a complete response. Uses only the kind and status of ``error``."""
    if isinstance(error, httpx.DecodingError):
        return Broken("unusable", unusable(where, "undecodable body"))
    if isinstance(error, httpx.ProxyError) and proxy is not None:
        return Broken("no_answer", refused_by(proxy, str(error)[:3], where))
    if is_untrusted(error):
        return Broken("no_answer", untrusted(where, proxy))
    verdict = ClinikoUnreachable(
        f"Cliniko did not answer requests for {where}{through(proxy)}.",
        UNREACHABLE_ADVICE if proxy is None else f"Check whether the proxy works, and {LOWER_ADVICE}",
        type(error).__name__,
    )
    is_late = isinstance(error, (TimeoutError, httpx.TimeoutException))
    return Broken("timed_out" if is_late else "no_answer", Retriable("Cliniko did not answer", verdict))
