"""A limit for the requests that a search may spend: a quarter of what reading everything would take."""

from collections.abc import Iterator
from contextlib import contextmanager

from routiq_gql.cliniko import ClinikoClient

SHARE = 0.25
LEAST_REQUESTS = 20
"""A search in a small clinic may take these, which is less than a full sync takes with its checks."""


class OverSpent(Exception):
    """The limit is reached. Rows that were repaired stay repaired."""


class Spending:
    """Counts the requests of all searches of a comparison."""

    def __init__(self, client: ClinikoClient) -> None:
        self._client = client
        self._limit = LEAST_REQUESTS
        self._spent_before = 0
        self._begun_at: int | None = None

    def set_limit(self, requests_of_full_read: int) -> None:
        """Set the limit by the number of requests that reading every list would take."""
        self._limit = max(LEAST_REQUESTS, int(requests_of_full_read * SHARE))

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count every request of the block."""
        self._begun_at = self._client.requests.total()
        try:
            yield
        finally:
            self._spent_before = self.spent
            self._begun_at = None

    @property
    def spent(self) -> int:
        """The requests so far."""
        current = 0 if self._begun_at is None else self._client.requests.total() - self._begun_at
        return self._spent_before + current

    def require(self) -> None:
        """Return if another request may be sent.

        Raises:
            OverSpent: The limit is reached.
        """
        if self.spent >= self._limit:
            raise OverSpent
