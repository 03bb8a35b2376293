"""The open connections of a server, the phase of each, and the limit on their number.

The protocols report each change. At the limit, a new connection replaces one that waits for its peer; a connection with
a request in progress, or an authenticated socket, is never closed for it. ``sweep`` resets connections that can't
finish closing because their peers read nothing.
"""

import asyncio
import socket
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from uvicorn.server import ServerState as UvicornState

from routiq_gql.rate_limited_log import RateLimitedLog

MIN_WAIT_SECONDS = 0.05
"""A waiting connection can't be replaced sooner, as its peer's bytes may be in transit."""

MOST_REFUSED = 16
"""Refused connections kept open until they get the reason; beyond this number the oldest is closed."""


class Phase(Enum):
    """The state of a connection. Connections are replaced in this order."""

    IDLE = auto()
    """Waits for a first or another request."""
    RECEIVING = auto()
    """Waits for the rest of a request."""
    UNKNOWN_SOCKET = auto()
    """Waits for a websocket's ``connection_init``."""
    IN_USE = auto()
    """A request in progress, or an authenticated socket. Never replaced."""


@dataclass(slots=True, eq=False)
class Connection:
    """A row of the table.

    Attributes:
        evict: Ends the connection at once, to make room for another.
        since: Start of the phase.
        blocked_since: Since when the peer has read nothing; ``None`` while it reads.
        closing_since: When it was first observed closing.
        holder: The organization that keeps it open, if known.
    """

    transport: asyncio.Transport
    evict: Callable[[], None]
    phase: Phase
    since: float
    blocked_since: float | None = None
    closing_since: float | None = None
    holder: str | None = None


class ConnectionTable:
    """The connections of a server.

    Args:
        most: The limit.
        stall_seconds: How long a peer may read nothing of a response, or of the rest while closing.

    Attributes:
        slow_requests: Logs requests that did not arrive in time.
    """

    def __init__(self, most: int, stall_seconds: float) -> None:
        self.most = most
        self._stall_seconds = stall_seconds
        self._phases: dict[Phase, OrderedDict[asyncio.Transport, Connection]] = {
            phase: OrderedDict() for phase in Phase
        }
        self._by_transport: dict[asyncio.Transport, Connection] = {}
        self._refused: OrderedDict[asyncio.Transport, Callable[[], None]] = OrderedDict()
        self._held: Counter[str] = Counter()
        self._full = RateLimitedLog("too_many_connections")
        self._stalled = RateLimitedLog("peers_stalled")
        self.slow_requests = RateLimitedLog("requests_too_slow")

    def __len__(self) -> int:
        return len(self._by_transport)

    def admit(self, transport: asyncio.Transport, evict: Callable[[], None], now: float) -> bool:
        """Add a new connection, in place of a waiting connection if necessary; ``False`` if there is no room."""
        if len(self) >= self.most:
            victim = self._waiting_longest(now)
            self._full.warn(
                reason=f"{self.most} connections are open, the maximum. For each new one an idle one is closed, or "
                "the new one is refused. ROUTIQ_MAX_CONNECTIONS and `ulimit -n` set the limit."
            )
            if victim is None:
                return False
            self.remove(victim.transport)
            victim.evict()
        connection = Connection(transport, evict, Phase.IDLE, now)
        self._by_transport[transport] = self._phases[Phase.IDLE][transport] = connection
        return True

    def enter(self, transport: asyncio.Transport, phase: Phase, now: float) -> None:
        """Record the connection's phase. Ignores connections that were removed already."""
        connection = self._by_transport.get(transport)
        if connection is not None and connection.phase is not phase:
            del self._phases[connection.phase][transport]
            connection.phase, connection.since = phase, now
            self._phases[phase][transport] = connection

    def hold(self, transport: asyncio.Transport, holder: str) -> bool:
        """Record which organization keeps a connection open; ``False`` if it may not keep more.

        An organization may hold half of the places that the others don't hold. So there is always a place left for a
        request, however many organizations use up their share.
        """
        connection = self._by_transport.get(transport)
        if connection is None or connection.holder == holder:
            return True
        self.release(transport)
        own = self._held[holder]
        if own >= (self.most - (self._held.total() - own)) // 2:
            return False
        connection.holder = holder
        self._held[holder] += 1
        return True

    def release(self, transport: asyncio.Transport) -> None:
        """Record that no organization keeps the connection open any more. Idempotent."""
        connection = self._by_transport.get(transport)
        if connection is not None and connection.holder is not None:
            self._held -= Counter((connection.holder,))
            connection.holder = None

    def replace_evict(self, transport: asyncio.Transport, evict: Callable[[], None]) -> None:
        """Replace the function that ends the connection, after another protocol has taken it over."""
        connection = self._by_transport.get(transport)
        if connection is not None:
            connection.evict = evict
            connection.blocked_since = None

    def blocked(self, transport: asyncio.Transport, since: float | None) -> None:
        """Record since when the peer reads nothing; ``None`` when it reads again."""
        connection = self._by_transport.get(transport)
        if connection is not None:
            connection.blocked_since = since

    def remove(self, transport: asyncio.Transport) -> None:
        """Remove a closed connection. Idempotent."""
        self._refused.pop(transport, None)
        self.release(transport)
        connection = self._by_transport.pop(transport, None)
        if connection is not None:
            del self._phases[connection.phase][transport]

    def refuse(self, transport: asyncio.Transport, end: Callable[[], None]) -> None:
        """Track a refused connection until its response is sent; ``end`` closes it earlier if there are too many."""
        if len(self._refused) >= MOST_REFUSED:
            _, end_oldest = self._refused.popitem(last=False)
            end_oldest()
        self._refused[transport] = end

    def sweep(self, now: float) -> None:
        """Reset connections whose peers have read nothing for ``stall_seconds``. Called about once a second."""
        for connection in list(self._by_transport.values()):
            if connection.closing_since is None and connection.transport.is_closing():
                connection.closing_since = now
            for since in (connection.blocked_since, connection.closing_since):
                if since is not None and now - since > self._stall_seconds:
                    self._stalled.warn(reason=f"A peer has read nothing of its response for {self._stall_seconds} s.")
                    self.remove(connection.transport)
                    abort(connection.transport)
                    break

    def _waiting_longest(self, now: float) -> Connection | None:
        for phase in (Phase.IDLE, Phase.RECEIVING, Phase.UNKNOWN_SOCKET):
            for oldest in self._phases[phase].values():
                if now - oldest.since >= MIN_WAIT_SECONDS:
                    return oldest
                break
        return None


class ServerState(UvicornState):
    """State shared by all protocols of a server, uvicorn's and ours.

    Args:
        request_timeout: Seconds from accepting a connection, or from a further request's first byte, to the end of
            the request.
    """

    def __init__(self, table: ConnectionTable, request_timeout: float) -> None:
        super().__init__()
        self.table = table
        self.request_timeout = request_timeout


def abort(transport: asyncio.Transport) -> None:
    """Reset a connection without a closing handshake; the kernel drops the data it had for the peer."""
    connection = transport.get_extra_info("socket")
    # A closing transport keeps its socket until the last byte is sent.
    if connection is not None and connection.fileno() != -1:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
