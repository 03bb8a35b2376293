"""Every open connection of a server, with what it is waiting for, and the ceiling on their number.

The protocols report each change. Beyond the ceiling a new connection takes the place of one that waits for its peer;
one that is being answered, or an authenticated socket, is never closed for it. A connection that can't finish closing,
because its peer reads nothing, is reset by ``sweep``.
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

FAIR_SECONDS = 0.05
"""For so long a connection keeps its place although it waits for its peer, whose bytes may be on their way."""

MOST_REFUSED = 16
"""Refused connections that are still open, to be sent the reason; the oldest goes when there are more."""


class Phase(Enum):
    """What a connection waits for. In this order their connections give way to new ones."""

    IDLE = auto()
    """A first request, or another one."""
    RECEIVING = auto()
    """The rest of a request."""
    UNKNOWN_SOCKET = auto()
    """A websocket's ``connection_init``."""
    IN_USE = auto()
    """Nothing: its request is being answered, or it is an authenticated socket."""


@dataclass(slots=True, eq=False)
class Connection:
    """One row.

    Attributes:
        give_way: Ends the connection at once, so that another one can have its place.
        since: When it entered the phase.
        blocked_since: Since when its peer has not taken what was sent; ``None`` while it does.
        closing_since: When it was first seen closing.
        holder: The organization that holds it open, once that is known.
    """

    transport: asyncio.Transport
    give_way: Callable[[], None]
    phase: Phase
    since: float
    blocked_since: float | None = None
    closing_since: float | None = None
    holder: str | None = None


class ConnectionTable:
    """The connections of one server.

    Args:
        most: The ceiling.
        stall_seconds: How long a peer may take nothing of an answer, or of what is left at the close.

    Attributes:
        slow_requests: Where requests are logged that did not arrive in time.
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

    def admit(self, transport: asyncio.Transport, give_way: Callable[[], None], now: float) -> bool:
        """Add a new connection, in the place of a waiting one if need be; ``False`` if there is no room."""
        if len(self) >= self.most:
            victim = self._waiting_longest(now)
            self._full.warn(
                reason=f"{self.most} connections are open, the maximum. For each new one an idle one is closed, or "
                "the new one is refused. ROUTIQ_MAX_CONNECTIONS and `ulimit -n` set the limit."
            )
            if victim is None:
                return False
            self.remove(victim.transport)
            victim.give_way()
        connection = Connection(transport, give_way, Phase.IDLE, now)
        self._by_transport[transport] = self._phases[Phase.IDLE][transport] = connection
        return True

    def enter(self, transport: asyncio.Transport, phase: Phase, now: float) -> None:
        """Note what a connection waits for from now on. One that is not in the table has been cut."""
        connection = self._by_transport.get(transport)
        if connection is not None and connection.phase is not phase:
            del self._phases[connection.phase][transport]
            connection.phase, connection.since = phase, now
            self._phases[phase][transport] = connection

    def hold(self, transport: asyncio.Transport, holder: str) -> bool:
        """Note which organization holds a connection open for long; ``False`` if it may hold no more.

        One organization may hold half of the places that others don't hold. So however many organizations hold all
        that they may, a place is left for a request.
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
        """Note that no organization holds the connection any more. Does nothing the second time."""
        connection = self._by_transport.get(transport)
        if connection is not None and connection.holder is not None:
            self._held -= Counter((connection.holder,))
            connection.holder = None

    def replace_ending(self, transport: asyncio.Transport, give_way: Callable[[], None]) -> None:
        """Another protocol serves the connection now."""
        connection = self._by_transport.get(transport)
        if connection is not None:
            connection.give_way = give_way
            connection.blocked_since = None

    def blocked(self, transport: asyncio.Transport, since: float | None) -> None:
        """Note that the peer takes nothing, or (``None``) that it does again."""
        connection = self._by_transport.get(transport)
        if connection is not None:
            connection.blocked_since = since

    def remove(self, transport: asyncio.Transport) -> None:
        """Forget a connection that is gone. Does nothing the second time."""
        self._refused.pop(transport, None)
        self.release(transport)
        connection = self._by_transport.pop(transport, None)
        if connection is not None:
            del self._phases[connection.phase][transport]

    def refuse(self, transport: asyncio.Transport, end: Callable[[], None]) -> None:
        """Keep a refused connection until it has been told; ``end`` closes it before, if there are too many."""
        if len(self._refused) >= MOST_REFUSED:
            _, end_oldest = self._refused.popitem(last=False)
            end_oldest()
        self._refused[transport] = end

    def sweep(self, now: float) -> None:
        """Reset connections whose peers have read nothing for ``stall_seconds``; to be called every second or so."""
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
                if now - oldest.since >= FAIR_SECONDS:
                    return oldest
                break
        return None


class ServerState(UvicornState):
    """What uvicorn's protocols of one server share, and what ours do.

    Args:
        request_timeout: Seconds from accepting a connection, or from a further request's first byte, to the end of
            the request.
    """

    def __init__(self, table: ConnectionTable, request_timeout: float) -> None:
        super().__init__()
        self.table = table
        self.request_timeout = request_timeout


def abort(transport: asyncio.Transport) -> None:
    """End a connection without a goodbye; the kernel forgets what it still had for the peer."""
    connection = transport.get_extra_info("socket")
    # A closing transport still has its socket until the last byte has left.
    if connection is not None and connection.fileno() != -1:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
