"""Runs the ASGI application on the network: which addresses it may listen on, and how it stops.

Called by the commands ``serve``, ``demo`` and ``emulator``. Sockets are opened before anything else, so that a port in
use is reported before the start has side effects. Uvicorn's access log stays off: it would log query strings.
"""

import asyncio
import errno
import gc
import ipaddress
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import HANDLED_SIGNALS

from routiq_gql.errors import SettingsError
from routiq_gql.serving.connection_table import ConnectionTable, ServerState
from routiq_gql.serving.open_files import most_connections, shortage_in_one_line
from routiq_gql.serving.uvicorn_protocols import HttpProtocol, SocketProtocol

MAX_FRAME_BYTES = 256 * 1024
"""The largest accepted websocket message; request bodies have the same limit."""

PING_SECONDS = 20
"""Interval of websocket pings, and the time limit for each pong."""

FAULT_GRACE_SECONDS = 1
"""How long open requests may take when an error stops the server."""

STALLED_SECONDS = 60
"""A connection is reset when its peer has not read its response for this long: by the system if the peer reads nothing,
by us if it reads a little now and then. Streams and websockets give up on a slow reader sooner.
"""

QUEUED_CONNECTIONS = 512
"""Length of the system's accept queue, sized for a burst of reconnecting browsers."""

ACCEPTED_AT_ONCE = 16
"""How many connections asyncio accepts in a row. It derives this number from ``backlog``, which is 2,048 with uvicorn.
That many would be open before the limit is checked, and that many attempts made when files run out.
"""

REQUEST_SECONDS = 15
"""Time limit for receiving a request, unless a setting overrides it."""


class Listener:
    """Open sockets of a host and port. Close it, or pass it to ``serve``, which closes it."""

    def __init__(self, host: str, sockets: Sequence[socket.socket]) -> None:
        self._host = host
        self.sockets = list(sockets)
        self.port: int = self.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        """``http://127.0.0.1:8000``, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    def close(self) -> None:
        """Close the sockets. Idempotent."""
        for listening in self.sockets:
            listening.close()


def listen_on_loopback(host: str, port: int) -> Listener:
    """Like ``listen``, on this machine only.

    Raises:
        SettingsError: As ``listen``, or other machines can reach an address of the host.
    """
    return listen(host, port, only_loopback=True)


def listen(host: str, port: int, *, only_loopback: bool) -> Listener:
    """Open ``port`` (0: any free port) on every address of ``host``.

    Raises:
        SettingsError: The host is unknown, the port is in use, or an address is not loopback although it must be.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise SettingsError(f"There is no host {host!r}. Use `--host 127.0.0.1`.") from None
    # Sorted: IPv4 first, since URLs with a fixed port mostly use it.
    addresses = sorted({(family.value, str(address[0])) for family, _, _, _, address in found})
    for _, address in addresses:
        if only_loopback and not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
            raise SettingsError(
                f"With ROUTIQ_AUTH=off the server listens on loopback only, and {host!r} can be reached from other "
                "machines. Use `--host 127.0.0.1`, or set ROUTIQ_AUTH to token or jwt."
            )
    sockets: list[socket.socket] = []
    try:
        for family, address in addresses:
            sockets.append(
                _open(socket.AddressFamily(family), address, sockets[0].getsockname()[1] if sockets else port)
            )
    except OSError as error:
        for opened in sockets:
            opened.close()
        # The hosts file may list an IPv6 address although the machine has no IPv6.
        if error.errno == errno.EADDRNOTAVAIL and sockets:
            return listen(addresses[0][1], port, only_loopback=only_loopback)
        raise SettingsError(_why_not(error, host, port)) from None
    return Listener(host, sockets)


def _open(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # Declared as TCP: asyncio disables Nagle's algorithm only for such sockets.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit it
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_SECONDS * 1000)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address, port))
        listening.listen(QUEUED_CONNECTIONS)
    except OSError:
        listening.close()
        raise
    return listening


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use. Choose another one, for example `--port {_free_port()}`."
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}. Choose one above 1023, for example `--port 8000`."
    return f"{host!r} is not an address of this machine. Use `--host 127.0.0.1`."


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tune_gc() -> None:
    """Freeze the objects loaded at startup and collect garbage rarely. Call it when startup is complete.

    With CPython's defaults, a worker with a hundred running syncs pauses for some 0.15 s every four seconds. A page
    makes thousands of objects, and reference counting frees nearly all. Connections and GraphQL results leave cycles,
    which only full collections free. With thresholds of 50,000, 20 and 50, a server under attack (``make
    bench-fairness``) grew by 122 MB in 60 s; with these it grew by 18 MB in 40 s.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


async def serve(
    app: ASGIApp,
    listener: Listener,
    *,
    grace_seconds: float,
    trusted_proxies: Sequence[str] = (),
    alongside: Callable[[], Awaitable[None]] | None = None,
    request_timeout: float = REQUEST_SECONDS,
    max_connections: int = 0,
) -> None:
    """Serve until SIGINT or SIGTERM, then end open streams within ``grace_seconds``; a second Ctrl-C doesn't wait.

    Args:
        trusted_proxies: Addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are trusted.
        alongside: Runs from the moment the server accepts requests, and is cancelled when it begins to stop. It handles
            its errors: an escaping error stops the server and is raised here.
        request_timeout: Seconds within which a request must arrive completely.
        max_connections: Maximum of open connections; 0 for as many as the limit of open files allows.
    """
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="on",
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        http=HttpProtocol,
        ws=SocketProtocol,
        ws_max_size=MAX_FRAME_BYTES,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=ceil(grace_seconds),
        backlog=ACCEPTED_AT_ONCE,
    )
    table = ConnectionTable(most_connections(max_connections), STALLED_SECONDS)
    server = _Server(config, alongside, ServerState(table, request_timeout))
    try:
        with shortage_in_one_line(asyncio.get_running_loop()):
            await server.serve(sockets=listener.sockets)
    finally:
        listener.close()
        await server.end_alongside()
    server.raise_from_alongside()


class _Server(uvicorn.Server):
    """Uvicorn's server, which does not raise the signal again after it has stopped."""

    server_state: ServerState

    def __init__(
        self, config: uvicorn.Config, alongside: Callable[[], Awaitable[None]] | None, state: ServerState
    ) -> None:
        super().__init__(config)
        self.server_state = state
        self._alongside = alongside
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        previous = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        for listening in sockets or ():
            listening.listen(QUEUED_CONNECTIONS)  # asyncio set it to its number of accepts in a row
        tune_gc()
        if self._alongside is not None:
            self._task = asyncio.create_task(self._run(self._alongside))

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:  # once a second
            self.server_state.table.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.end_alongside()
        await super().shutdown(sockets=sockets)

    async def _run(self, alongside: Callable[[], Awaitable[None]]) -> None:
        try:
            await alongside()
        except Exception:
            self.config.timeout_graceful_shutdown = min(self.config.timeout_graceful_shutdown or 0, FAULT_GRACE_SECONDS)
            self.should_exit = True
            raise

    async def end_alongside(self) -> None:
        """Cancel the ``alongside`` task and wait for its end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def raise_from_alongside(self) -> None:
        """Raise the error that ended the ``alongside`` task, if any."""
        if self._task is not None and not self._task.cancelled() and (error := self._task.exception()):
            raise error
