"""An open response by itself: what it sends for each method, and that its source is closed in each case."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from routiq_gql.api.streams import Heartbeat, StreamResponse
from tests.waiting import LIMIT_SECONDS

PIECES = [b"data: 1\n\n", b"data: 2\n\n"]


class _Source:
    """Pieces, and then silence or the end.

    Attributes:
        closed: How often it was closed.
    """

    def __init__(self, *, ends: bool) -> None:
        self._ends = ends
        self.closed = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in PIECES:
            yield piece
        if not self._ends:
            await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.closed += 1


async def _answer(method: str, source: _Source, pieces: int | None) -> list[dict[str, Any]]:
    """The messages of a response, whose client leaves after so many pieces."""
    sent: list[dict[str, Any]] = []
    may_leave = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message)
        if pieces is not None and len(sent) > pieces:
            may_leave.set()

    async def receive() -> Any:
        await may_leave.wait()
        return {"type": "http.disconnect"}

    response = StreamResponse(source, heartbeat=Heartbeat(b":\n\n", 60), send_timeout_seconds=60)
    async with asyncio.timeout(LIMIT_SECONDS):
        await response({"type": "http", "method": method, "extensions": {}}, receive, send)
    return sent


@pytest.mark.parametrize("ends", [False, True])
async def test_head_gets_the_headers_of_get_and_no_stream(ends: bool):
    """A program that asks for the headers gets them at once, and no connection stays open for it."""
    asked, other = _Source(ends=ends), _Source(ends=ends)
    got = await _answer("GET", asked, None if ends else len(PIECES))
    head = await _answer("HEAD", other, None)
    assert head == [got[0], {"type": "http.response.body", "body": b"", "more_body": False}]
    assert [message["body"] for message in got[1:]] == [*PIECES, *([b""] if ends else [])]
    assert asked.closed == other.closed == 1
