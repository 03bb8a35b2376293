"""How many follow one organization at the same time in this process, and how many may."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from routiq_gql.errors import RateLimited

RETRY_AFTER_SECONDS = 10
"""When somebody whose subscription was one too many may try again."""


class Subscriptions:
    """Counts open subscriptions and streams by organization.

    Args:
        most: How many one organization may have.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def require_room(self, organization_id: str) -> None:
        """Pass if one more would be taken.

        Raises:
            RateLimited: There are as many as there may be.
        """
        if self._open[organization_id] >= self._most:
            raise RateLimited(
                f"{self._most} subscriptions to this organization are open, the maximum. Close one, or ask the "
                "operator of this server to raise ROUTIQ_MAX_SUBSCRIPTIONS.",
                RETRY_AFTER_SECONDS,
            )

    @contextmanager
    def counted(self, organization_id: str) -> Iterator[None]:
        """Count one while the block runs.

        Raises:
            RateLimited: There is no room.
        """
        self.require_room(organization_id)
        self._open[organization_id] += 1
        try:
            yield
        finally:
            self._open[organization_id] -= 1
            if not self._open[organization_id]:
                del self._open[organization_id]
