"""The load: thousands of watchers in this process, which waits for all of them with one ``epoll``.

A watcher opens a raw socket, sends prepared bytes, and counts frames by their lengths. It parses no JSON: a frame has
the awaited state if it ends with the bytes that such a frame must end with. Pings are answered.
"""

import select
import socket
import struct
import time
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tests.bench.children import ChildBroke

LIMIT_SECONDS = 120
AT_ONCE = 64
"""Watchers that open at the same time; far fewer than a server's queue of unaccepted connections."""
_READ_BYTES = 64 * 1024
_POLL_SECONDS = 0.5
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_ABORT = struct.pack("ii", 1, 0)


def masked(text: bytes, kind: int = _TEXT) -> bytes:
    """A frame of a client, whose mask of zeros keeps the bytes unchanged."""
    size = len(text)
    head = bytes((128 | kind, 128 | size)) if size < 126 else struct.pack("!BBH", 128 | kind, 128 | 126, size)
    return head + bytes(4) + text


def handshake(port: int, path: str, protocol: str = "graphql-transport-ws") -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n"
    ).encode()


@dataclass(slots=True)
class Group:
    """Watchers that are measured together.

    Attributes:
        scripts: The bytes that each sends: the first at once, the others after each answer of the server. The answer
            to the last makes it ready.
        is_stream: Whether it reads an HTTP response with events, and no frames.
        may_close: Whether the server may end connections.
        receive_buffer: Bytes that the system keeps for a watcher that does not read; 0 for its default.
        suffix: The end of a frame with the awaited state.
        arrivals: When the awaited state reached each watcher, in nanoseconds of the machine's monotonic clock.
        frames: Text frames since they were ready.
        read_bytes: Bytes since they were ready.
        newest: The newest text frame of any of them, if ``keeps_newest``.
    """

    port: int
    scripts: Sequence[Sequence[bytes]]
    is_stream: bool = False
    may_close: bool = False
    receive_buffer: int = 0
    keeps_newest: bool = False
    watchers: list["Watcher"] = field(default_factory=list)
    suffix: bytes = b"\0"
    round: int = 0
    missing: int = 0
    arrivals: "array[int]" = field(default_factory=lambda: array("q"))
    frames: int = 0
    read_bytes: int = 0
    newest: bytes = b""

    def expect(self, suffix: bytes) -> None:
        """Await a state from now on."""
        self.suffix = suffix
        self.round += 1
        self.missing = len(self.watchers)
        self.arrivals = array("q")


class Watcher:
    """One socket.

    Attributes:
        closed_at: When the server ended the connection, in nanoseconds.
    """

    __slots__ = ("closed_at", "group", "is_open", "is_ready", "rest", "round", "script", "socket", "step")

    def __init__(self, group: Group, script: Sequence[bytes]) -> None:
        self.group = group
        self.script = script
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        if group.receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, group.receive_buffer)
        self.rest = b""
        self.step = 0
        self.round = 0
        self.is_open = self.is_ready = False
        self.closed_at = 0


class Load:
    """All watchers of this process. Call ``close`` at the end."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watchers: dict[int, Watcher] = {}
        self._opening = 0

    def open(self, group: Group, count: int, at_once: int = AT_ONCE) -> None:
        """Add ``count`` watchers, which use the group's scripts in turn; returns once all are ready."""
        number = len(group.watchers)
        waiting = deque(Watcher(group, group.scripts[(number + one) % len(group.scripts)]) for one in range(count))
        group.watchers += waiting
        until = time.monotonic() + LIMIT_SECONDS
        self._opening = 0
        while waiting or self._opening:
            while waiting and self._opening < at_once:
                self._connect(waiting.popleft())
            self._poll(_POLL_SECONDS)
            if time.monotonic() > until:
                raise ChildBroke(f"{len(waiting) + self._opening} of {count} watchers got no first state.")

    def until_all(self, group: Group, seconds: float = LIMIT_SECONDS) -> None:
        """Read until every watcher of the group has the awaited state.

        Raises:
            ChildBroke: Not within this time.
        """
        until = time.monotonic() + seconds
        while group.missing:
            self._poll(_POLL_SECONDS)
            if group.missing and time.monotonic() > until:
                raise ChildBroke(f"{group.missing} watchers did not get a state within {seconds:g} s.")

    def read_for(self, seconds: float) -> None:
        """Read and answer pings for this time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._poll(min(left, _POLL_SECONDS))

    def stop_reading(self, watcher: Watcher) -> None:
        """Only notice the end of the connection from now on."""
        self._epoll.modify(watcher.socket, 0)

    def read_again(self, watcher: Watcher) -> None:
        self._epoll.modify(watcher.socket, select.EPOLLIN)

    def leave(self, group: Group) -> None:
        """Close all connections of the group."""
        for watcher in group.watchers:
            self._drop(watcher)
        group.watchers.clear()

    def close(self) -> None:
        for watcher in list(self._watchers.values()):
            self._drop(watcher)
        self._epoll.close()

    def _connect(self, watcher: Watcher) -> None:
        self._opening += 1
        self._watchers[watcher.socket.fileno()] = watcher
        watcher.socket.connect_ex(("127.0.0.1", watcher.group.port))
        self._epoll.register(watcher.socket, select.EPOLLOUT)

    def _poll(self, seconds: float) -> None:
        watchers, readable = self._watchers, select.EPOLLIN
        for number, event in self._epoll.poll(seconds, 256):
            watcher = watchers.get(number)
            if watcher is None:
                continue
            if event & readable:
                self._read(watcher)
            elif watcher.step == 0:
                self._begin(watcher)
            else:  # it does not read, and the connection has ended
                self._lose(watcher, time.monotonic_ns())

    def _begin(self, watcher: Watcher) -> None:
        error = watcher.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise ChildBroke(f"A connection to port {watcher.group.port} failed with error {error}.")
        self._epoll.modify(watcher.socket, select.EPOLLIN)
        self._continue(watcher)

    def _continue(self, watcher: Watcher) -> None:
        """Send the next bytes of the script; after the last, the watcher is ready."""
        if watcher.step < len(watcher.script):
            watcher.socket.send(watcher.script[watcher.step])
            watcher.step += 1
        else:
            watcher.is_ready = True
            self._opening -= 1

    def _read(self, watcher: Watcher) -> None:
        try:
            data = watcher.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        now = time.monotonic_ns()
        if not data:
            self._lose(watcher, now)
            return
        group = watcher.group
        if watcher.is_ready:
            group.read_bytes += len(data)
            if group.is_stream:
                return
        if watcher.rest:
            data = watcher.rest + data
        if not watcher.is_open:
            watcher.rest = self._read_head(watcher, data)
            return
        watcher.rest = self._read_frames(watcher, data, now)

    def _read_frames(self, watcher: Watcher, data: bytes, now: int) -> bytes:
        """Handle all complete frames, and return the bytes behind them."""
        at, size, group = 0, len(data), watcher.group
        while size - at >= 2:
            start, length = at + 2, data[at + 1]
            if length == 126:
                if size - at < 4:
                    break
                start, length = at + 4, data[at + 2] << 8 | data[at + 3]
            elif length == 127:
                raise ChildBroke("A frame is longer than 64 KiB.")
            end = start + length
            if end > size:
                break
            kind = data[at] & 15
            at = end
            if kind == _TEXT:
                if not watcher.is_ready:
                    self._continue(watcher)
                    continue
                group.frames += 1
                if group.keeps_newest:
                    group.newest = data[start:end]
                if watcher.round != group.round and data.endswith(group.suffix, start, end):
                    watcher.round = group.round
                    group.missing -= 1
                    group.arrivals.append(now)
            elif kind == _PING:
                watcher.socket.send(masked(data[start:end], _PONG))
            elif kind == _CLOSE:
                self._lose(watcher, now)
                return b""
        return data[at:] if at < size else b""

    def _read_head(self, watcher: Watcher, data: bytes) -> bytes:
        """Handle the head of the response, and return the bytes behind it."""
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            return data
        wanted = b"HTTP/1.1 200" if watcher.group.is_stream else b"HTTP/1.1 101"
        if not head.startswith(wanted):
            raise ChildBroke(f"The server refused a watcher: {head.partition(chr(13).encode())[0].decode()}")
        if watcher.group.is_stream:
            if b"\ndata:" not in rest:
                return data
            watcher.is_open = True
            self._continue(watcher)
            return b""
        watcher.is_open = True
        self._continue(watcher)
        return self._read_frames(watcher, rest, time.monotonic_ns())

    def _lose(self, watcher: Watcher, now: int) -> None:
        if not watcher.group.may_close:
            raise ChildBroke(f"The server at port {watcher.group.port} closed the connection of a watcher.")
        watcher.closed_at = now
        self._drop(watcher)

    def _drop(self, watcher: Watcher) -> None:
        if watcher.socket.fileno() == -1:
            return
        del self._watchers[watcher.socket.fileno()]
        with suppress(FileNotFoundError):
            self._epoll.unregister(watcher.socket)
        watcher.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        watcher.socket.close()


def subscribing(port: int, subscriptions: Iterable[bytes]) -> list[list[bytes]]:
    """Scripts of ``graphql-transport-ws``: handshake, ``connection_init``, then one of the ``subscribe`` messages."""
    init = masked(b'{"type":"connection_init"}')
    return [[handshake(port, "/graphql"), init, masked(one)] for one in subscriptions]
