"""The limit on open connections: which are replaced by new ones, and what happens without free descriptors."""

import asyncio
import json
import resource
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from routiq_gql.serving import connection_table
from routiq_gql.serving.connection_table import ServerState
from routiq_gql.serving.open_files import most_connections
from routiq_gql.settings import Settings
from tests.cli.programs import Program
from tests.server import Server, open_socket
from tests.waiting import LIMIT_SECONDS, until

CEILING = 4
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
STREAM = b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Peer:
    """A connection opened by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, sent: bytes, until: bytes = b"") -> None:
        self._writer.write(sent)
        if until:
            await self._reader.readuntil(until)

    async def rest(self) -> bytes:
        """The data received until the server closes."""
        try:
            return await self._reader.read()
        except ConnectionError:
            return b""

    async def is_served(self) -> bool:
        """Whether the server responds to a request on this connection."""
        await self.send(GET + b"\r\n")
        try:
            return b" 200 " in await self._reader.readuntil(b'{"status":"ok"}')
        except (ConnectionError, asyncio.IncompleteReadError):
            return False


Connect = Callable[[], "asyncio.Future[Peer]"]


@pytest.fixture
async def small(
    settings: Settings, states: list[ServerState], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Server]:
    """A server with a limit of four connections, which may be replaced at any age."""
    monkeypatch.setattr(connection_table, "MIN_WAIT_SECONDS", 0)
    ended = asyncio.Event()

    async def stream(_request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"first\n"
            await ended.wait()

        return StreamingResponse(pieces())

    values = {"max_connections": CEILING}
    async with Server(settings.model_copy(update=values), extra_routes=[Route("/stream", stream)]) as server:
        yield server
        ended.set()
        await server.http.aclose()
        await until(lambda: not states[0].connections and len(states[0].table) == 0)


@pytest.fixture
async def connect(small: Server) -> AsyncIterator[Connect]:
    async with asyncio.timeout(LIMIT_SECONDS), AsyncExitStack() as stack:

        async def connect_one() -> Peer:
            reader, writer = await asyncio.open_connection("127.0.0.1", small.port)
            stack.callback(writer.close)
            return Peer(reader, writer)

        yield connect_one


async def _waiting(states: list[ServerState], phase: connection_table.Phase, number: int) -> None:
    await until(lambda: len(states[0].table._phases[phase]) == number)


async def test_the_oldest_idle_connection_is_evicted(connect: Connect, states: list[ServerState]):
    """A new visitor replaces the browser that has been idle for longest, and no other."""
    idle = [await connect() for _ in range(CEILING)]
    await _waiting(states, connection_table.Phase.IDLE, CEILING)
    assert await idle[0].is_served()  # now it is the youngest
    newcomer = await connect()
    assert await newcomer.is_served()
    assert await idle[1].rest() == b""
    assert all([await one.is_served() for one in (idle[0], idle[2], idle[3])])


async def test_half_requests_and_unknown_sockets_are_evicted_after_idle_connections(
    connect: Connect, states: list[ServerState]
):
    """Waiting connections are replaced in this order: first idle ones, then half requests, then sockets without
    connection_init.
    """
    unknown, half, idle = await connect(), await connect(), await connect()
    await unknown.send(UPGRADE, until=b"\r\n\r\n")
    await half.send(GET)
    await _waiting(states, connection_table.Phase.RECEIVING, 1)
    streams = []
    for _ in range(CEILING):
        streams.append(await connect())
        await streams[-1].send(STREAM, until=b"first\n")
    assert await idle.rest() == b""
    answer = await half.rest()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert await unknown.rest() == b""


async def test_a_flood_of_half_requests_shuts_no_visitor_out(connect: Connect, states: list[ServerState]):
    """With ten times as many half requests as places, a clinic still reads its page at once."""
    with capture_logs() as logs:
        for _ in range(CEILING * 10):
            peer = await connect()
            await peer.send(GET)
        visitor = await connect()
        assert await visitor.is_served()
        assert len(states[0].table) <= CEILING
    assert len([line for line in logs if line["log_level"] == "warning"]) == 1


async def test_connections_in_use_are_never_evicted(small: Server, connect: Connect, states: list[ServerState]):
    """Streams and authenticated sockets keep their places; a new visitor reads when to try again, and then gets in."""
    async with open_socket(small) as first, open_socket(small):
        streams = [await connect() for _ in range(CEILING - 2)]
        for stream in streams:
            await stream.send(STREAM, until=b"first\n")
        for _ in range(3):
            refused = await connect()
            await refused.send(GET + b"\r\n")
            head, _, body = (await refused.rest()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: " in head
            assert b"nosniff" in head
            assert "ROUTIQ_MAX_CONNECTIONS" in json.loads(body)["detail"]
        await first.send({"type": "ping"})
        assert (await first.receive())["type"] == "pong"
        await first.connection.close()
        await until(lambda: len(states[0].table) < CEILING)
        assert await (await connect()).is_served()


async def test_refused_connections_do_not_pile_up(connect: Connect, small: Server, states: list[ServerState]):
    """Refused visitors who send nothing don't accumulate either."""
    streams = [await connect() for _ in range(CEILING)]
    for stream in streams:
        await stream.send(STREAM, until=b"first\n")
    silent = [await connect() for _ in range(3 * connection_table.MOST_REFUSED)]
    await until(lambda: len(states[0].connections) <= CEILING + connection_table.MOST_REFUSED)
    answers = [await one.rest() for one in silent]
    assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers)


async def test_a_burst_of_visitors_waits_in_the_system(bare_server: Server):
    """Two hundred browsers that reconnect at the same moment are accepted, a few at a time."""
    with ExitStack() as stack:
        for _ in range(200):  # no other task runs during this loop
            visitor = stack.enter_context(socket.create_connection(("127.0.0.1", bare_server.port), timeout=5))
        visitor.sendall(GET + b"\r\n")
        assert await asyncio.to_thread(visitor.recv, 100)


async def test_a_socket_without_connection_init_is_closed(
    settings: Settings, states: list[ServerState], monkeypatch: pytest.MonkeyPatch
):
    """A socket without connection_init is closed after five seconds (shortened here), and its place is free again."""
    monkeypatch.setattr("routiq_gql.api.graphql.view.CONNECTION_INIT_SECONDS", 0.1)
    async with Server(settings) as server, open_socket(server, init=False) as unknown:
        await unknown.send({"type": "ping"})
        assert (await unknown.closed())[0] == 4408
        await until(lambda: len(states[0].table) == 0)


async def test_closing_a_socket_that_has_just_gone_is_no_fault(
    settings: Settings, states: list[ServerState], monkeypatch: pytest.MonkeyPatch
):
    """A peer that disconnects while the server closes its socket is not logged as an error."""
    monkeypatch.setattr("routiq_gql.api.graphql.view.CONNECTION_INIT_SECONDS", 0.1)
    told = asyncio.Event()

    def slow_to_hear(app: ASGIApp) -> ASGIApp:
        async def around(scope: Scope, receive: Receive, send: Send) -> None:
            async def receive_late() -> Message:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    await told.wait()
                return message

            async def send_and_tell(message: Message) -> None:
                try:
                    await send(message)
                finally:
                    if message["type"] == "websocket.close":
                        told.set()

            is_socket = scope["type"] == "websocket"
            await app(scope, receive_late if is_socket else receive, send_and_tell if is_socket else send)

        return around

    with capture_logs() as logs:
        async with Server(settings, around=slow_to_hear) as server:
            async with open_socket(server, init=False) as peer:
                peer.connection.transport.abort()
            async with asyncio.timeout(LIMIT_SECONDS):
                await told.wait()
            await until(lambda: any(line["event"] == "socket_ended" for line in logs))
    assert [line for line in logs if line["log_level"] == "error"] == []


def test_files_are_kept_for_the_database_and_cliniko(monkeypatch: pytest.MonkeyPatch):
    """Whatever the setting, connections never take the last descriptors; even a small limit leaves some."""
    for limit, wished, most in [
        *((1024, 0, 768), (1024, 100, 100), (1024, 5000, 768), (65536, 0, 10_000), (65536, 50_000, 50_000)),
        *((256, 0, 156), (100, 0, 16), (1_000_000, 0, 10_000), (resource.RLIM_INFINITY, 0, 10_000)),
    ]:
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert most_connections(wished) == most


LIMITS = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"


@pytest.fixture
def limited(tmp_path: Path) -> Callable[[int, int], dict[str, str]]:
    """Settings of a program that starts with these limits of open files."""

    def settings(soft: int, hard: int) -> dict[str, str]:
        (tmp_path / "sitecustomize.py").write_text(LIMITS.format(soft=soft, hard=hard))
        return {"PYTHONPATH": str(tmp_path)}

    return settings


def test_the_emulator_takes_all_files_that_it_may(limited: Callable[[int, int], dict[str, str]], tmp_path: Path):
    """A developer who tries a large clinic needs to set no limit."""
    with Program("emulator", folder=tmp_path, settings=limited(300, 500)) as program:
        program.wait_for("Stop with Ctrl-C")
        assert resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE) == (500, 500)


async def test_more_half_requests_than_files_shut_no_visitor_out(
    limited: Callable[[int, int], dict[str, str]], tmp_path: Path
):
    """A flood of half requests fills a page of the log at most, and a clinic's requests are served meanwhile."""
    with Program("serve", "--port", "0", folder=tmp_path, settings=limited(100, 256)) as program:
        port = int(program.url().rpartition(":")[2])
        assert resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE) == (256, 256)
        async with asyncio.timeout(LIMIT_SECONDS), AsyncExitStack() as stack:
            for _ in range(400):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
                writer.write(GET)
            answers = []
            while not answers or answers[-1] is False:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
                answers.append(await Peer(reader, writer).is_served())
        assert len(program.complaints.splitlines()) < 10
        assert "ulimit -n" in program.complaints


async def test_a_shortage_of_files_is_one_line_and_passes(tmp_path: Path):
    """While the process can open no files, the log has a single line in an operator's words; afterwards all is well."""
    with Program("serve", "--port", "0", folder=tmp_path) as program:
        port = int(program.url().rpartition(":")[2])
        pid, kept = program.process.pid, resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE)
        async with asyncio.timeout(LIMIT_SECONDS):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, kept[1]))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await until(lambda: "Too many open files; raise `ulimit -n`" in program.complaints)
            waiting = asyncio.create_task(Peer(reader, writer).is_served())
            resource.prlimit(pid, resource.RLIMIT_NOFILE, kept)
            assert await waiting
            writer.close()
        assert program.complaints.count("too_many_open_files") == 1
        assert "Traceback" not in program.complaints
