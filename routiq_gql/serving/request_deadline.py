"""Limits the time in which an HTTP request must arrive, and the number of connections.

The deadline is absolute: from accepting the connection to the end of the first request, and from the first byte of each
further request to its end, body included. It ends when the request is complete or becomes a websocket; the time for the
response is not limited. Between two requests uvicorn's keep-alive timeout applies.
"""

import asyncio
import json
from typing import Any

from routiq_gql.serving.connection_table import Phase, ServerState, abort
from routiq_gql.serving.http_parsing import OrderedRequests

REFUSED_SECONDS = 1.0
"""How long a refused connection waits for its request; some clients read no response before they have sent one."""

RETRY_AFTER_SECONDS = 5

READABLE_BY_PAGES = "access-control-allow-origin: *\r\n"
"""Lets a page of any origin read a refusal, which would otherwise look like a network error. The text is the same for
every request and holds no data of an organization. The check of origins is in the application, which is not reached.
"""


def plain_answer(status: str, code: str, detail: str, headers: str = "") -> bytes:
    """A complete response in the form of all our errors, for requests that never reach the application."""
    title = status.partition(" ")[2]
    body = json.dumps({"type": "about:blank", "title": title, "detail": detail, "code": code}).encode()
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncontent-length: {len(body)}\r\n"
        f"x-content-type-options: nosniff\r\n{headers}connection: close\r\n\r\n"
    )
    return head.encode() + body


BAD_REQUEST = plain_answer("400 Bad Request", "BAD_REQUEST", "The server can't parse this as an HTTP/1.1 request.")
TOO_SLOW = plain_answer(
    "408 Request Timeout",
    "REQUEST_TIMEOUT",
    "The request did not arrive in time. Send it again.",
    READABLE_BY_PAGES,
)
NO_ROOM = plain_answer(
    "503 Service Unavailable",
    "NO_ROOM",
    "Too many connections to this server are open. Try again in a few seconds. To allow more, raise "
    "ROUTIQ_MAX_CONNECTIONS and `ulimit -n`.",
    f"retry-after: {RETRY_AFTER_SECONDS}\r\naccess-control-expose-headers: retry-after\r\n{READABLE_BY_PAGES}",
)


class RequestDeadline(OrderedRequests):
    """Its state is a ``ServerState``."""

    server_state: ServerState
    _clock: asyncio.TimerHandle | None = None
    _is_refused = False
    _is_socket = False
    _has_received = False  # whether any byte has arrived on the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.server_state.table.admit(transport, self._evict, self.loop.time()):
            self._start_clock(self.server_state.request_timeout)
        else:
            self._is_refused = True
            self.server_state.table.refuse(transport, self._send_no_room)
            self._clock = self.loop.call_later(REFUSED_SECONDS, self._send_no_room)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        self._unset_keepalive_if_required()  # uvicorn does not stop it after an error
        self.server_state.table.remove(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._has_received = True
        if self._is_refused:
            self._send_no_room()
        elif not self.transport.is_closing():
            super().data_received(data)
            self._update_clock()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.server_state.table.release(self.transport)
        self._update_clock()

    def handle_websocket_upgrade(self, *request: Any) -> None:
        self._is_socket = True
        self._stop_clock()
        self.server_state.table.enter(self.transport, Phase.UNKNOWN_SOCKET, self.loop.time())
        super().handle_websocket_upgrade(*request)

    def refuse_malformed(self) -> None:
        self._end_with(BAD_REQUEST)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.server_state.table.blocked(self.transport, self.loop.time())

    def resume_writing(self) -> None:
        super().resume_writing()
        self.server_state.table.blocked(self.transport, None)

    def _update_clock(self) -> None:
        """Start or stop the clock, after data has arrived or a response was completed."""
        if self._is_socket or self.transport.is_closing():
            return
        is_answering = self.answering is not None and not self.answering.response_complete
        if self.is_receiving():
            phase = Phase.RECEIVING
            if self._clock is None:
                self._start_clock(self.server_state.request_timeout)
        else:
            phase = Phase.IN_USE if is_answering else Phase.IDLE
            self._stop_clock()
            if not is_answering and self.timeout_keep_alive_task is None:
                # Uvicorn starts it after a response, and stops it when the rest of the request arrives.
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )
        self.server_state.table.enter(self.transport, phase, self.loop.time())

    def _start_clock(self, seconds: float) -> None:
        self._clock = self.loop.call_later(seconds, self._on_deadline)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _on_deadline(self) -> None:
        self._clock = None
        if self.answering is not None and not self.answering.response_complete and self.flow.read_paused:
            self._start_clock(self.server_state.request_timeout)  # the delay is ours: reading is paused
            return
        if self._has_received:
            seconds = self.server_state.request_timeout
            self.server_state.table.slow_requests.warn(reason=f"A request did not arrive within {seconds} s.")
        self._end_with(TOO_SLOW)

    def _evict(self) -> None:
        self._end_with(NO_ROOM)

    def _send_no_room(self) -> None:
        self._end_with(NO_ROOM, even_unasked=True)

    def _end_with(self, answer: bytes, *, even_unasked: bool = False) -> None:
        """Close the connection; send ``answer`` first if the peer waits for a response and none has been started."""
        self._stop_clock()
        if self.transport.is_closing():
            return
        is_begun = False
        is_asked = even_unasked or (self._has_received and self.is_receiving()) or answer is BAD_REQUEST
        if self.answering is not None and not self.answering.response_complete:
            is_begun = self.answering.response_started
            # The application gets a disconnect and sends nothing more.
            self.answering.disconnected = True
            self.answering.message_event.set()
        elif self.answering is not None and self.answering.more_body:
            is_begun = True  # the response came before the end of the request
        if is_asked and not is_begun:
            self.transport.write(answer)
        if self.transport.get_write_buffer_size():
            abort(self.transport)  # the peer doesn't read, so a normal close would hang
        else:
            self.transport.close()
