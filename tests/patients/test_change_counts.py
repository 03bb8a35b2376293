"""What a sync has changed, in numbers: counted before the publication, and stored with the sync."""

from datetime import timedelta

import pytest

from routiq_gql.database.drafts import ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.patients.lists import PatientList
from routiq_gql.sync.change_counts import ChangeCounts, read_changes, to_json
from tests.database.clinics import PATIENTS, WHOLE
from tests.patients.drafting_clinic import ANALYZED_AT, DraftingClinic, people

ALL, ACTIVE, RECENT, LAPSED = PatientList.ALL, PatientList.ACTIVE, PatientList.RECENT, PatientList.LAPSED


@pytest.fixture
async def clinic(database_url):
    """A clinic without a sync, beside another one with the same ids of patients."""
    database = Database(database_url)
    await upgrade(database)
    other = DraftingClinic(database, "org_other")
    await other.sync(people(1, 2), {1: [ALL, ACTIVE]})
    await other.sync(people(2, 3), {2: [ALL, ACTIVE], 3: [ALL, LAPSED]})
    yield DraftingClinic(database, "org_a")
    await database.close()


def counts(patients=0, added=0, changed=0, vanished=0, became_active=0, became_inactive=0):
    return ChangeCounts(patients, added, changed, vanished, became_active, became_inactive)


@pytest.mark.both_databases
async def test_a_sync_counts_each_kind_of_change(clinic):
    """A patient appears, one gets a new phone number, one leaves Cliniko, two become active and one inactive."""
    first = await clinic.sync(people(1, 2, 3, 4), {1: [ALL, ACTIVE], 2: [ALL], 3: [ALL], 4: [ALL, LAPSED]})
    assert await clinic.counts(first) is None, "everything is new in a first sync, so nothing counts as a change"
    after = [*people(1, 4), *people(2, phone="0400 000 000"), *people(5)]
    second = await clinic.sync(after, {1: [ALL], 2: [ALL, ACTIVE], 4: [ALL, RECENT], 5: [ALL, ACTIVE]})
    assert await clinic.counts(second) == counts(5, 1, 1, 1, became_active=2, became_inactive=1)


@pytest.mark.both_databases
async def test_a_sync_without_changes_counts_none(clinic):
    """A sync that finds everything as it was says so; a later last visit of a member is no change of a list."""
    await clinic.sync(people(1, 2), {1: [ALL, ACTIVE], 2: [ALL]})
    assert await clinic.counts(await clinic.sync(people(1, 2), {1: [ALL, ACTIVE], 2: [ALL]})) == counts()
    draft = await clinic.begin()
    await clinic.put_lists(draft, {1: [ALL, ACTIVE], 2: [ALL]}, next_at=ANALYZED_AT + timedelta(days=3))
    assert await clinic.counts(await clinic.publish_with_lists(draft)) == counts()


@pytest.mark.both_databases
async def test_a_failed_sync_leaves_no_change(clinic):
    """The changes of a failed sync are those of the next sync, once."""
    await clinic.sync(people(1), {1: [ALL, ACTIVE]})
    draft = await clinic.begin()
    await clinic.merge(draft, PATIENTS, ReadPage(people(1, 2), covered=WHOLE))
    await clinic.put_lists(draft, {1: [ALL], 2: [ALL, ACTIVE]})
    await clinic.fail(draft, size=100)
    third = await clinic.sync(people(1, 2), {1: [ALL], 2: [ALL, ACTIVE]})
    assert await clinic.counts(third) == counts(2, 1, became_active=1, became_inactive=1)


@pytest.mark.both_databases
async def test_a_patient_that_can_be_read_at_last_is_added(clinic):
    """A row that could not be read is not shown, so it appears when it is read for the first time."""
    await clinic.sync(people(1), {1: [ALL]})
    draft = await clinic.begin()
    await clinic.merge(draft, PATIENTS, ReadPage(people(1), unreadable=[2], covered=WHOLE))
    assert await clinic.counts(await clinic.publish_with_lists(draft)) == counts()
    assert await clinic.counts(await clinic.sync(people(1, 2), {1: [ALL], 2: [ALL]})) == counts(1, 1)


async def test_the_first_sync_after_an_upgrade_counts_no_changes(clinic):
    """An earlier version stored no lists, so all patients join theirs with the next sync, which is no change."""
    await clinic.sync(people(1), {}, rules=1)
    assert await clinic.counts(await clinic.sync(people(1, 2), {1: [ALL, ACTIVE], 2: [ALL]})) is None
    assert await clinic.counts(await clinic.sync(people(1, 2), {1: [ALL], 2: [ALL]})) == counts(1, became_inactive=1)


@pytest.mark.parametrize(
    ("counted", "sentence"),
    [
        (counts(), "No patient changed"),
        (counts(3, became_active=2, became_inactive=1), "+2 active, −1"),
        (counts(1, became_inactive=1), "−1 active"),
        (counts(1, 1, became_active=1), "+1 active; 1 patient added"),
        (counts(1_299, 1_234, 12, 3), "1,234 patients added, 12 changed, 3 no longer in Cliniko"),
        (counts(1), "The lists of 1 patient changed"),
        (counts(2_000), "The lists of 2,000 patients changed"),
    ],
)
def test_the_counts_in_words(counted, sentence):
    """The log of a sync says in a line what it has changed."""
    assert counted.sentence == sentence


def test_stored_counts_are_read_again():
    """Counts come back as they were stored; those of a later version are unknown."""
    counted = counts(7, 1, 2, 3, 4, 5)
    assert read_changes(to_json(counted)) == counted
    assert read_changes({**to_json(counted), "format": 2}) is None
    assert read_changes(None) is None
