"""A follower for a task: it keeps the newest value of a feed until the task takes it."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

from routiq_gql.errors import RoutiqError

T = TypeVar("T")


class Newest(Generic[T]):
    """The newest value that was not taken yet. A slow task skips values, but never the last."""

    def __init__(self) -> None:
        self._values: list[T] = []
        self._has_ended = False
        self._error: RoutiqError | None = None
        self._is_updated = asyncio.Event()

    def on_value(self, value: T) -> None:
        self._values[:] = [value]
        self._is_updated.set()

    def on_end(self, error: RoutiqError | None) -> None:
        self._has_ended, self._error = True, error
        self._is_updated.set()

    async def next(self) -> T:
        """Wait for the next value, unless one has come since the last.

        Raises:
            SyncNotFound: The sync was erased.
            DatabaseAway: The process is stopping.
        """
        while not self._values:
            if self._error is not None:
                raise self._error
            self._is_updated.clear()
            await self._is_updated.wait()
        return self._values.pop()

    async def values(self) -> AsyncGenerator[T, None]:
        """Values as fast as the caller takes them, to the end of the feed.

        Raises:
            SyncNotFound: The sync was erased.
        """
        while True:
            await self._is_updated.wait()
            self._is_updated.clear()
            while self._values:
                yield self._values.pop()
            if self._error is not None:
                raise self._error
            if self._has_ended:
                return
