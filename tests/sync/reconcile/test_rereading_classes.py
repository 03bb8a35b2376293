"""Attendees of classes are counted the same, whatever Cliniko refuses and in whichever order it sends them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import product
from typing import Any, cast

import pytest

from routiq_gql.cliniko import Horizon, Page, Record, Resource
from routiq_gql.database.drafts import Covered, PageChanges
from routiq_gql.sync.reconcile.rereading import Rereader
from routiq_gql.sync.reconcile.terms import Mirroring, Terms
from tests.cliniko.plain_list import PlainClient, PlainList, PlainRow

NOW = datetime(2026, 7, 1, tzinfo=UTC)
TERMS = Terms(is_full=False, mark=NOW, horizon=Horizon(NOW), recent_from=NOW, upcoming_to=NOW)
CLASSES = (501, 502, 503, 504)
REFUSED = (frozenset[str](), frozenset({"sort"}), frozenset({"id:>"}))


class Merged:
    """Notes the rows that are merged, in place of a draft."""

    def __init__(self) -> None:
        self.rows: dict[str, Record] = {}
        self.changed: Mapping[str, int] = {}

    async def merge(self, _resource: Resource[Record], page: Page[Record], covered: Covered | None) -> PageChanges:
        assert covered is None, "an attendee who is missing may be in another class"
        self.rows |= {record.id: record for record in page.records}
        return PageChanges(frozenset())


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("refused", REFUSED, ids=lambda one: "".join(one) or "nothing")
async def test_attendees_of_classes_count_once(order: str, refused: frozenset[str]):
    """Short pages, passes and halved lists of classes neither hide nor repeat an attendee who can be read or not."""
    numbers = range(240) if order == "ascending" else range(239, -1, -1)
    rows = [PlainRow(1000 + one, _sent(1000 + one), CLASSES[one % len(CLASSES)]) for one in numbers]
    for most_ids, most_rows, asked in product((1, 3, 200), (20, 100), (CLASSES, CLASSES[:1], (999,))):
        merged = Merged()
        attendees = PlainList("attendees", rows, refused, most_ids=most_ids, most_rows=most_rows)
        rereader = Rereader(PlainClient({"attendees": attendees}), TERMS, cast(Mirroring, merged))
        count, ids = await rereader.read_attendees(asked)
        own = [row.id for row in rows if row.booking in asked]
        assert (count, sorted(ids)) == (len(own), sorted(own))
        assert sorted(map(int, merged.rows)) == sorted(own)


def _sent(row_id: int) -> dict[str, Any]:
    return {"id": str(row_id), "updated_at": NOW.isoformat()}
