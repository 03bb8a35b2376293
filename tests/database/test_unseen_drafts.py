"""No lookup of published rows shows a draft: of a running sync, of a failed one, or of one that is half removed."""

from datetime import timedelta
from typing import Any

import pytest

from routiq_gql.database.drafts import Closing, Covered, ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.patient_pages import patients_at
from routiq_gql.database.patient_reading import bookings_at, names_at
from routiq_gql.database.published_rows import published_rows
from routiq_gql.database.refreshes import stored_times
from routiq_gql.database.rollback import rollback_batch
from tests.database.clinics import APPOINTMENTS, ATTENDEES, CLASSES, NOW, PATIENTS, Clinic, row_of

pytestmark = pytest.mark.both_databases

SAME, CHANGED, CLOSED, UNREADABLE, NEW = IDS = range(1, 6)
VALUES = {
    PATIENTS: {"first_name": "Zoë"},
    APPOINTMENTS: {"patient_id": 1, "starts_at": NOW},
    CLASSES: {"starts_at": NOW, "practitioner_id": 1},
    ATTENDEES: {"patient_id": 1, "booking_id": 1},
    MirrorList.APPOINTMENT_TYPES: {"name": "Massage"},
    MirrorList.PRACTITIONERS: {"name": "Anna"},
}
CHANGES = {
    PATIENTS: {"first_name": "Zoë-Anna"},
    APPOINTMENTS: {"starts_at": NOW + timedelta(hours=1)},
    CLASSES: {"starts_at": NOW + timedelta(hours=1)},
    ATTENDEES: {"booking_id": 2},
    MirrorList.APPOINTMENT_TYPES: {"name": "Remedial massage"},
    MirrorList.PRACTITIONERS: {"name": "Anna Lee"},
}
"""By list, the new values of the row ``CHANGED``."""


async def test_no_lookup_shows_rows_that_are_not_published(database: Database):
    """Looks at Cliniko, readers and the comparison get the rows of the published sync, whatever another has stored."""
    assert VALUES.keys() == CHANGES.keys() == {*MirrorList}
    clinic = Clinic(database, "org_a")
    before = await clinic.begin()
    for target, values in VALUES.items():
        await clinic.merge(before, target, ReadPage([row_of(target, one, **values) for one in IDS if one != NEW]))
    await clinic.publish(before)
    published = await _lookups(clinic)
    assert all(published.values())
    draft = await clinic.begin()
    for target, values in VALUES.items():
        later = {"updated_at": NOW + timedelta(days=1)}
        rows = [row_of(target, NEW, **values | later), row_of(target, CHANGED, **values | CHANGES[target] | later)]
        changed = await clinic.merge(draft, target, ReadPage(rows, {CLOSED: Closing.DELETED}, [UNREADABLE, NEW + 1]))
        assert changed == 4
    assert await _lookups(clinic) == published
    await clinic.end(draft)
    has_more = True
    while has_more:
        assert await _lookups(clinic) == published
        async with database.writing() as connection:
            has_more = await rollback_batch(connection, draft.mirror, 3)


async def _lookups(clinic: Clinic) -> dict[str, Any]:
    mirror, ids = await clinic.mirror(), [*IDS, NEW + 1]
    async with clinic.database.reading() as connection:
        found: dict[str, Any] = {
            "bookings": await bookings_at(connection, mirror.number, mirror.sync, ids),
            "patients": sorted(await patients_at(connection, mirror.number, mirror.sync, ids), key=lambda one: one.id),
            "names": await names_at(connection, mirror.number, mirror.sync, ids),
        }
        for target in MirrorList:
            found[f"times of {target.name}"] = await stored_times(connection, mirror, target.resource, ids)
            rows = published_rows(connection, target, mirror.number, mirror.sync, Covered(), 100)
            found[f"rows of {target.name}"] = await rows
    return found
