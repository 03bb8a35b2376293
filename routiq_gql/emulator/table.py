"""All rows of a list, kept as columns of integers in the order of their ids.

A clinic of 200,000 patients fits into some ten megabytes this way, and rows become JSON only for a page. The matches of
a filter are computed once and then updated as rows change, so that reading by key costs two binary searches whatever
the size of the clinic.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping

from routiq_gql.emulator.filters import NONE, Condition, ListQuery, Order
from routiq_gql.emulator.matching import condition_test, places_of, range_of, text_test
from routiq_gql.emulator.ordering import ColumnOrders
from routiq_gql.emulator.resources import Kind, Resource

Row = Mapping[str, int | None]
"""One row: every column that is not a text, times as seconds since 1970, ``None`` for no value."""

_MOST_WALKED = 200  # rows at the head of a list that are found without sorting all of it
_MOST_SELECTIONS = 32  # a sync has some ten different queries; the longest unused is dropped, as are old marks


class _Selection:
    """The ids that fulfil some conditions, ascending, and their requested orders."""

    def __init__(self, ids: "array[int]", matches: Callable[[int, Row], bool]) -> None:
        self.ids = ids
        self.matches = matches
        self.ordered: dict[tuple[Order, ...], list[int]] = {}


class Table:
    """The rows of a list. Ids are integers here; they become text on the wire only.

    Args:
        resource: The name and the columns of the list.
        text: Gives the text in a text column of the row with this id.
    """

    def __init__(self, resource: Resource, text: Callable[[int, str], str | None] = lambda _id, _name: None) -> None:
        self.resource = resource
        self._text = text
        self._kept = [c.name for c in resource.columns.values() if c.kind is not Kind.TEXT]
        self._columns: dict[str, array[int]] = {name: array("q") for name in self._kept}
        self._indexes: dict[str, dict[int, list[int]]] = {
            c.name: {} for c in resource.columns.values() if c.indexed and c.name != "id"
        }
        self._selections: dict[frozenset[Condition], _Selection] = {}
        self._orders = ColumnOrders(self._columns)

    def __len__(self) -> int:
        return len(self._columns["id"])

    def __contains__(self, row_id: int) -> bool:
        return self._place(row_id) is not None

    def ids(self) -> list[int]:
        """The ids of all rows, including hidden rows, ascending."""
        return self._columns["id"].tolist()

    def rows(self) -> Iterator[Row]:
        """All rows, including hidden rows, ascending by id. Changing the table meanwhile is not allowed."""
        return (self._row_at(place) for place in range(len(self)))

    def load(self, rows: Iterable[tuple[int | None, ...]], names: tuple[str, ...]) -> None:
        """Append many rows at once, given as values in the order of ``names``; other columns have no value.

        Raises:
            ValueError: The ids do not grow.
        """
        absent = [name for name in self._kept if name not in names]
        previous = self._columns["id"][-1] if len(self) else NONE
        columns = [self._columns[name] for name in names]
        at_id = names.index("id")
        indexed = [(names.index(name), index) for name, index in self._indexes.items()]
        for row in rows:
            row_id = row[at_id]
            if row_id is None or row_id <= previous:
                raise ValueError("Rows must be loaded in the order of their ids.")
            previous = row_id
            for column, value in zip(columns, row, strict=True):
                column.append(NONE if value is None else value)
            for place, index in indexed:
                index.setdefault(row[place] or 0, []).append(row_id)
        for name in absent:
            self._columns[name].extend([NONE] * (len(self) - len(self._columns[name])))
        self._selections.clear()
        self._orders.clear()

    def get(self, row_id: int) -> Row:
        """The row with this id.

        Raises:
            KeyError: There is none.
        """
        place = self._place(row_id)
        if place is None:
            raise KeyError(row_id)
        return self._row_at(place)

    def find(self, column: str, value: int) -> list[int]:
        """Ids of all rows with ``value`` in ``column``, including hidden rows, ascending."""
        return self._with_values(column, (value,))

    def insert(self, row: Row) -> None:
        """Add a row, anywhere in the order of ids.

        Raises:
            ValueError: The id is missing or taken.
        """
        row_id = row.get("id")
        if row_id is None or row_id in self:
            raise ValueError("A new row needs an id that is not taken.")
        place = bisect_left(self._columns["id"], row_id)
        for name, column in self._columns.items():
            value = row.get(name)
            column.insert(place, NONE if value is None else value)
        for name, index in self._indexes.items():
            siblings = index.setdefault(row.get(name) or 0, [])
            siblings.insert(bisect_left(siblings, row_id), row_id)
        self._follow(row_id, None, self._row_at(place))

    def change(self, row_id: int, **values: int | None) -> None:
        """Set columns of a row.

        Raises:
            KeyError: There is no such row, or no such column.
        """
        before = self.get(row_id)
        if unknown := values.keys() - before.keys():
            raise KeyError(f"{self.resource.name} has no {', '.join(sorted(unknown))}")
        place = bisect_left(self._columns["id"], row_id)
        for name, value in values.items():
            self._columns[name][place] = NONE if value is None else value
            if name in self._indexes and before[name] != value:
                self._indexes[name][before[name] or 0].remove(row_id)
                siblings = self._indexes[name].setdefault(value or 0, [])
                siblings.insert(bisect_left(siblings, row_id), row_id)
        self._follow(row_id, before, self._row_at(place))

    def remove(self, row_id: int) -> None:
        """Remove a row without a trace.

        Raises:
            KeyError: There is none.
        """
        before = self.get(row_id)
        place = bisect_left(self._columns["id"], row_id)
        for column in self._columns.values():
            del column[place]
        for name, index in self._indexes.items():
            index[before[name] or 0].remove(row_id)
        self._follow(row_id, before, None)

    def page(self, query: ListQuery, *, skip: int = 0) -> tuple[list[int], int]:
        """The ids on the page of ``query``, ``skip`` rows later, and the number of all matching rows."""
        start = (query.page - 1) * query.per_page + skip
        exact = self._candidates(query.conditions)
        if exact is not None:
            matches = self._matcher(query.conditions)
            found = self._sort([row_id for row_id in exact if matches(row_id, self.get(row_id))], query.order)
            return found[start : start + query.per_page], len(found)
        by_id = [c for c in query.conditions if c.column == "id" and c.operator in {">", ">=", "<", "<="}]
        selection = self._select(frozenset(query.conditions).difference(by_id))
        low, high = range_of(selection.ids, by_id)
        total = high - low
        stop = min(start + query.per_page, total)
        if start >= stop:
            return [], total
        [first, *others] = query.order
        if first == Order("id"):
            return selection.ids[low + start : low + stop].tolist(), total
        is_short_walk = stop <= _MOST_WALKED and total * 4 > len(self)  # else sorting takes less
        if is_short_walk and not others and not first.descending and first.column in self._columns:
            return self._orders.by(first.column).first(stop, selection.ids, low, high)[start:], total
        if by_id:
            return self._sort(selection.ids[low:high].tolist(), query.order)[start:stop], total
        if query.order not in selection.ordered:
            selection.ordered[query.order] = self._sort(selection.ids.tolist(), query.order)
        return selection.ordered[query.order][start:stop], total

    def _place(self, row_id: int) -> int | None:
        ids = self._columns["id"]
        place = bisect_left(ids, row_id)
        return place if place < len(ids) and ids[place] == row_id else None

    def _row_at(self, place: int) -> Row:
        return {n: (None if c[place] == NONE else c[place]) for n, c in self._columns.items()}

    def _candidates(self, conditions: Iterable[Condition]) -> list[int] | None:
        for condition in conditions:
            if condition.operator == "=" and isinstance(condition.operand, tuple):
                return self._with_values(condition.column, condition.operand)
        return None

    def _with_values(self, column: str, values: tuple[int, ...]) -> list[int]:
        """Ids of all rows with one of ``values`` in ``column``, ascending."""
        if column == "id":
            return [row_id for row_id in sorted(set(values)) if row_id in self]
        if column in self._indexes:
            index = self._indexes[column]
            return sorted(row_id for value in set(values) for row_id in index.get(value, ()))
        ids = self._columns["id"]
        return [ids[place] for place in places_of(Condition(column, "=", values), self._columns[column])]

    def _matcher(self, conditions: Iterable[Condition]) -> Callable[[int, Row], bool]:
        numbers, texts = [], []
        for condition in conditions:
            if self.resource.columns[condition.column].kind is Kind.TEXT:
                texts.append((condition.column, text_test(condition)))
            else:
                numbers.append((condition.column, condition_test(condition)))

        def matches(row_id: int, row: Row) -> bool:
            for column, test in numbers:
                value = row[column]
                if not test(NONE if value is None else value):
                    return False
            return all(test(self._text(row_id, column)) for column, test in texts)

        return matches

    def _select(self, conditions: frozenset[Condition]) -> _Selection:
        selection = self._selections.pop(conditions, None)
        if selection is None:
            while len(self._selections) >= _MOST_SELECTIONS:
                del self._selections[next(iter(self._selections))]
            selection = _Selection(self._matching_ids(conditions), self._matcher(conditions))
        self._selections[conditions] = selection  # last, as the most recently used
        return selection

    def _matching_ids(self, conditions: frozenset[Condition]) -> "array[int]":
        ids = self._columns["id"]
        places: list[int] | None = None
        for condition in sorted(conditions, key=self._usual_share):
            name = condition.column
            if self.resource.columns[name].kind is Kind.TEXT:
                fits = text_test(condition)
                places = [p for p in (range(len(ids)) if places is None else places) if fits(self._text(ids[p], name))]
            else:
                places = places_of(condition, self._columns[name], places)
        return array("q", ids if places is None else map(ids.__getitem__, places))

    def _usual_share(self, condition: Condition) -> int:
        """Orders conditions so that those which usually leave few rows come first, and texts last."""
        if self.resource.columns[condition.column].kind is Kind.TEXT:
            return 3
        if condition.operator == "!?":
            return 2
        return 0 if condition.column in {"updated_at", "created_at"} else 1

    def _follow(self, row_id: int, before: Row | None, after: Row | None) -> None:
        """Update orders and selections with a row that was inserted, changed or removed."""
        if before is not None:
            self._orders.remove(row_id, before)
        if after is not None:
            self._orders.add(row_id, after)
        for selection in self._selections.values():
            selection.ordered.clear()
            place = bisect_left(selection.ids, row_id)
            was_in = place < len(selection.ids) and selection.ids[place] == row_id
            is_in = after is not None and selection.matches(row_id, after)
            if was_in and not is_in:
                del selection.ids[place]
            elif is_in and not was_in:
                selection.ids.insert(place, row_id)

    def _sort(self, ids: list[int], order: tuple[Order, ...]) -> list[int]:
        every = self._columns["id"]
        places = [bisect_left(every, row_id) for row_id in ids]
        for part in reversed(order):
            if self.resource.columns[part.column].kind is Kind.TEXT:
                places.sort(key=lambda p, n=part.column: self._text(every[p], n) or "", reverse=part.descending)  # type: ignore[misc]
            else:
                places.sort(key=self._columns[part.column].__getitem__, reverse=part.descending)
        return [every[place] for place in places]
