"""The limit on open websockets per organization in this process.

A socket counts once its ``connection_init`` is accepted. Before that its organization is unknown, and sockets are
bounded by the time limit for ``connection_init`` and by the ceiling on connections. With authentication off they are
not counted at all.
"""

from collections import Counter

from routiq_gql.errors import RateLimited

RETRY_AFTER_SECONDS = 10


class OpenSockets:
    """Counts open websockets by organization.

    Args:
        most: The most sockets of an organization.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """Counted sockets of all organizations."""
        return self._open.total()

    def add(self, organization_id: str) -> None:
        """Count a socket.

        Raises:
            RateLimited: The organization is at its limit.
        """
        if self._open[organization_id] >= self._most:
            raise RateLimited(
                f"{self._most} websockets of this organization are open, the maximum. Close one, or raise "
                "ROUTIQ_MAX_SOCKETS.",
                RETRY_AFTER_SECONDS,
            )
        self._open[organization_id] += 1

    def remove(self, organization_id: str) -> None:
        """Stop counting a socket."""
        self._open[organization_id] -= 1
        if not self._open[organization_id]:
            del self._open[organization_id]
