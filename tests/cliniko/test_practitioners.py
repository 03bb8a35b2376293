"""Practitioners, whose list a key may not be allowed to read."""

import json
from typing import Any

import pytest

from routiq_gql.cliniko import ClinikoUnreachable, KeyRefused, read_practitioners
from tests.cliniko.conftest import MakeClient
from tests.cliniko.raw_server import RawServer, http

ACTIVE = [{"id": "3", "label": "Kim Lee"}, {"id": "12", "first_name": "Sam"}]
INACTIVE = [{"id": "7", "label": "Ana Ito"}]


def reply_with(active: list[Any], inactive: list[Any], status: int = 200, only: str = "") -> Any:
    def reply(_number: int, head: str) -> bytes:
        path = head.split()[1].partition("?")[0]
        if status != 200 and path.endswith(only):
            return http(status)
        rows = inactive if path.endswith("/inactive") else active
        return http(200, json.dumps({"practitioners": rows, "total_entries": len(rows), "links": {}}).encode())

    return reply


async def test_both_lists_are_read(make_client: MakeClient) -> None:
    """Practitioners who left the clinic are kept as well, since past appointments name them."""
    async with RawServer(reply_with(ACTIVE, INACTIVE)) as server, make_client(server.base_url) as client:
        page = await read_practitioners(client)
    assert page is not None
    assert [(one.id, one.name, one.is_active) for one in page.records] == [
        ("3", "Kim Lee", True),
        ("7", "Ana Ito", False),
        ("12", "Sam", True),
    ]
    assert (page.read, page.remaining, len(server.heads)) == (3, 0, 2)


async def test_who_moves_during_the_read_is_kept_once(make_client: MakeClient) -> None:
    """A practitioner who is in both lists is one person, as read last."""
    async with RawServer(reply_with(ACTIVE, [ACTIVE[0]])) as server, make_client(server.base_url) as client:
        page = await read_practitioners(client)
    assert page is not None
    assert [(one.id, one.is_active) for one in page.records] == [("3", False), ("12", True)]


@pytest.mark.parametrize(("only", "requests"), [("practitioners", 1), ("inactive", 2)])
async def test_a_key_without_the_right_loses_names_only(make_client: MakeClient, only: str, requests: int) -> None:
    """A key that may not read practitioners is no failure, and costs neither a wait nor a second try."""
    server = RawServer(reply_with(ACTIVE, INACTIVE, 403, only))
    async with server, make_client(server.base_url) as client:
        assert await read_practitioners(client) is None
    assert len(server.heads) == requests


@pytest.mark.parametrize(("status", "error"), [(401, KeyRefused), (503, ClinikoUnreachable)])
async def test_other_problems_are_those_of_any_list(
    make_client: MakeClient, status: int, error: type[Exception]
) -> None:
    """A refused key is reported from here as from any list."""
    server = RawServer(reply_with([], [], status))
    async with server, make_client(server.base_url) as client:
        with pytest.raises(error):
            await read_practitioners(client)


async def test_an_unreadable_practitioner_is_set_aside(make_client: MakeClient) -> None:
    """A row without an id is counted and does not hide the others."""
    server = RawServer(reply_with([*ACTIVE, {"label": "?"}], INACTIVE))
    async with server, make_client(server.base_url) as client:
        page = await read_practitioners(client)
    assert page is not None
    assert (len(page.records), page.unreadable_read, page.read) == (3, 1, 4)
