"""Peers that never finish a request: each has limited time."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from routiq_gql.serving import server as server_module
from routiq_gql.serving.connection_table import ServerState
from routiq_gql.settings import Settings
from tests.graphql_documents import UPDATES
from tests.server import Server, open_socket
from tests.waiting import LIMIT_SECONDS, until

TIMEOUT_SECONDS = 0.4
HEAD = b"Host: localhost\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HEAD
POST = b"POST /graphql HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\n"
BODY = json.dumps({"query": "{ __typename }"}).encode()


class Handlers:
    """Routes whose handlers wait until a test releases them."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()
        self.routes = [
            Route("/slow", self._slow),
            Route("/late", self._late, methods=["POST"]),
            Route("/stream", self._stream),
        ]

    async def _slow(self, _request: Request) -> Response:
        await self.may_go_on.wait()
        return PlainTextResponse("done")

    async def _late(self, request: Request) -> Response:
        await self.may_go_on.wait()
        return PlainTextResponse(str(len(await request.body())))

    async def _stream(self, _request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"first\n"
            await self.may_go_on.wait()
            yield b"last\n"

        return StreamingResponse(pieces())


@pytest.fixture
async def handlers() -> Handlers:
    return Handlers()


@pytest.fixture
async def hasty(
    settings: Settings,
    handlers: Handlers,
    states: list[ServerState],
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[Server]:
    """A server with a deadline of 0.4 s instead of 15 s. At the end no connection and no logged error is left."""
    assert Settings.model_fields["request_timeout"].default == server_module.REQUEST_SECONDS == 15
    values = {"request_timeout": TIMEOUT_SECONDS}
    with capture_logs() as logs:
        async with Server(settings.model_copy(update=values), extra_routes=handlers.routes) as server:
            yield server
            handlers.may_go_on.set()
            await server.http.aclose()
            await until(lambda: not states[0].connections and len(states[0].table) == 0)
    assert [line for line in logs if line["log_level"] in {"error", "critical"}] == []
    assert [record.message for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []


@asynccontextmanager
async def _connection(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(LIMIT_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            yield reader, writer
        finally:
            writer.close()


async def _until_cut(server: Server, sent: bytes, dribbled: bytes = b"") -> bytes:
    """The response to ``sent``, followed by ``dribbled`` byte by byte without end, until the server closes."""
    async with _connection(server) as (reader, writer):

        async def dribble() -> None:
            while dribbled:
                for byte in dribbled:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(TIMEOUT_SECONDS / 8)

        writer.write(sent)
        dribbling = asyncio.create_task(dribble())
        answer = b""
        try:
            while piece := await reader.read(65536):
                answer += piece
        except ConnectionError:
            pass  # the bytes reached a closed connection
        finally:
            dribbling.cancel()
        return answer


HALVES = {
    "request line": b"GET /heal",
    "header": GET + b"X-Some",
    "announced body": POST + b"Content-Length: 50\r\n\r\n{",
    "no byte of the body": POST + b"Content-Length: 50\r\n\r\n",
    "chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    "last chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "trailer": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Tra",
    "body of HTTP/1.0": POST.replace(b"1.1", b"1.0") + b"Content-Length: 50\r\n\r\n{",
    "websocket handshake": b"GET /graphql HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + HEAD,
}


async def test_half_a_request_is_answered_and_cut_in_time(hasty: Server):
    """A connection with half a request is closed in time; its client reads that it was too slow."""
    answers = await asyncio.gather(*(_until_cut(hasty, half) for half in HALVES.values()))
    for half, answer in zip(HALVES, answers, strict=True):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 "), half
        assert b"x-content-type-options: nosniff" in head
        assert json.loads(body)["code"] == "REQUEST_TIMEOUT"


DRIBBLES = {
    "a header": (GET + b"X-Slow: ", b"a"),
    "many headers": (GET, b"X: 1\r\n"),
    "a body": (POST + b"Content-Length: 5000\r\n\r\n", b"{"),
    "chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
}


async def test_a_byte_now_and_then_buys_no_time(hasty: Server):
    """The deadline counts from the first byte, however many follow."""
    for answer in await asyncio.gather(*(_until_cut(hasty, *dribble) for dribble in DRIBBLES.values())):
        # Bytes that arrive after the close reset the connection, so the response may be lost.
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")


async def test_a_silent_connection_is_closed_without_an_answer(hasty: Server):
    """A connection that a browser opens in advance gets no response before a request."""
    assert await _until_cut(hasty, b"") == b""


async def test_a_body_that_was_promised_and_asked_for_has_to_come(hasty: Server):
    """A client that waits for "100 Continue", and then sends nothing, is disconnected, too."""
    answer = await _until_cut(hasty, POST + b"Content-Length: 50\r\nExpect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 ")


UNREAD = {
    "404": b"POST /nowhere HTTP/1.1\r\n" + HEAD,
    "405": b"PUT /api/v1/sync/start/org_1 HTTP/1.1\r\n" + HEAD,
    "421": b"POST /graphql HTTP/1.1\r\nHost: evil.example\r\n",
    "403": POST + b"Origin: https://evil.example\r\n",
    "413": POST.replace(b"\r\nContent-Type", b"\r\nX-Other: 1\r\nContent-Type"),
    "200": b"GET /healthz HTTP/1.1\r\n" + HEAD,
}


async def test_a_body_left_unread_keeps_no_connection(hasty: Server):
    """A refusal before the body is sent once, without a wait for the rest of the body."""

    async def check(status: str, dribbled: bytes) -> None:
        length = b"9000000" if status == "413" else b"5000"
        answer = await _until_cut(hasty, UNREAD[status] + b"Content-Length: " + length + b"\r\n\r\n", dribbled)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert answer.count(b"HTTP/1.1 ") == 1

    await asyncio.gather(*(check(status, dribbled) for status in UNREAD for dribbled in (b"", b"x")))


async def test_a_further_request_has_a_full_deadline(hasty: Server):
    """On a persistent connection, each request has the full time, and no more."""
    async with _connection(hasty) as (reader, writer):
        for _ in range(3):
            writer.write(GET + b"\r\n")
            assert b" 200 " in await reader.readuntil(b'{"status":"ok"}')
        writer.write(GET)
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")


async def test_requests_sent_together_are_answered_before_half_a_request_is_cut(hasty: Server):
    """Responses keep their order if several requests arrive at once and the last is incomplete."""
    answer = await _until_cut(hasty, (GET + b"\r\n") * 3 + GET)
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.count(b"HTTP/1.1 408 ") == 1
    assert answer.index(b"HTTP/1.1 408 ") > answer.rindex(b"HTTP/1.1 200 ")


async def test_a_connection_is_idle_again_after_an_unread_body(hasty: Server, states: list[ServerState]):
    """The unread rest of a refused request does not disable the keep-alive timeout."""
    async with _connection(hasty) as (reader, writer):
        writer.write(UNREAD["404"] + b"Content-Length: 5\r\n\r\n")
        await reader.readuntil(b"}")
        (connection,) = states[0].connections
        connection.timeout_keep_alive = 0.1  # seconds
        writer.write(b"12345")
        assert await reader.read() == b""


async def test_garbage_after_an_answer_is_no_fault(hasty: Server):
    """An invalid rest of a body ends the connection, without a second response or a traceback."""
    async with _connection(hasty) as (reader, writer):
        writer.write(UNREAD["404"] + b"Transfer-Encoding: chunked\r\n\r\n")
        answer = await reader.readuntil(b"}")
        writer.write(b"zz\r\nzz\r\n")
        answer += await reader.read()
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_input_that_is_no_http_is_refused_as_a_problem(hasty: Server):
    """A client of another protocol gets the usual form of error."""
    answer = await _until_cut(hasty, b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"nosniff" in head
    assert json.loads(body)["code"] == "BAD_REQUEST"


async def test_the_application_learns_that_its_client_has_gone(hasty: Server):
    """An incomplete request is a line in the log, without a status, and no error."""
    with capture_logs() as logs:
        await _until_cut(hasty, HALVES["announced body"])
        await until(lambda: any(line["event"] == "request_ended" for line in logs))
    (ended,) = (line for line in logs if line["event"] == "request_ended")
    assert (ended["path"], ended["status"]) == ("/graphql", None)
    (slow,) = (line for line in logs if line["log_level"] == "warning")
    assert slow["event"] == "requests_too_slow"


async def test_time_for_the_answer_is_not_limited(hasty: Server, handlers: Handlers):
    """A slow response, and a stream of hours, continues after the request's deadline."""
    async with _connection(hasty) as (slow, ask_slow), _connection(hasty) as (stream, ask_stream):
        ask_slow.write(b"GET /slow HTTP/1.1\r\nConnection: close\r\n" + HEAD + b"\r\n")
        ask_stream.write(b"GET /stream HTTP/1.1\r\nConnection: close\r\n" + HEAD + b"\r\n")
        await stream.readuntil(b"first\n")
        for _ in range(2):
            await _until_cut(hasty, GET)  # twice the time limit
        handlers.may_go_on.set()
        assert (await slow.read()).endswith(b"done")
        assert b"last\n" in await stream.read()


BEHIND = {
    "nothing": (b"", []),
    "a request": (GET + b"\r\n", [b"200"]),
    "no request": (b"no request\r\n\r\n", [b"400"]),
    "a request and no request": (GET + b"\r\nno request\r\n\r\n", [b"200", b"400"]),
}


async def test_nothing_behind_a_request_limits_the_time_of_its_answer(hasty: Server, handlers: Handlers):
    """A client that has sent more than a slow request gets each answer, the slow one first, after the deadline too."""

    async def check(behind: str) -> None:
        sent, statuses = BEHIND[behind]
        async with _connection(hasty) as (reader, writer):
            writer.write(b"GET /slow HTTP/1.1\r\n" + HEAD + b"\r\n" + sent)
            answer = b""
            while answer.count(b"HTTP/1.1 ") <= len(statuses) or not answer.endswith((b"}", b"done")):
                piece = await reader.read(65536)
                assert piece, (behind, answer)
                answer += piece
            assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [b"200", *statuses], behind

    async def release() -> None:
        for _ in range(2):
            await _until_cut(hasty, GET)  # twice the time limit
        handlers.may_go_on.set()

    await asyncio.gather(release(), *map(check, BEHIND))


async def test_time_in_which_the_server_does_not_read_is_not_the_clients(hasty: Server, handlers: Handlers):
    """A large body that waits while the application is busy arrives completely."""
    async with _connection(hasty) as (reader, writer):
        size = 8_000_000
        writer.write(
            b"POST /late HTTP/1.1\r\nConnection: close\r\n" + HEAD + f"Content-Length: {size}\r\n\r\n".encode()
        )
        writer.write(b"x" * size)
        for _ in range(2):
            await _until_cut(hasty, GET)
        handlers.may_go_on.set()
        assert (await reader.read()).endswith(str(size).encode())


async def test_a_websocket_ends_the_deadline(hasty: Server):
    """A dashboard that has been open for long still gets its updates."""
    async with open_socket(hasty) as socket:
        for _ in range(2):
            await _until_cut(hasty, GET)
        await socket.subscribe(UPDATES, id="org_1")
        assert (await socket.receive())["type"] == "next"


async def test_a_peer_that_hardly_reads_is_cut(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, states: list[ServerState]
):
    """A plain response that is read a few bytes at a time ends as well; shorter here than a minute."""
    monkeypatch.setattr(server_module, "STALLED_SECONDS", 0.5)
    monkeypatch.delattr(server_module.socket, "TCP_USER_TIMEOUT", raising=False)  # disables the system's limit

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 100_000

    async def big(_request: Request) -> Response:
        return StreamingResponse(pieces())

    async with Server(settings, extra_routes=[Route("/big", big)]) as server, _connection(server) as (reader, writer):
        writer.transport.pause_reading()
        writer.write(b"GET /big HTTP/1.1\r\n" + HEAD + b"\r\n")
        await until(lambda: len(states[0].table) == 1)
        await until(lambda: not states[0].connections)
        writer.transport.resume_reading()
        with pytest.raises(ConnectionResetError):
            while await reader.read(1_000_000):
                pass
