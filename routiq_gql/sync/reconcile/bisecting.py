"""Finds the rows by which the mirror differs from Cliniko, with counts of ranges of ids and few rows read.

A range whose counts differ is halved at the mirror's middle id. Only the lower half is counted; the upper half is the
rest. Ranges of at most a page are read and repaired. Of a range of two pages the lower half is read, since a read takes
no more requests than a count. Counts are taken one after the other, so an edit in between makes them contradict each
other: then a repaired range still differs, and the search starts again with a fresh count.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

LEAF_ROWS = 100
"""Rows of the mirror in a range that is read; Cliniko's largest page."""
STARTS = 3
"""How often a search may start without having repaired a row since the start before."""


class MirroredIds:
    """The ids of a list's rows in the draft, ascending. Eight bytes each."""

    def __init__(self, ids: Iterable[int] = ()) -> None:
        self._ids = array("q", ids)

    def __len__(self) -> int:
        return len(self._ids)

    def extend(self, ids: Iterable[int]) -> None:
        """Add ids that are greater than all others."""
        self._ids.extend(ids)

    def count(self, above: int | None, up_to: int | None) -> int:
        """How many ids are in the range."""
        begin, end = self._places(above, up_to)
        return end - begin

    def middle(self, above: int | None, up_to: int | None) -> int:
        """The last id of the lower half of the range, which holds at least two ids."""
        begin, end = self._places(above, up_to)
        return self._ids[begin + (end - begin) // 2 - 1]

    def update(self, changed: Collection[int], present: Collection[int]) -> None:
        """Note which of the changed rows are in the draft now."""
        for row_id in changed:
            place = bisect_left(self._ids, row_id)
            is_known = place < len(self._ids) and self._ids[place] == row_id
            if is_known and row_id not in present:
                del self._ids[place]
            elif not is_known and row_id in present:
                self._ids.insert(place, row_id)

    def _places(self, above: int | None, up_to: int | None) -> tuple[int, int]:
        begin = 0 if above is None else bisect_right(self._ids, above)
        end = len(self._ids) if up_to is None else bisect_right(self._ids, up_to)
        return begin, max(begin, end)


class ComparedList(Protocol):
    """The list that is searched."""

    @property
    def mirrored(self) -> MirroredIds:
        """The ids in the draft; ``repair`` updates it."""
        ...

    async def count(self, above: int | None, up_to: int | None) -> int:
        """How many rows Cliniko has in the range, by one request."""
        ...

    async def repair(self, above: int | None, up_to: int | None) -> bool:
        """Read the range from Cliniko and merge it; whether that changed rows, anywhere."""
        ...


@dataclass(frozen=True, slots=True)
class _Range:
    above: int | None
    up_to: int | None
    in_cliniko: int


async def repair_differences(compared: ComparedList, up_to: int | None, in_cliniko: int) -> bool:
    """Repair the rows with ids up to ``up_to``, of which Cliniko has just counted ``in_cliniko``.

    Returns whether the last counts and the repaired rows are consistent. If not, Cliniko's counts change faster than
    they can be compared, or they are wrong. Differences that even out within a range are not found.
    """
    fruitless = 0
    while fruitless < STARTS:
        is_consistent, has_repaired = await _search(compared, _Range(None, up_to, in_cliniko))
        if is_consistent:
            return True
        fruitless = 0 if has_repaired else fruitless + 1
        in_cliniko = await compared.count(None, up_to)
        if compared.mirrored.count(None, up_to) == in_cliniko:
            return True
    return False


async def _search(compared: ComparedList, whole: _Range) -> tuple[bool, bool]:
    """Whether all counts were consistent until the end, and whether rows were repaired."""
    has_repaired = False
    waiting = [whole]
    while waiting:
        one = waiting.pop()
        mirrored = compared.mirrored.count(one.above, one.up_to)
        if mirrored == one.in_cliniko:
            continue
        if mirrored <= LEAF_ROWS:
            has_repaired = await compared.repair(one.above, one.up_to) or has_repaired
            if compared.mirrored.count(one.above, one.up_to) != one.in_cliniko:
                return False, has_repaired
            continue
        middle = compared.mirrored.middle(one.above, one.up_to)
        if mirrored <= 2 * LEAF_ROWS:
            has_repaired = await compared.repair(one.above, middle) or has_repaired
            lower = compared.mirrored.count(one.above, middle)
        else:
            lower = await compared.count(one.above, middle)
        upper = one.in_cliniko - lower
        if upper < 0:
            return False, has_repaired
        waiting += [_Range(middle, one.up_to, upper), _Range(one.above, middle, lower)]
    return True, has_repaired
