"""Uvicorn's HTTP protocol on httptools, with the limits and the order of answers that its protocol on h11 has.

Plain, it parses requests that were sent together at once, and forgets all but the last: only the last would learn that
its client has left, and an answer to a malformed one could come before those to earlier ones. It limits no headers, and
adds trailers to the headers of a request that is already being answered.

It also answers a request that offers another protocol, such as HTTP/2 from Java's client, without its body. The body
would then be the next request, which a proxy has never seen. Such an offer is ignored here. Source: RFC 9110, 7.8.
"""

from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD_BYTES = 64 * 1024
"""Bytes of an unfinished request line with headers; as many as h11 allows."""


class OrderedRequests(HttpToolsProtocol):
    """Answers one request after the other.

    Attributes:
        answering: The request whose response is being made; ``None`` before the first.
    """

    answering: RequestResponseCycle | None = None
    _is_receiving = False
    _head_bytes: int | None = None  # of a request whose headers are not complete
    _is_malformed = False
    _declined: bytes | None = None  # the head of a request, without its offer of another protocol

    def is_receiving(self) -> bool:
        """Whether the peer has begun a request and not yet completed it."""
        return self._is_receiving

    def data_received(self, data: bytes) -> None:
        if self._is_malformed:
            return
        self._is_receiving = True
        self._unset_keepalive_if_required()
        self._parse(memoryview(data))
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.send_400_response("The headers are too long.")

    def _parse(self, data: memoryview) -> None:
        pieces: list[memoryview | bytes] = [data]
        while pieces:
            piece = pieces.pop()
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserError:
                self.logger.warning("Invalid HTTP request received.")
                self.send_400_response("")
                return
            except httptools.HttpParserUpgrade as offer:
                if self._should_upgrade():
                    self.handle_websocket_upgrade()
                    return
                if self._declined is not None:
                    pieces += [piece[offer.args[0] :], self._declined]
                    self._declined = None

    def on_message_begin(self) -> None:
        self._is_receiving = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_bytes is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        method = self.parser.get_method()
        if self.parser.should_upgrade() and not self._should_upgrade() and method != b"CONNECT":
            lines = [b"%b %b HTTP/%b" % (method, self.url, self.parser.get_http_version().encode())]
            lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
            self._declined = b"\r\n".join([*lines, b"\r\n"])
            return  # the parser stops here, and takes the body for the other protocol's
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self._declined is None:
            self._is_receiving = False
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        del msg
        earlier = self.answering
        if earlier is not None and not earlier.response_complete and not earlier.more_body:
            self._is_malformed = True  # its refusal comes after the answers to the requests before it
            self._is_receiving = False
        else:
            self.refuse_malformed()

    def refuse_malformed(self) -> None:
        """Respond to input that is not HTTP, and close the connection."""
        super().send_400_response("Invalid HTTP request received.")

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_malformed and self.answering is not None and self.answering.response_complete:
            self.refuse_malformed()

    def connection_lost(self, exc: Exception | None) -> None:
        self.pipeline.clear()
        if self.answering is not None and not self.answering.response_complete:
            self.answering.disconnected = True
            self.answering.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self.answering = cycle
        super()._start_asgi_task(cycle, app)
