"""An individual appointment and a class may have the same id: no figure or lookup of a draft mixes the two lists."""

from collections.abc import AsyncIterator
from itertools import product

import pytest

from routiq_gql.database.counting import (
    attendees_of_closed_classes,
    count_listed,
    count_unassigned,
    count_visible,
    greatest_id,
    ids_within,
    list_figures,
    stub_ids,
)
from routiq_gql.database.draft_lookups import classes_among
from routiq_gql.database.drafts import Closing, Draft, ListChanges, ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.schema import upgrade
from tests.database.clinics import APPOINTMENTS, ATTENDEES, CLASSES, NOW, Clinic, row_of

pytestmark = pytest.mark.usefixtures("inline_sqlite")
FATES = ("none", "same", "changed", "closed", "new", "stub")
"""What a sync does with a row. ``none``: there is none before and after."""
PAIRS = [*product(FATES, FATES)]
BEFORE = {"same", "changed", "closed"}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    await upgrade(opened)
    yield opened
    await opened.close()


async def with_all_pairs(clinic: Clinic) -> Draft:
    """A draft in which each fate of an appointment meets each fate of the class with its id; classes have a place."""
    before = await clinic.begin()
    for number, target in enumerate((APPOINTMENTS, CLASSES)):
        rows = [row_of(target, row_id, starts_at=NOW) for row_id, pair in enumerate(PAIRS, 1) if pair[number] in BEFORE]
        await clinic.merge(before, target, ReadPage(rows))
    places = [row_of(ATTENDEES, row_id, booking_id=row_id) for row_id, pair in enumerate(PAIRS, 1) if pair[1] in BEFORE]
    await clinic.merge(before, ATTENDEES, ReadPage(places))
    await clinic.publish(before)
    draft = await clinic.begin()
    for number, target in enumerate((APPOINTMENTS, CLASSES)):
        fates = {row_id: pair[number] for row_id, pair in enumerate(PAIRS, 1)}
        rows = [
            row_of(target, row_id, starts_at=NOW, practitioner_id=7 if fate == "changed" else None)
            for row_id, fate in fates.items()
            if fate in {"same", "changed", "new"}
        ]
        closing = {row_id: Closing.DELETED for row_id, fate in fates.items() if fate == "closed"}
        unreadable = [row_id for row_id, fate in fates.items() if fate == "stub"]
        await clinic.merge(draft, target, ReadPage(rows, closing, unreadable))
    return draft


@pytest.mark.parametrize(("number", "target"), [(0, APPOINTMENTS), (1, CLASSES)])
async def test_no_figure_mixes_lists_that_share_a_table(database: Database, number: int, target: MirrorList):
    """Counts, changes and ids are those of the list alone, whatever happens to the other list's row with the id."""
    draft = await with_all_pairs(Clinic(database, "org_a"))
    ids = {fate: [row_id for row_id, pair in enumerate(PAIRS, 1) if pair[number] == fate] for fate in FATES}
    readable = sorted(ids["same"] + ids["changed"] + ids["new"])
    async with database.reading() as connection:
        figures = (await list_figures(connection, draft))[target]
        assert figures.changes == ListChanges(
            added=len(ids["new"] + ids["stub"]), updated=len(ids["changed"]), removed=len(ids["closed"])
        )
        assert (figures.rows, figures.stubs) == (len(readable + ids["stub"]), len(ids["stub"]))
        assert await count_visible(connection, draft, target) == figures.rows
        assert await count_listed(connection, draft, target) == len(readable)
        assert await count_unassigned(connection, draft, target) == (len(readable) if target is APPOINTMENTS else 0)
        assert await ids_within(connection, draft, target, None, 100) == sorted(readable + ids["stub"])
        assert await stub_ids(connection, draft, target, 100) == ids["stub"]
        assert await greatest_id(connection, draft, target) == max(readable + ids["stub"] + ids["closed"])
        if target is CLASSES:
            assert await classes_among(connection, draft, range(1, 100)) == {*readable, *ids["stub"]}
            assert await attendees_of_closed_classes(connection, draft, 100) == ids["closed"]
