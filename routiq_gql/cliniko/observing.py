"""What may observe the requests of a client: their number by attempt, and each with its outcome. For traces."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

T = TypeVar("T")


class ObservedRequest(Protocol):
    """A request that is being sent."""

    def answered(self, status: int | None, outcome: str) -> None:
        """Take the status, if there was a response, and the outcome."""


class Observer(Protocol):
    """Observes requests."""

    def counting(self, attempt: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
        """``attempt``, which is called until it succeeds, with its calls counted."""

    def request(self, base_url: str, path: str, waited_seconds: float) -> AbstractContextManager[ObservedRequest]:
        """A context that is entered before a request is sent, and left after its response.

        Args:
            path: The list, without any id or parameter.
            waited_seconds: How long the request has waited for its turn.
        """
