"""Sends a download in pieces to a client that may be slow. A response that can't be completed is cut off.

A client that reads nothing for ``ROUTIQ_SEND_TIMEOUT`` seconds is disconnected. To cut off a response is to close its
connection before the last chunk: every HTTP client then reports an error, and never takes a part for the whole.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from starlette.requests import ClientDisconnect
from starlette.types import Scope, Send

from routiq_gql import metrics
from routiq_gql.api.raw_headers import RawHeader
from routiq_gql.api.streams import abort_connection


class Download:
    """The way to a client.

    Args:
        patience_seconds: How long a piece may wait for a client that reads nothing.
    """

    def __init__(self, scope: Scope, send: Send, patience_seconds: float) -> None:
        self._scope = scope
        self._send = send
        self._patience_seconds = patience_seconds

    async def send(self, headers: Sequence[RawHeader], pieces: AsyncGenerator[bytes, None]) -> None:
        """Send the response; an error of ``pieces`` leaves it incomplete.

        Raises:
            ClientDisconnect: The client reads nothing.
        """
        await self._send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        async with aclosing(pieces):
            if self._scope["method"] != "HEAD":
                async for piece in pieces:
                    await self._send_piece(piece)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def cut(self) -> None:
        """End a response that has begun, so that the client knows that it is not complete."""
        abort_connection(self._scope)
        await asyncio.sleep(0)  # a turn of the loop, in which the connection closes

    async def _send_piece(self, piece: bytes) -> None:
        patience = asyncio.timeout(self._patience_seconds)
        try:
            async with patience:
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            if not patience.expired():
                raise
            await self.cut()
            metrics.peer_dropped("download")
            raise ClientDisconnect from None


def attachment(name: str) -> RawHeader:
    """The header that makes a browser save the response as a file; ``name`` has no quotes."""
    return b"content-disposition", f'attachment; filename="{name}"'.encode()
