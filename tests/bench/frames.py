"""A minimal websocket client, so that hundreds of them don't slow the measured server.

It reads text frames, records the arrival and the ``version`` of each, and responds to pings. Anything else that a
server may do by RFC 6455 ends the connection.
"""

import asyncio
import base64
import json
import os
import re
import struct
import time
from collections.abc import Callable

_VERSION = re.compile(rb'"version": ?(\d+)')
_TEXT, _PING, _PONG = 1, 9, 10
_ZERO_MASK = bytes(4)  # a client must mask; zeros keep the bytes unchanged

OnVersion = Callable[["Watcher", int, int], None]


class Watcher(asyncio.Protocol):
    """A connection.

    Args:
        on_version: Called with the version of a frame and the time it was read, in nanoseconds of the machine.

    Attributes:
        texts: Text frames without a version, such as the acknowledgement.
        last_frame: The newest frame with a version.
    """

    def __init__(self, host: str, path: str, protocol: str | None, on_version: OnVersion) -> None:
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
            + (f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else "")
            + "\r\n"
        )
        self._on_version = on_version
        self._unread = bytearray()
        self._transport: asyncio.Transport | None = None
        self.is_open = asyncio.Event()
        self.texts: asyncio.Queue[bytes] = asyncio.Queue()
        self.last_frame = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request.encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self._unread += data
        if not self.is_open.is_set():
            head, found, rest = bytes(self._unread).partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.close()
                return
            self._unread = bytearray(rest)
            self.is_open.set()
        while (frame := self._take_frame()) is not None:
            self._on_frame(*frame, now)

    def send(self, message: object) -> None:
        """Send a text frame."""
        self._write(_TEXT, json.dumps(message).encode())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _on_frame(self, kind: int, payload: bytes, now: int) -> None:
        if kind == _PING:
            self._write(_PONG, payload)
        elif kind != _TEXT:
            self.close()
        elif found := _VERSION.search(payload):
            self.last_frame = payload
            self._on_version(self, int(found[1]), now)
        else:
            self.texts.put_nowait(payload)

    def _take_frame(self) -> tuple[int, bytes] | None:
        unread = self._unread
        if len(unread) < 2:
            return None
        size, at = unread[1], 2
        if size == 126:
            if len(unread) < 4:
                return None
            size, at = struct.unpack_from("!H", unread, 2)[0], 4
        elif size == 127:
            raise ValueError("No frame here is longer than 64 KiB.")
        if len(unread) < at + size:
            return None
        kind, payload = unread[0] & 15, bytes(unread[at : at + size])
        del unread[: at + size]
        return kind, payload

    def _write(self, kind: int, payload: bytes) -> None:
        assert self._transport is not None
        size = len(payload)
        length = bytes([128 | size]) if size < 126 else struct.pack("!BH", 128 | 126, size)
        self._transport.write(bytes([128 | kind]) + length + _ZERO_MASK + payload)
