"""The status of an answer decides what becomes of an event, whatever happens to the rest of the answer."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.database.webhook_secrets import new_secret
from routiq_gql.webhooks import sending
from routiq_gql.webhooks.addresses import Allowed
from routiq_gql.webhooks.sending import Message, Reply, Sender
from tests.waiting import LIMIT_SECONDS

STATUSES = ("200 OK", "202 Accepted", "302 Found", "410 Gone", "503 Busy\r\nRetry-After: 60")
WHOLE = "Content-Length: 2\r\n\r\nok"
RESTS = {
    "no length": "\r\nok",
    "too short": "Content-Length: 9\r\n\r\nok",
    "too long": "Content-Length: 1\r\n\r\nok",
    "nothing of it": "Content-Length: 9\r\n\r\n",
    "a chunk without an end": "Transfer-Encoding: chunked\r\n\r\n5\r\nok",
    "no chunk": "Transfer-Encoding: chunked\r\n\r\nok\r\n\r\n",
    "no last chunk": "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    "not compressed": "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
}
ENDS = ("closes", "resets", "hangs")
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@asynccontextmanager
async def _receiver(answer: str, end: str) -> AsyncIterator[str]:
    """Answers every request so, and then ends the connection so. Yields its URL."""

    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
        writer.write(answer.encode())
        await writer.drain()
        if end == "hangs":
            await reader.read()  # until the sender closes
        if end == "resets":
            writer.transport.abort()
        writer.close()
        over.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        await over.wait()


async def _reply(answer: str, end: str) -> Reply:
    async with asyncio.timeout(LIMIT_SECONDS), _receiver(answer, end) as url:
        sender = Sender(Allowed(["127.0.0.0/8"]), 1, tls=lambda: TLS)
        try:
            return await sender.send(Message(url, "evt_1", "{}", [new_secret()]), utc_now())
        finally:
            await sender.close()


@pytest.mark.parametrize("status", STATUSES)
async def test_the_rest_of_an_answer_changes_nothing(status: str, monkeypatch: pytest.MonkeyPatch):
    """An accepted event is not sent again, and a refusal is recorded as such, though the text is cut or is no HTTP."""
    monkeypatch.setattr(sending, "READ_SECONDS", 0.05)
    whole = await _reply(f"HTTP/1.1 {status}\r\n{WHOLE}", "closes")
    assert whole.status == int(status[:3])
    for (name, rest), end in product(RESTS.items(), ENDS):
        reply = await _reply(f"HTTP/1.1 {status}\r\n{rest}", end)
        assert reply == whole or (end == "resets" and reply.status is None), (name, end)  # it may overtake the status
