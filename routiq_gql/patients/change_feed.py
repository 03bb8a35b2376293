"""The newest changes of an organization's patients, read once for all its watchers in this process.

Watchers at the end share each read. A watcher further back reads earlier changes by itself, page by page, until it
reaches the changes in memory. Changes are kept by place and never queued per watcher, as the lines of ``LogFeed``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from routiq_gql.live.joined_read import JoinedRead
from routiq_gql.patients.change_cursors import Place
from routiq_gql.patients.change_model import PatientChange

KEPT_CHANGES = 500
"""Changes in memory per watched organization, some 500 KB. A sync of a usual day has some dozens."""

Behind = tuple[list[PatientChange], Place]
"""Changes behind a place, and the place behind them."""
ReadChanges = Callable[[Place], Awaitable[Behind]]
"""Reads some changes behind a place, ascending, and the place behind them."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Changes that were read together. They lie behind ``start``, and ``end`` lies behind them."""

    start: Place
    changes: list[PatientChange]
    end: Place


class ChangeFeed:
    """The changes behind ``start``, a place that no watcher at the end has passed yet.

    Args:
        start: The place behind which changes are kept in memory.
        read: Reads changes of this organization from the database.

    Attributes:
        watcher_count: How many watchers use it.
    """

    def __init__(self, start: Place, read: ReadChanges) -> None:
        self._start = start
        self._parts: list[_Part] = []
        self._read = read
        self._joined = JoinedRead(self._read_newest, "patient changes")
        self._wanted = start
        self.watcher_count = 0

    @property
    def _end(self) -> Place:
        return self._parts[-1].end if self._parts else self._start

    async def behind(self, place: Place, newest: Place) -> Behind:
        """The next changes behind a place, and the place behind them, at most ``newest``, which is published.

        Fewer than there are may be returned, or none although the place advances: call again until it is ``newest``.

        Raises:
            BadInput: Changes behind the place are no longer kept.
            StorageError: The database can't be read.
        """
        if place < self._start:
            return await self._read(place)
        while self._end <= place < newest:
            end = self._end
            self._wanted = max(self._wanted, newest)
            await self._joined()
            if self._end == end:
                return [], place
        for part in self._parts:
            if part.start == place:
                return part.changes, part.end
            if part.start < place < part.end:
                return [one for one in part.changes if one.place > place], part.end
        return await self._read(place)

    async def _read_newest(self) -> None:
        end = self._end
        if end >= self._wanted:
            return  # the read before has found them
        changes, behind = await self._read(end)
        if self._end == end and behind > end:  # no other read was faster
            self._parts.append(_Part(end, changes, behind))
            while len(self._parts) > 1 and sum(len(part.changes) for part in self._parts) > KEPT_CHANGES:
                self._start = self._parts.pop(0).end
