"""Requests in odd order and form on one connection: each gets its own answer, and bounded memory."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from routiq_gql.serving.connection_table import ServerState
from routiq_gql.serving.http_parsing import MAX_HEAD_BYTES
from routiq_gql.settings import Settings
from tests.server import Server
from tests.waiting import LIMIT_SECONDS, until

HEAD = b"Host: localhost\r\n"
SLOW = b"GET /slow HTTP/1.1\r\n" + HEAD + b"\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n"


class Routes:
    """Handlers that a test holds, and what they have noticed."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.begun = self.left = 0
        self.routes = [Route("/slow", self._slow), Route("/headers", self._headers, methods=["POST"])]

    async def _slow(self, request: Request) -> Response:
        self.begun += 1
        waiting = asyncio.create_task(self.may_answer.wait())
        leaving = asyncio.create_task(self._departure(request))
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for one in (waiting, leaving):
            one.cancel()
        return PlainTextResponse("done")

    async def _departure(self, request: Request) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.left += 1

    async def _headers(self, request: Request) -> Response:
        body = await request.body()
        return JSONResponse({"body": body.decode(), "names": [name for name, _ in request.headers.items()]})


@pytest.fixture
def routes() -> Routes:
    return Routes()


@pytest.fixture
async def server(settings: Settings, routes: Routes, states: list[ServerState]) -> AsyncIterator[Server]:
    async with Server(settings, extra_routes=routes.routes) as server:
        yield server
        routes.may_answer.set()


@asynccontextmanager
async def _connection(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(LIMIT_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            yield reader, writer
        finally:
            writer.close()


async def test_garbage_behind_a_request_is_refused_after_its_answer(server: Server, routes: Routes):
    """A request gets its answer first, even if bytes that are no HTTP came together with it."""
    async with _connection(server) as (reader, writer):
        writer.write(SLOW + b"\x16\x03\x01 hello\r\n\r\n")
        await until(lambda: routes.begun == 1)
        writer.write(b"more garbage\r\n\r\n")
        routes.may_answer.set()
        answer = await reader.read()
    first, _, second = answer.partition(b"done")
    assert first.startswith(b"HTTP/1.1 200 ")
    assert second.startswith(b"HTTP/1.1 400 ")
    assert json.loads(second.partition(b"\r\n\r\n")[2])["code"] == "BAD_REQUEST"


async def test_a_request_learns_that_its_client_has_left_with_others_behind_it(
    server: Server, routes: Routes, states: list[ServerState]
):
    """Work for a client that has gone ends, however many requests it had sent together."""
    async with _connection(server) as (_, writer):
        writer.write(SLOW * 3)
        await until(lambda: routes.begun == 1)
    await until(lambda: routes.left == 1)
    await until(lambda: not states[0].connections and len(states[0].table) == 0)
    assert routes.begun == 1


async def test_requests_sent_together_are_answered_in_their_order(server: Server, routes: Routes):
    """A slow first request is answered before the fast ones behind it."""
    async with _connection(server) as (reader, writer):
        writer.write(SLOW + GET + SLOW + GET)
        await until(lambda: routes.begun == 1)
        routes.may_answer.set()
        answer = b""
        while answer.count(b'{"status":"ok"}') < 2:
            answer += await reader.read(65536)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert bodies == [b"done", b'{"status":"ok"}'] * 2


async def test_headers_after_the_body_are_not_headers_of_the_request(server: Server):
    """A client can't add a token, or a proxy's header, after the request was checked."""
    async with _connection(server) as (reader, writer):
        writer.write(
            b"POST /headers HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n" + HEAD + b"\r\n"
            b"2\r\nhi\r\n0\r\nAuthorization: Bearer x\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"
        )
        answer = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
    assert answer == {"body": "hi", "names": ["transfer-encoding", "connection", "host"]}


@pytest.mark.parametrize("filler", [b"X-Long: " + b"a" * 70, b"/long/path/without/an/end"], ids=["header", "address"])
async def test_a_head_without_an_end_is_refused(server: Server, filler: bytes):
    """A client can't fill the server's memory with headers."""
    begin = GET.partition(b"\r\n\r\n")[0] + b"\r\n" if filler.startswith(b"X") else b"GET /"
    filler += b"\r\n" if filler.startswith(b"X") else b""
    async with _connection(server) as (reader, writer):
        writer.write(begin)
        sent, answer = 0, b""
        reading = asyncio.create_task(reader.read())
        try:
            while not reading.done() and sent < 8 * MAX_HEAD_BYTES:
                writer.write(filler * 20)
                sent += len(filler) * 20
                await writer.drain()
                await asyncio.sleep(0)
            answer = await reading
        except ConnectionError:  # the bytes reached a closed connection
            await asyncio.gather(reading, return_exceptions=True)  # or its error is logged during a later test
    assert sent < 8 * MAX_HEAD_BYTES
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET  HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"GET / HTTP/9.9",
        b"BREW /tea HTTP/1.1",
        b"get / HTTP/1.1",
        b"CONNECT localhost:1 HTTP/1.1",
        b"GET http:// HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"/",
    ],
)
async def test_an_odd_request_line_is_refused(server: Server, request_line: bytes):
    """A line that names no known method and address gets a refusal in the usual form."""
    async with _connection(server) as (reader, writer):
        writer.write(request_line + b"\r\nConnection: close\r\n" + HEAD + b"\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert 400 <= int(head.split()[1]) < 500
    assert json.loads(body)["code"] in {"BAD_REQUEST", "METHOD_NOT_ALLOWED", "NOT_FOUND"}


async def test_a_request_that_offers_another_protocol_is_answered(server: Server):
    """A client that offers HTTP/2 on a plain connection, as curl does, gets its answer over HTTP/1.1, and the next."""
    offering = b"GET /healthz HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
    async with _connection(server) as (reader, writer):
        for request in (offering + HEAD + b"\r\n", GET):
            writer.write(request)
            assert (await reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200 ")


OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
"""Sent by Java's HTTP client with its first request, whatever the method."""


@pytest.mark.parametrize("pause", [0.0, 0.05])
async def test_an_offer_of_another_protocol_is_ignored(server: Server, pause: float):
    """A Java program that offers HTTP/2 gets its answer; the body of its request is never taken for another request."""
    hidden = b"GET /readyz HTTP/1.1\r\n" + HEAD + b"\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(hidden)
    async with _connection(server) as (reader, writer):
        for _ in range(2):
            for part in (b"POST /headers HTTP/1.1\r\n" + HEAD + OFFER + length, hidden[:10], hidden[10:] + GET):
                writer.write(part)
                await asyncio.sleep(pause)
            answer = json.loads(await _body(reader))
            assert answer["body"] == hidden.decode()
            assert "http2-settings" in answer["names"]
            assert await _body(reader) == b'{"status":"ok"}'


@pytest.mark.parametrize("target", [b"example.org:443", b"http://localhost/healthz", b"http://[/", b"/healthz"])
@pytest.mark.parametrize("method", [b"CONNECT", b"GET"])
async def test_an_offer_with_an_odd_target_is_no_fault(
    server: Server, caplog: pytest.LogCaptureFixture, method: bytes, target: bytes
):
    """A request for a tunnel, or with a target that is no URL, gets an answer and causes no error."""
    async with _connection(server) as (reader, writer):
        writer.write(method + b" " + target + b" HTTP/1.1\r\n" + HEAD + OFFER + b"\r\n")
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 ")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_many_offers_at_once_are_answered_in_order(server: Server):
    """Hundreds of requests that offer HTTP/2, sent together, are all answered."""
    async with _connection(server) as (reader, writer):
        writer.write((b"GET /healthz HTTP/1.1\r\n" + HEAD + OFFER + b"\r\n") * 300)
        for _ in range(300):
            assert await _body(reader) == b'{"status":"ok"}'


async def _body(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    assert len(lengths) == 1, head
    return await reader.readexactly(int(lengths[0].partition(b":")[2]))
