"""The load of HTTP: connections kept alive, each with the next request as soon as its last response is complete."""

import select
import socket
import time
from dataclasses import dataclass

from tests.bench.children import ChildBroke

_READ_BYTES = 64 * 1024
_POLL_SECONDS = 0.5
_LENGTH = b"content-length:"


@dataclass(slots=True)
class Requester:
    """A connection."""

    socket: socket.socket
    unread: bytes = b""


class Requests:
    """Connections to a server, which all send the same bytes. Call ``close`` at the end."""

    def __init__(self, port: int, request: bytes, connections: int) -> None:
        self._request = request
        self._epoll = select.epoll()
        self._requesters: dict[int, Requester] = {}
        self.body = b""
        for _ in range(connections):
            opened = socket.create_connection(("127.0.0.1", port), timeout=30)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.setblocking(False)
            self._requesters[opened.fileno()] = Requester(opened)
            self._epoll.register(opened, select.EPOLLIN)

    def run(self, seconds: float) -> int:
        """Request for this time; returns how many responses came. The last of each connection is awaited.

        Raises:
            ChildBroke: A response had another status than 200, or the server closed a connection.
        """
        until = time.monotonic() + seconds
        for requester in self._requesters.values():
            requester.socket.send(self._request)
        count, waiting = 0, len(self._requesters)
        while waiting:
            polled = self._epoll.poll(_POLL_SECONDS)
            goes_on = time.monotonic() < until
            if not polled and time.monotonic() > until + 30:
                raise ChildBroke("A server has not answered a request for 30 s.")
            for number, _ in polled:
                requester = self._requesters[number]
                if self._read(requester):
                    count += 1
                    if goes_on:
                        requester.socket.send(self._request)
                    else:
                        waiting -= 1
        return count

    def close(self) -> None:
        for requester in self._requesters.values():
            requester.socket.close()
        self._epoll.close()

    def _read(self, requester: Requester) -> bool:
        """Whether the response is complete now."""
        data = requester.socket.recv(_READ_BYTES)
        if not data:
            raise ChildBroke("A server closed a connection that was kept alive.")
        data = requester.unread + data
        requester.unread = data
        head, found, body = data.partition(b"\r\n\r\n")
        if not found:
            return False
        if not head.startswith(b"HTTP/1.1 200"):
            raise ChildBroke(f"A server refused a request: {data[:300].decode(errors='replace')}")
        length = int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0])
        if len(body) < length:
            return False
        self.body = body
        requester.unread = b""
        return True


def get(port: int, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def post(port: int, path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
