"""Websockets that the protocol itself ends, such as over text that is not UTF-8 or a frame that is too large.

Uvicorn then logs a traceback for the text, and raises ``RuntimeError`` in an application that was just about to send,
which reads like a fault of the application. Here both are what they are: a peer that has gone.
"""

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

_AFTER_THE_END = frozenset({"websocket.send", "websocket.close"})


class CleanEnding(WebSocketsSansIOProtocol):
    """Uvicorn's protocol, with endings that are no faults."""

    def send_receive_event_to_app(self) -> None:
        """Close with 1007 over text that is not UTF-8, and hand over everything else."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf8(b"".join(self.frames)):
            self.frames = []
            self.conn.send_close(CloseCode.INVALID_DATA, "Text messages must be UTF-8")
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    async def send(self, message: ASGISendEvent) -> None:
        """Send for the application.

        Raises:
            ClientDisconnected: The connection is closing.
        """
        if self.close_sent and self.initial_response is None and message["type"] in _AFTER_THE_END:
            raise ClientDisconnected
        await super().send(message)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
