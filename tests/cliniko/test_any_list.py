"""Whatever Cliniko refuses, however its rows are ordered and whichever can't be read: a list is read the same."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routiq_gql.cliniko import (
    ATTENDEES,
    INDIVIDUAL_APPOINTMENTS,
    Page,
    UnexpectedAnswer,
    UnreadableRow,
    booking_in,
    read_list,
    read_matching,
    read_practitioners,
)
from tests.cliniko.plain_list import PlainClient, PlainList, PlainRow

START = "2026-07-01T09:00:00Z"
NO_ID, NO_START = "?", "no start"
FIELDS = {NO_ID: "id", NO_START: "starts_at"}
LONGEST = 40
PAGE = 10

REFUSED = (frozenset[str](), frozenset({"sort"}), frozenset({"id:>"}))
ORDERS = ("ascending", "descending", "rotated", "mixed")


@st.composite
def manners(draw: st.DrawFn) -> dict[str, Any]:
    """How a list answers: the options of ``PlainList``."""
    return {
        "refused": draw(st.sampled_from(REFUSED)),
        "ignores_sort": draw(st.booleans()),
        "most_rows": draw(st.sampled_from([PAGE, 2 * PAGE, 100])),
        "has_links": draw(st.booleans()),
    }


def in_order(rows: list[PlainRow], order: str, chance: Any) -> list[PlainRow]:
    """The rows in another order than that of their ids."""
    match order:
        case "descending":
            return rows[::-1]
        case "rotated":  # by a few, so that a whole page may ascend
            middle = chance.randint(1, 10)
            return rows[middle:] + rows[:middle]
        case "mixed":
            return chance.sample(rows, len(rows))
    return rows


def appointments(kinds: Sequence[str]) -> list[PlainRow]:
    """Appointments with ascending ids; a kind is empty, or says what can't be read."""
    rows = []
    for number, kind in enumerate(kinds):
        row_id = 1000 + 3 * number
        sent = {"id": None if kind == NO_ID else str(row_id), "starts_at": None if kind == NO_START else START}
        rows.append(PlainRow(row_id, sent))
    return rows


KINDS = st.lists(st.sampled_from(["", "", "", "", NO_START]), max_size=LONGEST)


class Reading:
    """The pages of a reading, as a sync stores them: a page that starts over drops those before it."""

    def __init__(self) -> None:
        self.stored: set[str] = set()
        self.unreadable: Counter[UnreadableRow] = Counter()
        self.last: Page[Any] | None = None

    def add(self, page: Page[Any]) -> None:
        if page.restarted:
            self.stored.clear()
            self.unreadable.clear()
        self.stored |= {record.id for record in page.records}
        self.unreadable.update(page.unreadable)
        self.last = page


@settings(max_examples=80)
@given(
    KINDS, st.integers(0, 3), manners(), st.integers(-5, 5), st.sampled_from(ORDERS), st.randoms(use_true_random=False)
)
def test_every_way_of_reading_a_list_finds_the_same(
    kinds: list[str], without_id: int, manner: dict[str, Any], total_off: int, order: str, chance: Any
):
    """All rows are stored or named, each once, and the last page counts them all: by ids, in passes, with any total."""
    kinds += [NO_ID] * without_id
    chance.shuffle(kinds)
    # A total that ends with a page hides the rows behind it. Pages begin anywhere if a row has no id.
    if without_id or len(kinds) <= PAGE or (len(kinds) + total_off) % PAGE == 0:
        total_off = 0
    rows = in_order(appointments(kinds), order, chance)
    asked = PlainList("individual_appointments", rows, total_off=total_off, **manner)

    found = asyncio.run(_whole(asked, per_page=2 * PAGE))
    assert found.last is not None
    assert found.stored == {str(row.id) for row in rows if row.sent["id"] and row.sent["starts_at"]}
    expected = Counter(
        UnreadableRow(row.sent["id"], "starts_at" if row.sent["id"] else "id")
        for row in rows
        if not (row.sent["id"] and row.sent["starts_at"])
    )
    assert found.unreadable == expected
    assert (found.last.read, found.last.unreadable_read) == (len(rows), expected.total())
    assert found.last.remaining == 0
    assert found.last.claimed_total in {None, len(rows) + total_off}
    assert asked.requests < 60


@pytest.mark.parametrize("slips", [0, 1, 3, PAGE])
@pytest.mark.parametrize("total_off", [0, 4])
@pytest.mark.parametrize("has_links", [True, False])
def test_a_list_that_repeats_rows_is_never_believed(slips: int, total_off: int, has_links: bool):
    """Where pages overlap in each pass alike, other rows are hidden. Such passes agree, and are wrong all the same."""
    refused = frozenset({"sort"})
    rows = appointments([""] * (5 * PAGE - 2))
    asked = PlainList("individual_appointments", rows, refused, slips=slips, total_off=total_off, has_links=has_links)
    if slips:
        with pytest.raises(UnexpectedAnswer):
            asyncio.run(_whole(asked))
    else:
        assert asyncio.run(_whole(asked)).stored == {str(row.id) for row in rows}


async def _whole(asked: PlainList, per_page: int = PAGE) -> Reading:
    """The list as a sync reads it."""
    found = Reading()
    client = PlainClient({asked.name: asked})
    async with aclosing(read_list(client, INDIVIDUAL_APPOINTMENTS, per_page=per_page)) as pages:
        async for page in pages:
            found.add(page)
    return found


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("refused", REFUSED, ids=lambda one: "".join(one) or "nothing")
def test_rows_of_many_classes_are_all_found(order: str, refused: frozenset[str]):
    """Attendees by class are complete, whatever Cliniko refuses and in whichever order it sends them."""
    chance, classes = random.Random(7), ["501", "502", "503", "504"]
    bookings = [int(one) for one in classes for _ in range(60)]
    chance.shuffle(bookings)
    rows = [PlainRow(number, {"id": str(number)}, one) for number, one in enumerate(bookings, 1000)]
    for most_ids, most_rows in product((1, 2, 3, 200), (50, 100)):
        asked = PlainList("attendees", in_order(rows, order, chance), refused, most_ids=most_ids, most_rows=most_rows)
        assert asyncio.run(_of_classes(asked, classes)) == {str(row.id) for row in rows}


async def _of_classes(asked: PlainList, classes: Sequence[str]) -> set[str]:
    """The ids of the attendees, part by part."""
    parts, found, before = list[str](), list[Reading](), None
    async with aclosing(read_matching(PlainClient({"attendees": asked}), ATTENDEES, booking_in, classes)) as pages:
        async for part, page in pages:
            if part != before:
                parts += part
                found.append(Reading())
                before = part
            found[-1].add(page)
    assert parts == classes
    return {row_id for reading in found for row_id in reading.stored}


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from(["", "", "", NO_ID]), max_size=25),
    st.lists(st.sampled_from(["", "", "", NO_ID]), max_size=25),
    manners(),
    manners(),
)
def test_practitioners_of_both_lists_are_found(
    active: list[str], inactive: list[str], manner: dict[str, Any], other: dict[str, Any]
):
    """Active and inactive practitioners are in one page, with the rows that can't be read, however each is read."""
    lists = {}
    for path, kinds, its in (("practitioners", active, manner), ("practitioners/inactive", inactive, other)):
        first = 0 if path == "practitioners" else 500
        rows = [
            PlainRow(first + number + 1, {"id": None if kind else str(first + number + 1)})
            for number, kind in enumerate(kinds)
        ]
        lists[path] = PlainList("practitioners", rows, **{**its, "most_rows": 100})
    page = asyncio.run(read_practitioners(PlainClient(lists)))
    assert page is not None
    rows = [row for one in lists.values() for row in one.rows]
    assert [record.id for record in page.records] == [row.sent["id"] for row in rows if row.sent["id"]]
    broken = sum(row.sent["id"] is None for row in rows)
    assert (len(page.unreadable), page.unreadable_read, page.read) == (broken, broken, len(rows))
