"""``RememberedAnswers``: encoded responses to reads, until the database changes or a second has passed.

A request takes the database's change token before it reads, and its answer is kept under that token. As every commit of
any process changes the token, no answer from memory is older than the database. Callers check the viewer on every
request as before: an answer is found only by viewers with the same organization, sync and rights.
"""

import asyncio
import time
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from routiq_gql.security.viewer import Viewer

T = TypeVar("T")

MAX_AGE_SECONDS = 1.0
"""Some values depend on the clock, such as the next sync of a schedule."""
MAX_BYTES = 8 * 1024 * 1024
"""Memory of all answers."""
MAX_ANSWER_BYTES = MAX_BYTES // 16
"""A larger answer is not kept, so that a few of them can't displace all others."""
BYTES_PER_ANSWER = 1_000
"""Memory of an answer besides its own bytes and those of the request; so there are at most 8,000 answers."""


class EncodedAnswer(NamedTuple):
    """A response with status 200.

    Attributes:
        bucket: The organization that the operation counts for; see ``admission``.
    """

    body: bytes
    bucket: str
    media_type: str = "application/json"


class Place(NamedTuple):
    """The place of the answer to a request, taken before the read.

    Attributes:
        token: The database's change token; ``None`` if it was not known.
        visibility: Of the viewer; it decides what is read.
        request: Everything else that decides it.
        since: The time of taking it.
    """

    token: int | None
    visibility: Hashable
    request: tuple[bytes | str, ...]
    since: float


class RememberedAnswers:
    """The answers of one process.

    Args:
        change_token: Changes with every commit; ``None`` if it is not known, and then nothing is remembered.

    Attributes:
        bytes: Their memory.
    """

    def __init__(self, change_token: Callable[[], int | None], now: Callable[[], float] = time.monotonic) -> None:
        self._change_token = change_token
        self._now = now
        self._token: int | None = None
        self._known: dict[Hashable, tuple[float, EncodedAnswer, int]] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._known)

    def place(self, viewer: Viewer, *request: bytes | str) -> Place:
        """The place of the answer to a request. Take it before the read.

        Args:
            request: Everything besides the viewer that decides the answer.
        """
        token = self._change_token()
        if token != self._token:
            self._known.clear()
            self.bytes = 0
            self._token = token
        return Place(token, viewer.visibility, request, self._now())

    def find(self, place: Place) -> EncodedAnswer | None:
        """The answer that belongs there, if it was read within the last second and since the last commit."""
        if place.token is None or place.token != self._token:
            return None
        found = self._known.get((place.visibility, place.request))
        return found[1] if found is not None and place.since - found[0] < MAX_AGE_SECONDS else None

    def keep(self, place: Place, answer: EncodedAnswer) -> None:
        """Remember an answer that was read after ``place`` was taken."""
        size = len(answer.body) + sum(map(len, place.request)) + BYTES_PER_ANSWER
        if place.token is None or place.token != self._token or size > MAX_ANSWER_BYTES:
            return
        key = place.visibility, place.request
        self._drop(key)
        self._known[key] = place.since, answer, size
        self.bytes += size
        while self.bytes > MAX_BYTES:
            self._drop(next(iter(self._known)))

    def _drop(self, key: Hashable) -> None:
        found = self._known.pop(key, None)
        if found is not None:
            self.bytes -= found[2]


class OncePerTurn(Generic[T]):
    """A function without arguments, called once per turn of the event loop.

    The requests of a turn may share a change token: calls run in the order in which they are made, so whatever runs
    before ``_forget`` was begun before the token was taken.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._results: list[T] = []

    def __call__(self) -> T:
        if not self._results:
            self._results.append(self._call())
            asyncio.get_running_loop().call_soon(self._forget)
        return self._results[0]

    def _forget(self) -> None:
        self._results.clear()
