"""Limits the number of open subscriptions per organization in this process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from routiq_gql.errors import RateLimited

RETRY_AFTER_SECONDS = 10
"""When a client over the limit may try again."""


class Subscriptions:
    """Counts open subscriptions and streams by organization.

    Args:
        most: Maximum per organization.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def require_room(self, organization_id: str) -> None:
        """Raise unless there is room for another subscription.

        Raises:
            RateLimited: The organization has reached the limit.
        """
        if self._open[organization_id] >= self._most:
            raise RateLimited(
                f"{self._most} subscriptions to this organization are open, the maximum. Close one, or ask the "
                "operator of this server to raise ROUTIQ_MAX_SUBSCRIPTIONS.",
                RETRY_AFTER_SECONDS,
            )

    def __len__(self) -> int:
        """How many are open, of all organizations."""
        return self._open.total()

    def add(self, organization_id: str) -> None:
        """Count a subscription until ``remove`` is called for it.

        Raises:
            RateLimited: The organization has reached the limit.
        """
        self.require_room(organization_id)
        self._open[organization_id] += 1

    def remove(self, organization_id: str) -> None:
        """Count a subscription no longer."""
        self._open[organization_id] -= 1
        if not self._open[organization_id]:
            del self._open[organization_id]

    @contextmanager
    def counted(self, organization_id: str) -> Iterator[None]:
        """Count a subscription while the block runs.

        Raises:
            RateLimited: The organization has reached the limit.
        """
        self.add(organization_id)
        try:
            yield
        finally:
            self.remove(organization_id)
