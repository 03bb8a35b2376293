"""How many websockets each organization has open in this process, and how many it may have.

A socket counts from the moment its ``connection_init`` is accepted. Before that no organization is known, and sockets
are bounded by the time for ``connection_init`` and by the ceiling on connections; the same holds with authentication
off.
"""

from collections import Counter

from routiq_gql.errors import RateLimited

RETRY_AFTER_SECONDS = 10


class OpenSockets:
    """Counts open websockets by organization.

    Args:
        most: How many one organization may have.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """Counted sockets of all organizations."""
        return self._open.total()

    def add(self, organization_id: str) -> None:
        """Count one more.

        Raises:
            RateLimited: There are as many as there may be.
        """
        if self._open[organization_id] >= self._most:
            raise RateLimited(
                f"{self._most} websockets of this organization are open, the maximum. Close one, or raise "
                "ROUTIQ_MAX_SOCKETS.",
                RETRY_AFTER_SECONDS,
            )
        self._open[organization_id] += 1

    def remove(self, organization_id: str) -> None:
        """Count one less."""
        self._open[organization_id] -= 1
        if not self._open[organization_id]:
            del self._open[organization_id]
