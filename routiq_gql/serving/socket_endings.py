"""Handles websockets that the protocol itself closes, as for text that is not UTF-8 or a frame that is too large.

Uvicorn logs a traceback for the text, and raises ``RuntimeError`` in an application that is about to send. Both would
look like an application error; here they count as a disconnected peer.
"""

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.protocol import State

_AFTER_THE_END = frozenset({"websocket.send", "websocket.close"})


class CleanEnding(WebSocketsSansIOProtocol):
    """Uvicorn's protocol, without errors for such closes."""

    def send_receive_event_to_app(self) -> None:
        """Close with 1007 for text that is not UTF-8, and pass on everything else."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf8(b"".join(self.frames)):
            self.frames = []
            self.conn.send_close(CloseCode.INVALID_DATA, "Text messages must be UTF-8")
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def shutdown(self) -> None:
        """Close with 1012 when the server stops; a connection that is closing already only gets its last bytes.

        Uvicorn sends a second close frame there, and the ``InvalidState`` of websockets ends the server's shutdown.
        """
        if self.handshake_complete and self.conn.state is not State.OPEN:
            self.close_sent = True
        super().shutdown()

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
