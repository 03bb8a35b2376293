"""Finished websocket frames, written at once: for messages that many sockets get at the same time.

A task per socket and message would cost more than the message. A frame is written only while the peer reads, so that
nothing is buffered for a peer that is behind. Other web servers offer no such writer; then messages go through ASGI.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Protocol

from websockets.protocol import State

from routiq_gql.serving.socket_endings import CleanEnding

FRAMES_EXTENSION = "routiq.frames"
"""Key in ``scope["extensions"]`` of a socket's ``FrameWriter``."""

_FINAL_TEXT = 0x81
_SHORT, _MEDIUM = 126, 65_536


class FrameWriter(Protocol):
    """Writes frames to a socket."""

    def write_frame(self, frame: bytes) -> bool:
        """Write a frame; ``False``, without writing, while the peer does not read. A closed socket takes any frame."""

    def when_writable(self, call: Callable[[], None]) -> None:
        """Call ``call`` once, as soon as the peer reads again or the connection has ended."""

    def forget(self, call: Callable[[], None]) -> None:
        """Do not make a call that ``when_writable`` has promised, and keep nothing of it."""


def text_frame(*parts: bytes) -> bytes:
    """An unmasked frame with a whole text message in UTF-8. Source: RFC 6455, 5.2."""
    length = sum(map(len, parts))
    if length < _SHORT:
        head = struct.pack("!BB", _FINAL_TEXT, length)
    elif length < _MEDIUM:
        head = struct.pack("!BBH", _FINAL_TEXT, 126, length)
    else:
        head = struct.pack("!BBQ", _FINAL_TEXT, 127, length)
    return b"".join((head, *parts))


class DirectFrames(CleanEnding):
    """Uvicorn's protocol as a ``FrameWriter``."""

    _waiting: dict[Callable[[], None], None] | None = None

    @property
    def can_write_frames(self) -> bool:
        """Whether this version of uvicorn has the parts that are used here, and no message is compressed."""
        writable, state = getattr(self, "writable", None), getattr(getattr(self, "conn", None), "state", None)
        has_parts = isinstance(writable, asyncio.Event) and isinstance(state, State)
        return has_parts and not self.config.ws_per_message_deflate

    def write_frame(self, frame: bytes) -> bool:
        if not self.writable.is_set():
            return False
        if self.conn.state is State.OPEN and not self.transport.is_closing():
            self.transport.write(frame)
        return True

    def when_writable(self, call: Callable[[], None]) -> None:
        if self._waiting is None:
            self._waiting = {}
        self._waiting[call] = None

    def forget(self, call: Callable[[], None]) -> None:
        if self._waiting is not None:
            self._waiting.pop(call, None)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._continue()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._continue()

    def _continue(self) -> None:
        waiting, self._waiting = self._waiting, None
        for call in waiting or ():
            call()
