"""Bare programs for comparison: the same pages in the same order, with less and less work per page.

``read_with_connector`` checks every response as the sync does but stores nothing. ``read_with_httpx`` is the shortest
program that can read a list by id. ``replay`` requests the same addresses over a bare socket and discards the bytes,
which measures the emulator itself.
"""

import asyncio
import base64
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from routiq_gql.cliniko import (
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    ClinikoClient,
    Horizon,
    PacerRegistry,
    Resource,
    content_filters,
    read_list,
)
from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.settings import Settings
from tests.bench.yardstick import Times

CONTACT = "nobody@localhost.invalid"
_AUTHORIZATION = "Basic " + base64.b64encode(f"{EMULATED_API_KEY}:".encode()).decode()


@dataclass(frozen=True, slots=True)
class ListPages:
    """Measurements of a list: the times of its pages, its rows, and the requested addresses."""

    times: Times
    rows: int
    addresses: list[str]


def measured_lists() -> list[tuple[Resource[Any], list[str]]]:
    """The two lists that grow with a clinic, with the filters of a sync started now."""
    midnight = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
    horizon = Horizon(midnight - timedelta(days=Settings().history_days))
    return [(one, content_filters(one, horizon)) for one in (PATIENTS, INDIVIDUAL_APPOINTMENTS)]


async def read_with_httpx(base_url: str, resource: Resource[Any], filters: Sequence[str]) -> ListPages:
    """Read a list by id: request, parse, continue after the last row."""
    times, rows, addresses = Times(), 0, []
    headers = {"User-Agent": f"Routiq ({CONTACT})", "Authorization": _AUTHORIZATION}
    fixed = [("sort", "id"), ("page", "1"), *(("q[]", condition) for condition in filters), ("per_page", "100")]
    above: list[tuple[str, str]] = []
    async with httpx.AsyncClient(headers=headers, trust_env=False, verify=False) as client:  # no TLS here
        while True:
            began = time.perf_counter()
            answer = await client.get(f"{base_url}/{resource.name}", params=[*fixed, *above])
            body = answer.raise_for_status().json()
            page = body[resource.name]
            times.add(time.perf_counter() - began)
            rows += len(page)
            addresses.append(answer.request.url.raw_path.decode())
            if len(page) == body["total_entries"]:
                return ListPages(times, rows, addresses)
            above = [("q[]", f"id:>{page[-1]['id']}")]


async def read_with_connector(base_url: str, resource: Resource[Any], filters: Sequence[str]) -> ListPages:
    """Read a list as the sync does, and store nothing."""
    times, rows = Times(), 0
    pacer = PacerRegistry(0).pacer_for(EMULATED_API_KEY)
    client = ClinikoClient(EMULATED_API_KEY, base_url=base_url, contact_email=CONTACT, pacer=pacer, max_attempts=2)
    began = time.perf_counter()
    async with client, aclosing(read_list(client, resource, filters=filters)) as pages:
        async for page in pages:
            times.add(time.perf_counter() - began)
            rows += len(page.records)
            began = time.perf_counter()
    return ListPages(times, rows, [])


async def replay(base_url: str, addresses: Sequence[str]) -> ListPages:
    """Request each address over a single connection and read only the length of the response."""
    host, port = urlsplit(base_url).hostname or "", urlsplit(base_url).port or 0
    reader, writer = await asyncio.open_connection(host, port)
    times = Times()
    for address in addresses:
        began = time.perf_counter()
        writer.write(
            f"GET {address} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: Routiq ({CONTACT})\r\n"
            f"Authorization: {_AUTHORIZATION}\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise ConnectionError(head.partition(b"\r\n")[0].decode())
        await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
        times.add(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()
    return ListPages(times, 0, list(addresses))
