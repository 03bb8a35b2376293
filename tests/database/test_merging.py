"""Pages of Cliniko's rows become versions: only differences are written, and repeating a page changes nothing."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from routiq_gql.database.columns import CompactTime
from routiq_gql.database.counting import (
    attendees_of_closed_classes,
    count_listed,
    count_visible,
    greatest_id,
    list_figures,
    stub_ids,
)
from routiq_gql.database.drafts import Closing, Covered, Draft, ListChanges, ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.merging import close_ids, merge_page
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.publishing import NotPublished, ensure_mirror, mirror_of, open_draft, publish
from routiq_gql.database.rollback import rollback_batch
from routiq_gql.database.tables import CURRENT, MIRROR
from tests.database.clinics import (
    APPOINTMENTS,
    ATTENDEES,
    CLASSES,
    NOW,
    PATIENTS,
    WHOLE,
    Clinic,
    first_sync,
    patient,
    row_of,
)

pytestmark = pytest.mark.both_databases


@pytest.fixture
def clinic(database: Database) -> Clinic:
    return Clinic(database, "org_a")


@pytest.mark.parametrize("target", MirrorList)
async def test_every_value_is_stored_unchanged(clinic: Clinic, target: MirrorList):
    """Letters of all kinds, missing values, times and marks come back as they were read, in every list."""
    samples: dict[type, list[object]] = {
        str: ['Zoë 🩺 {a,"b\\\\"} \',NULL', "", "-"],
        int: [0, 7, 2**15 - 1],
        datetime: [NOW, NOW - timedelta(days=900), NOW + timedelta(milliseconds=1)],
        bool: [True, False, True],
    }
    rows = [row_of(target, 9007199254740993), row_of(target, 2**63 - 1, updated_at=None)]
    for number in range(3):
        values = {name: samples[_python_type(target, name)][number] for name in target.read_columns}
        rows.append({"id": number + 1, **values})
    draft = await clinic.begin()
    page = ReadPage(rows, covered=WHOLE)
    assert await clinic.merge(draft, target, page) == len(rows)
    assert await clinic.shown(target) == {}, "readers see nothing before the publication"
    await clinic.publish(draft)
    assert await clinic.shown(target) == {row["id"]: row for row in rows}
    assert await clinic.merge(await clinic.begin(), target, page) == 0


def _python_type(target: MirrorList, name: str) -> type:
    kind = target.table.c[name].type
    return datetime if isinstance(kind, CompactTime) else kind.python_type


async def test_a_page_that_is_read_again_changes_nothing(clinic: Clinic):
    """Repeating any page of a sync, after an interruption for example, leaves exactly the same versions."""
    await first_sync(clinic, PATIENTS, patient(1), patient(2), patient(3), patient(4))
    draft = await clinic.begin()
    page = ReadPage([patient(1), patient(2, "Ann"), patient(5)], {3: Closing.ARCHIVED}, [6], Covered(above=0, up_to=6))
    assert await clinic.merge(draft, PATIENTS, page) == 5
    once = await clinic.versions(PATIENTS)
    assert await clinic.merge(draft, PATIENTS, page) == 0
    assert await clinic.versions(PATIENTS) == once
    base, own = draft.base, draft.sync
    assert once == [
        (1, base, CURRENT, None),
        (2, base, own, Closing.CHANGED),
        (2, own, CURRENT, None),
        (3, base, own, Closing.ARCHIVED),
        (4, base, own, Closing.DELETED),
        (5, own, CURRENT, None),
        (6, own, CURRENT, None),
    ]


async def test_a_row_that_is_again_as_it_was_is_no_change(clinic: Clinic):
    """A row that changed, or vanished, and is back within a sync keeps its first version and counts as unchanged."""
    first = await first_sync(clinic, PATIENTS, patient(1), patient(2), patient(3))
    before = await clinic.versions(PATIENTS)
    draft = await clinic.begin()
    changed = ReadPage([patient(1, "Ann"), patient(4)], covered=Covered(above=0, up_to=4))
    assert await clinic.merge(draft, PATIENTS, changed) == 4
    later = ReadPage([patient(1), patient(2, updated_at=NOW + timedelta(1))], {4: Closing.DELETED}, [3])
    assert await clinic.merge(draft, PATIENTS, later) == 4
    assert await clinic.versions(PATIENTS) == before
    async with clinic.database.reading() as connection:
        assert (await list_figures(connection, draft))[PATIENTS].changes == ListChanges()
    await clinic.publish(draft)
    assert (await clinic.shown(PATIENTS))[2]["updated_at"] == NOW + timedelta(1)
    assert first.sync == draft.base


async def test_a_newer_time_of_change_alone_is_no_change(clinic: Clinic):
    """If Cliniko only says that a row was touched, the time is stored and nothing counts as updated."""
    await first_sync(clinic, PATIENTS, patient(1), patient(2))
    before = await clinic.versions(PATIENTS)
    draft = await clinic.begin()
    later = NOW + timedelta(hours=1)
    page = ReadPage([patient(1, updated_at=later), patient(2, updated_at=None)], covered=WHOLE)
    assert await clinic.merge(draft, PATIENTS, page) == 0
    assert await clinic.merge(draft, PATIENTS, ReadPage([patient(2, "Ann", updated_at=NOW)])) == 1
    assert await clinic.merge(draft, PATIENTS, ReadPage([patient(2, "Ann", updated_at=later)])) == 0
    await clinic.publish(draft)
    assert await clinic.shown(PATIENTS) == {
        1: patient(1, updated_at=later),
        2: patient(2, "Ann", updated_at=later),
    }
    assert len(await clinic.versions(PATIENTS)) == len(before) + 1


async def test_the_filter_of_a_list_limits_only_what_can_be_missing(clinic: Clinic):
    """An appointment that moves into the horizon keeps one current version, and one outside it is not missed."""
    start = NOW - timedelta(days=30)
    inside, outside = start + timedelta(days=1), start - timedelta(days=1)
    rows = [row_of(APPOINTMENTS, number, starts_at=at) for number, at in enumerate((inside, outside, outside), 1)]
    await first_sync(clinic, APPOINTMENTS, *rows)
    draft = await clinic.begin()
    moved = row_of(APPOINTMENTS, 2, starts_at=inside)
    for covered in (Covered(above=0, up_to=9, starts_from=start), Covered(starts_from=start)):
        await clinic.merge(draft, APPOINTMENTS, ReadPage([moved], covered=covered))
    await clinic.publish(draft)
    assert await clinic.shown(APPOINTMENTS) == {2: moved, 3: rows[2]}


async def test_an_unreadable_row_keeps_its_version_or_becomes_a_stub(clinic: Clinic):
    """A row that can't be read is never missing: its stored version stays, or it is counted with its id only."""
    await first_sync(clinic, PATIENTS, patient(1), patient(2))
    draft = await clinic.begin()
    page = ReadPage([patient(1)], unreadable=[2, 3], covered=WHOLE)
    assert await clinic.merge(draft, PATIENTS, page) == 1
    async with clinic.database.reading() as connection:
        assert await count_visible(connection, draft, PATIENTS) == 3
        assert await count_listed(connection, draft, PATIENTS) == 2
        assert await stub_ids(connection, draft, PATIENTS, 10) == [3]
        assert (await list_figures(connection, draft))[PATIENTS].stubs == 1
    await clinic.publish(draft)
    draft = await clinic.begin()
    assert await clinic.merge(draft, PATIENTS, page) == 0
    assert await clinic.merge(draft, PATIENTS, ReadPage([row_of(PATIENTS, 3, updated_at=None)])) == 1
    async with clinic.database.reading() as connection:
        assert (await list_figures(connection, draft))[PATIENTS].changes == ListChanges(updated=1)
        assert await stub_ids(connection, draft, PATIENTS, 10) == []


async def test_lists_that_share_a_table_do_not_mix(clinic: Clinic):
    """An appointment and a class may have the same id, and a change of one list leaves the other alone."""
    appointment, course = row_of(APPOINTMENTS, 1, starts_at=NOW), row_of(CLASSES, 1, starts_at=NOW)
    draft = await clinic.begin()
    await clinic.merge(draft, APPOINTMENTS, ReadPage([appointment]))
    await clinic.merge(draft, CLASSES, ReadPage([course]))
    await clinic.publish(draft)
    draft = await clinic.begin()
    assert await clinic.merge(draft, APPOINTMENTS, ReadPage([], covered=WHOLE)) == 1
    await clinic.publish(draft)
    assert await clinic.shown(APPOINTMENTS) == {}
    assert await clinic.shown(CLASSES) == {1: course}


async def test_attendees_of_closed_classes_are_closed(clinic: Clinic):
    """Places in classes that ended, were deleted or never mirrored are closed; opened classes are named."""
    draft = await clinic.begin()
    classes = [row_of(CLASSES, number, starts_at=NOW + timedelta(days=number)) for number in (1, 2, 3)]
    places = [row_of(ATTENDEES, number, booking_id=number % 5, patient_id=1) for number in range(1, 10)]
    await clinic.merge(draft, CLASSES, ReadPage(classes))
    await clinic.merge(draft, ATTENDEES, ReadPage([*places, row_of(ATTENDEES, 10)]))
    async with clinic.database.reading() as connection:
        assert await attendees_of_closed_classes(connection, draft, 10) == [4, 5, 9]
    await _close_attendees(clinic, draft)
    await clinic.publish(draft)
    assert set(await clinic.shown(ATTENDEES)) == {1, 2, 3, 6, 7, 8, 10}
    draft = await clinic.begin()
    async with clinic.database.writing() as connection:
        await close_ids(connection, draft, CLASSES, [1], Closing.AGED_OUT)
        await close_ids(connection, draft, CLASSES, [3, 77], Closing.MOVED_OUT)
        changed = [row_of(CLASSES, 2, starts_at=NOW), row_of(CLASSES, 5, starts_at=NOW)]
        await merge_page(connection, draft, CLASSES, ReadPage(changed))
    async with clinic.database.reading() as connection:
        assert await greatest_id(connection, draft, CLASSES) == 5
    await _close_attendees(clinic, draft)
    await clinic.publish(draft)
    assert set(await clinic.shown(ATTENDEES)) == {2, 7, 10}
    reasons = {row[3] for row in await clinic.versions(ATTENDEES) if row[2] < CURRENT}
    assert reasons == {Closing.CLASS_CLOSED}


async def _close_attendees(clinic: Clinic, draft: Draft) -> None:
    ids = [0]
    while ids:
        async with clinic.database.writing() as connection:
            ids = await attendees_of_closed_classes(connection, draft, 2)
            await close_ids(connection, draft, ATTENDEES, ids, Closing.CLASS_CLOSED)


@pytest.mark.parametrize("size", [1, 1000])
async def test_a_failed_sync_leaves_no_trace(clinic: Clinic, size: int):
    """Removing a failed sync's rows brings back exactly the rows from before; until then no other sync writes."""
    await first_sync(clinic, PATIENTS, patient(1), patient(2), patient(3))
    before, shown = await clinic.versions(PATIENTS), await clinic.shown(PATIENTS)
    draft = await clinic.begin()
    await clinic.merge(draft, PATIENTS, ReadPage([patient(1, "Ann"), patient(9)], covered=WHOLE))
    async with clinic.database.writing() as connection:
        assert not await rollback_batch(connection, draft.mirror, size), "it is running"
        assert await open_draft(connection, "org_a", draft.sync) == draft, "after an interruption"
        assert await open_draft(connection, "org_a", draft.sync + 1) is None
    assert await clinic.shown(PATIENTS) == shown
    await clinic.fail(draft, size)
    assert await clinic.versions(PATIENTS) == before
    assert (await clinic.begin()).base == draft.base


async def test_a_publication_needs_the_base_of_its_draft(clinic: Clinic):
    """A sync that was overtaken is never published on top of another."""
    draft = await first_sync(clinic, PATIENTS, patient(1))
    with pytest.raises(NotPublished):
        await clinic.publish(draft)
    late = await clinic.begin()
    async with clinic.database.writing() as connection:
        await connection.execute(update(MIRROR).values(sync=late.sync + 5))
        with pytest.raises(NotPublished):
            await publish(connection, late, {})


async def test_a_new_organization_keeps_the_window_of_the_others(database: Database):
    """In a database of an earlier version new clinics store as few days as the others, and other databases do not."""
    async with database.writing() as connection:
        assert not (await ensure_mirror(connection, "org_a")).keeps_window
        await connection.execute(update(MIRROR).values(keeps_window=True))
        assert (await ensure_mirror(connection, "org_b")).keeps_window
        assert await ensure_mirror(connection, "org_b") == await mirror_of(connection, "org_b")
