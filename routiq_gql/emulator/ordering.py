"""The ids of a table in the order of one column, kept as rows change.

The first page of a list in another order than by id is found by a walk along it, without sorting the whole list. So a
count, which a client asks with ``per_page=1`` in the default order, costs little in a large clinic.
"""

from array import array
from bisect import bisect_left
from collections.abc import Mapping

from routiq_gql.emulator.filters import NONE


class ColumnOrder:
    """All ids, ascending by the column's value and then by id.

    Args:
        ids: The ids of the table, ascending.
        values: The values of the column in the same places.
    """

    def __init__(self, ids: "array[int]", values: "array[int]") -> None:
        places = sorted(range(len(ids)), key=values.__getitem__)
        self._values = array("q", map(values.__getitem__, places))
        self._ids = array("q", map(ids.__getitem__, places))

    def add(self, row_id: int, value: int) -> None:
        """Insert a row."""
        place = self._place(row_id, value)
        self._values.insert(place, value)
        self._ids.insert(place, row_id)

    def remove(self, row_id: int, value: int) -> None:
        """Remove a row with the value that it was added with."""
        place = self._place(row_id, value)
        del self._values[place], self._ids[place]

    def first(self, most: int, among: "array[int]", low: int, high: int) -> list[int]:
        """The first ``most`` of the ids from ``low`` to ``high`` in ``among``, which is ascending."""
        found: list[int] = []
        for row_id in self._ids:
            if len(found) >= most:
                break
            place = bisect_left(among, row_id, low, high)
            if place < high and among[place] == row_id:
                found.append(row_id)
        return found

    def _place(self, row_id: int, value: int) -> int:
        low = bisect_left(self._values, value)
        high = bisect_left(self._values, value + 1, low)
        return bisect_left(self._ids, row_id, low, high)


class ColumnOrders:
    """The orders of a table's columns, each made when it is first needed.

    Args:
        columns: The table's columns by name, ``id`` among them.
    """

    def __init__(self, columns: Mapping[str, "array[int]"]) -> None:
        self._columns = columns
        self._orders: dict[str, ColumnOrder] = {}

    def by(self, column: str) -> ColumnOrder:
        """The order of a column of the table."""
        if column not in self._orders:
            self._orders[column] = ColumnOrder(self._columns["id"], self._columns[column])
        return self._orders[column]

    def clear(self) -> None:
        """Forget all orders, as many rows were loaded."""
        self._orders.clear()

    def add(self, row_id: int, row: Mapping[str, int | None]) -> None:
        """Follow an inserted row."""
        for name, order in self._orders.items():
            order.add(row_id, _stored(row[name]))

    def remove(self, row_id: int, row: Mapping[str, int | None]) -> None:
        """Follow a row that is removed, with its last values."""
        for name, order in self._orders.items():
            order.remove(row_id, _stored(row[name]))


def _stored(value: int | None) -> int:
    return NONE if value is None else value
