"""An individual appointment and a class may have the same id: no figure or lookup of a draft mixes the two lists."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from routiq_gql.database.analysis_scope import touched_after
from routiq_gql.database.class_checks import class_checks
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
from routiq_gql.database.draft_lookups import classes_among, ids_outside
from routiq_gql.database.drafts import Closing, Covered, Draft, ListChanges, ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.patient_bookings import bookings_in_draft
from routiq_gql.database.patient_reading import bookings_at
from routiq_gql.database.patient_rows import absent_patients_of
from routiq_gql.database.published_rows import published_rows
from routiq_gql.database.refreshes import stored_times
from tests.database.clinics import APPOINTMENTS, ATTENDEES, CLASSES, NOW, Clinic, row_of

FATES = ("none", "same", "changed", "closed", "new", "stub")
"""What a sync does with a row. ``none``: there is none before and after."""
PAIRS = [*product(FATES, FATES)]
SHIFT, HOUR = 10**6, timedelta(hours=1)
BEFORE = {"same", "changed", "closed"}


async def with_all_pairs(clinic: Clinic, shift: int = 0) -> Draft:
    """A draft in which each fate of an appointment meets each fate of the class with its id; classes have a place.

    Args:
        shift: A number that is added to the ids of classes, so that they differ from those of appointments.
    """
    before = await clinic.begin()
    for target in (APPOINTMENTS, CLASSES):
        rows = [row for fate, row in _rows(target, shift) if fate in BEFORE]
        await clinic.merge(before, target, ReadPage(rows))
    places = [
        row_of(ATTENDEES, row_id, booking_id=row_id + shift, patient_id=row_id % 3 + 1)
        for row_id, pair in enumerate(PAIRS, 1)
        if pair[1] in BEFORE
    ]
    await clinic.merge(before, ATTENDEES, ReadPage(places))
    await clinic.publish(before)
    draft = await clinic.begin()
    for target in (APPOINTMENTS, CLASSES):
        fates = _rows(target, shift)
        rows = [
            row | {"practitioner_id": 7 if fate == "changed" else None}
            for fate, row in fates
            if fate in {"same", "changed", "new"}
        ]
        closing = {row["id"]: Closing.DELETED for fate, row in fates if fate == "closed"}
        unreadable = [row["id"] for fate, row in fates if fate == "stub"]
        await clinic.merge(draft, target, ReadPage(rows, closing, unreadable))
    return draft


def _rows(target: MirrorList, shift: int) -> list[tuple[str, dict[str, Any]]]:
    """The fates of a list's rows, and the rows. Appointments are ahead, and classes past."""
    if target is APPOINTMENTS:
        return [
            (fate, row_of(target, row_id, starts_at=NOW + row_id * HOUR, patient_id=row_id % 3 + 1))
            for row_id, (fate, _) in enumerate(PAIRS, 1)
        ]
    return [
        (fate, row_of(target, row_id + shift, starts_at=NOW - row_id * HOUR))
        for row_id, (_, fate) in enumerate(PAIRS, 1)
    ]


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
        assert await count_unassigned(connection, draft, target) == 0
        assert await ids_within(connection, draft, target, None, 100) == sorted(readable + ids["stub"])
        assert await stub_ids(connection, draft, target, 100) == ids["stub"]
        assert await greatest_id(connection, draft, target) == max(readable + ids["stub"] + ids["closed"])
        if target is CLASSES:
            assert await classes_among(connection, draft, range(1, 100)) == {*readable, *ids["stub"]}
            assert await attendees_of_closed_classes(connection, draft, 100) == ids["closed"]


async def test_no_lookup_depends_on_the_ids_of_the_other_list(database: Database):
    """Bookings, times, rows and touched patients are the same as in a clinic whose classes have other ids."""
    clinics = {Clinic(database, "org_a"): 0, Clinic(database, "org_b"): SHIFT}
    drafts = {clinic: await with_all_pairs(clinic, shift) for clinic, shift in clinics.items()}
    found = [await _lookups(clinic, drafts[clinic], shift) for clinic, shift in clinics.items()]
    assert found[0] == found[1]
    assert all(found[0].values())


async def _lookups(clinic: Clinic, draft: Draft, shift: int) -> dict[str, Any]:
    mirror, patients = await clinic.mirror(), [1, 2, 3]
    first, last = NOW - 100 * HOUR, NOW + 100 * HOUR
    async with clinic.database.reading() as connection:
        drafted = await bookings_in_draft(connection, draft, patients)
        published = await bookings_at(connection, draft.mirror, draft.base, patients)
        found: dict[str, Any] = {
            "drafted": {patient: [one[:5] for one in drafted[patient]] for patient in patients},
            "published": {patient: [one[1:7] for one in published[patient]] for patient in patients},
            "touched": await touched_after(connection, draft, first, first, 0, 10),
            "checks": [one.class_id - shift for one in await class_checks(connection, draft, first, last)],
            "absent": await absent_patients_of(connection, draft, range(1, 100)),
        }
        for target, its in ((APPOINTMENTS, 0), (CLASSES, shift)):
            times = await stored_times(connection, mirror, target.resource, range(its + 1, its + 100))
            found[f"times of {target.name}"] = {row_id - its: at for row_id, at in times.items()}
            rows = await published_rows(connection, target, mirror.number, mirror.sync, Covered(), 100)
            found[f"rows of {target.name}"] = {row_id - its: row for row_id, row in rows.items()}
            outside = await ids_outside(connection, draft, target, NOW - 5 * HOUR, NOW + 5 * HOUR, 100)
            found[f"outside of {target.name}"] = sorted(row_id - its for row_id in outside)
    return found
