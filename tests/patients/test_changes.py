"""Changes of patients: those of a sync, and the difference between two, equal what plain Python finds."""

import base64
import random
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from routiq_gql.database.engine import Database
from routiq_gql.database.patient_changes import Span, count_differences
from routiq_gql.database.tables import SYNC
from routiq_gql.errors import BadInput, Forbidden, SyncNotFound
from routiq_gql.patients import change_reading
from routiq_gql.patients.change_cursors import LAST_ID, Place, change_cursor, read_change_cursor
from routiq_gql.patients.change_model import ChangedField, ChangeKind, ChangePage
from routiq_gql.patients.changes import PatientChanges
from routiq_gql.patients.lists import LISTS, PatientList
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, NO_RIGHTS, Viewer
from tests.patients.clinics import DAY, NOW, ListedClinic, Person, Visit, random_person

FIELDS = {
    "first_name": ChangedField.FIRST_NAME,
    "last_name": ChangedField.LAST_NAME,
    "preferred_first_name": ChangedField.PREFERRED_FIRST_NAME,
    "email": ChangedField.EMAIL,
    "phone": ChangedField.PHONE,
    "is_archived": ChangedField.ARCHIVED,
    "created_at": ChangedField.CREATED_AT,
}


@pytest.fixture
async def runtime(settings):
    """A process without syncs of its own."""
    async with open_runtime(settings, run_syncs=False) as opened:
        yield opened


@pytest.fixture
def changes(runtime) -> PatientChanges:
    return runtime.patient_changes


@pytest.fixture
def clinic(runtime) -> ListedClinic:
    return ListedClinic(runtime.database)


@pytest.fixture
def database(runtime) -> Database:
    return runtime.database


async def all_changes(changes: PatientChanges, sync_id: str, first: int = 200, since: str | None = None):
    """All changes of a sync, page by page."""
    found, after = [], None
    while True:
        page = await changes.sync_changes(LOCAL_OPERATOR, sync_id, since=since, first=first, after=after)
        assert len(page.changes) == first if page.has_next else len(page.changes) <= first
        found += page.changes
        after = page.cursor
        if not page.has_next:
            return found


def expected(clinic: ListedClinic, before: str, after: str, analyzed: dict[str, object]):
    """What plain Python finds between two syncs: by patient the fields, and the lists joined and left."""
    found = {}
    earlier, later = clinic.history[before], clinic.history[after]
    for id_ in earlier.keys() | later.keys():
        was, now = earlier.get(id_), later.get(id_)
        were = set(was.assessed(analyzed[before]).lists) if was else set()
        are = set(now.assessed(analyzed[after]).lists) if now else set()
        fields = {FIELDS[name] for name in FIELDS if was and now and getattr(was, name) != getattr(now, name)}
        if bool(was) != bool(now) or fields or were != are:
            found[id_] = (bool(was), bool(now), fields, are - were, were - are)
    return found


def changed_person(pick: random.Random, one: Person) -> Person:
    """The same patient with another value, or with another booking."""
    kind = pick.randrange(5)
    if kind == 0:
        return replace(one, phone=pick.choice((None, "0400 000 001", "0400 000 002")))
    if kind == 1:
        return replace(one, is_archived=not one.is_archived)
    if kind == 2:
        return replace(one, first_name=pick.choice(("Ana", "Ben", None)))
    return replace(one, visits=random_person(pick, one.id).visits)


@pytest.mark.both_databases
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("are_many", [False, True])
async def test_changes_equal_the_difference_in_plain_python(changes, clinic, database, monkeypatch, seed, are_many):
    """Five syncs of a random clinic: each sync's changes, and all differences, have each changed patient once."""
    if are_many:  # the way to read them when most patients have changed
        monkeypatch.setattr(change_reading, "MANY_CHANGES", 0)
        monkeypatch.setattr(change_reading, "LARGE_BATCH", 7)
    pick = random.Random(seed)
    people = {id_: random_person(pick, id_) for id_ in range(1, 40)}
    analyzed: dict[str, object] = {}
    other = ListedClinic(database, "org_2")  # with the same patients, whose changes are not mixed in
    for number in range(5):
        at = NOW + number * timedelta(days=pick.choice((0, 2, 20)))
        sync_id = await clinic.sync(people.values(), at)
        await other.sync(people.values() if number % 2 else [], at)
        analyzed[sync_id] = clinic.terms
        for id_ in pick.sample(range(1, 45), 12):
            if id_ not in people:
                people[id_] = random_person(pick, id_, at)
            elif pick.random() < 0.3:
                del people[id_]
            else:
                people[id_] = changed_person(pick, people[id_])
    ids = clinic.sync_ids
    pairs = [(before, after) for number, before in enumerate(ids) for after in ids[number + 1 :]]
    for before, after in pairs:
        for since in [before] if ids.index(after) - ids.index(before) > 1 else [before, None]:
            found = await all_changes(changes, after, pick.choice((1, 3, 200)), since)
            assert [one.key.cliniko_id for one in found] == sorted({one.key.cliniko_id for one in found})
            shown = {
                one.key.cliniko_id: (
                    ChangeKind.ADDED not in one.kinds,
                    ChangeKind.VANISHED not in one.kinds,
                    set(one.fields),
                    set(one.joined),
                    set(one.left),
                )
                for one in found
            }
            assert shown == expected(clinic, before, after, analyzed)
            assert all(one.kinds and one.sentence and one.sync_id == after for one in found)
        span = Span(clinic.mirror, clinic.keys[ids.index(before)], clinic.keys[ids.index(after)])
        if ids.index(after) - ids.index(before) == 1:
            async with database.reading() as connection:
                counts = await count_differences(connection, span)
            kinds = [kind for one in found for kind in one.kinds]
            assert counts.patients == len(found)
            assert (counts.added, counts.changed, counts.vanished) == tuple(
                kinds.count(kind) for kind in (ChangeKind.ADDED, ChangeKind.CHANGED, ChangeKind.VANISHED)
            )
            for which in PatientList:
                assert counts.joined.get(which.value, 0) == sum(which in one.joined for one in found)
                assert counts.left.get(which.value, 0) == sum(which in one.left for one in found)


SEEN = Person(7, "Ana", "Bo", phone="0400", visits=(Visit(1, NOW - 29 * DAY, type_id=601),))


async def only_change(changes: PatientChanges, clinic: ListedClinic):
    (change,) = (await changes.sync_changes(LOCAL_OPERATOR, clinic.sync_ids[-1])).changes
    return change


async def test_the_sentences_say_what_happened_and_why(changes, clinic):
    """A new patient, a changed number, a visit that grows old, an archived and a deleted patient, in words."""
    await clinic.sync([])
    await clinic.sync([SEEN])
    change = await only_change(changes, clinic)
    assert change.sentence.startswith("New in Cliniko. Became active: Pilates class with Dr Sana Malik, ")
    assert change.sentence.endswith(
        " unless they book. Joined “Recent visits”, “No future appointment” and “First visit only”."
    )
    assert (change.name, change.key.text) == ("Ana Bo", "patient:org_1:7")
    await clinic.sync([replace(SEEN, phone="0401", last_name="Co")])
    change = await only_change(changes, clinic)
    assert (change.sentence, change.fields) == (
        "Name and phone number changed.",
        (ChangedField.LAST_NAME, ChangedField.PHONE),
    )
    assert "0401" not in repr(change)
    later = [replace(SEEN, phone="0401")]
    await clinic.sync(later, NOW + 5 * DAY)
    change = await only_change(changes, clinic)
    assert change.kinds == (ChangeKind.CHANGED, ChangeKind.BECAME_INACTIVE, ChangeKind.LISTS_CHANGED)
    assert change.sentence.startswith("Name changed. Became inactive: the last visit was on ")
    assert change.sentence.endswith("Left “Recent visits”.")
    await clinic.sync([replace(later[0], is_archived=True)], NOW + 5 * DAY)
    change = await only_change(changes, clinic)
    assert (change.sentence, change.fields) == ("Archived.", (ChangedField.ARCHIVED,))
    assert PatientList.ALL in change.left
    await clinic.sync([], NOW + 6 * DAY)
    change = await only_change(changes, clinic)
    assert (change.sentence, change.kinds, change.name) == ("No longer in Cliniko.", (ChangeKind.VANISHED,), "Ana Bo")


async def test_a_change_by_other_settings_says_so(changes, clinic):
    """With a shorter window a patient is no longer active: the sentence names the settings, not the patient."""
    other = Person(8, visits=(Visit(2, NOW - 5 * DAY),))
    await clinic.sync([SEEN, other])
    clinic.recent_days = 20
    await clinic.sync([SEEN, replace(other, visits=())])
    by_settings, by_itself = (await changes.sync_changes(LOCAL_OPERATOR, clinic.sync_ids[-1])).changes
    assert by_settings.sentence.startswith("Became inactive because the settings changed: the last visit was on ")
    assert by_settings.sentence.endswith(" Left “Recent visits” because the settings changed.")
    assert by_itself.sentence.startswith("Became inactive: no appointment")
    assert "settings" not in by_itself.sentence


@pytest.mark.parametrize(
    ("setting", "value", "visit", "which"),
    [
        ("recent_days", 20, -25, "Recent visits"),
        ("upcoming_days", 20, 25, "Upcoming appointments"),
        ("seen_within_weeks", 20, -7 * 23, "No future appointment"),
    ],
)
@pytest.mark.parametrize("is_reversed", [False, True])
async def test_each_setting_explains_what_it_changes(changes, clinic, setting, value, visit, which, is_reversed):
    """Whichever setting differs, and in either direction, a list that changes by it alone says so."""
    before = getattr(clinic, setting)
    values = (value, before) if is_reversed else (before, value)
    setattr(clinic, setting, values[0])
    await clinic.sync([Person(8, visits=(Visit(2, NOW + visit * DAY),))])
    setattr(clinic, setting, values[1])
    await clinic.sync([Person(8, visits=(Visit(2, NOW + visit * DAY),))])
    change = await only_change(changes, clinic)
    text = re.sub(r"“[^”]*”", "", change.sentence.replace("Not active", ""))
    assert which in {LISTS[one].title for one in (change.joined if is_reversed else change.left)}
    named = len(re.findall(r"\b(Became|Joined|Left)\b", text))
    assert text.count("because the settings changed") == named > 0, change.sentence


async def test_the_first_sync_is_a_baseline(changes, clinic):
    """Everything is new in the first sync, and in the first one with lists, so nothing is a change."""
    await clinic.sync([SEEN], rules=1)
    await clinic.sync([SEEN, replace(SEEN, id=8)])
    for sync_id in clinic.sync_ids:
        page = await changes.sync_changes(LOCAL_OPERATOR, sync_id)
        assert (page.changes, page.has_next, page.is_baseline) == ([], False, True)
    with pytest.raises(BadInput, match="earlier version"):
        await changes.sync_changes(LOCAL_OPERATOR, clinic.sync_ids[1], since=clinic.sync_ids[0])


async def test_changes_that_are_no_longer_kept_are_an_error(changes, clinic):
    """The changes of the oldest kept sync went with the sync before it; the error names the oldest that has some."""
    for number in range(4):
        await clinic.sync([replace(SEEN, phone=str(number))])
    await clinic.prune_before(clinic.sync_ids[1])
    for sync_id, since in ((1, None), (2, 0), (3, 0)):
        named = clinic.sync_ids[since] if since is not None else None
        with pytest.raises(BadInput, match=f"no longer kept. The oldest sync with changes is {clinic.sync_ids[2]}"):
            await changes.sync_changes(LOCAL_OPERATOR, clinic.sync_ids[sync_id], since=named)
    assert len((await changes.sync_changes(LOCAL_OPERATOR, clinic.sync_ids[2])).changes) == 1
    difference = await changes.sync_changes(LOCAL_OPERATOR, clinic.sync_ids[3], since=clinic.sync_ids[1])
    assert len(difference.changes) == 1


async def test_other_organizations_and_other_rights(changes, clinic, database):
    """Another organization's sync is not found, and reading changes takes the right to read patients."""
    await clinic.sync([SEEN])
    other = ListedClinic(database, "org_2")
    await other.sync([SEEN])
    await other.sync([])
    theirs = Viewer("org_2")
    with pytest.raises(SyncNotFound):
        await changes.sync_changes(theirs, clinic.sync_ids[0])
    with pytest.raises(SyncNotFound):
        await changes.sync_changes(theirs, other.sync_ids[1], since=clinic.sync_ids[0])
    with pytest.raises(BadInput, match="same organization"):
        await changes.sync_changes(LOCAL_OPERATOR, other.sync_ids[1], since=clinic.sync_ids[0])
    assert len((await changes.sync_changes(theirs, other.sync_ids[1])).changes) == 1
    for viewer in (Viewer("org_2", NO_RIGHTS), Viewer("org_2", sync_id=other.sync_ids[1])):
        with pytest.raises(Forbidden):
            await changes.sync_changes(viewer, other.sync_ids[1])
    with pytest.raises(SyncNotFound):
        await changes.sync_changes(theirs, "no sync")


async def test_only_completed_syncs_have_changes(changes, clinic, database):
    """A sync that failed has changed nothing, and an earlier sync can't be compared with a later one."""
    for _ in range(2):
        await clinic.sync([SEEN])
    with pytest.raises(BadInput, match="before the other"):
        await changes.sync_changes(LOCAL_OPERATOR, clinic.sync_ids[0], since=clinic.sync_ids[1])
    async with database.writing() as connection:
        failed = update(SYNC).where(SYNC.c.sync_id == clinic.sync_ids[1])
        await connection.execute(failed.values(status="failed"))
    with pytest.raises(BadInput, match="only a completed sync"):
        await changes.sync_changes(LOCAL_OPERATOR, clinic.sync_ids[1])


async def test_cursors_belong_to_their_pages(changes, clinic):
    """A cursor of another sync, or of a difference, is refused, and so is any other text."""
    people = [replace(SEEN, id=number) for number in range(1, 6)]
    await clinic.sync([])
    await clinic.sync(people)
    await clinic.sync([])
    first, second, third = clinic.sync_ids

    async def page(sync_id: str, after: str | None = None, since: str | None = None) -> ChangePage:
        return await changes.sync_changes(LOCAL_OPERATOR, sync_id, since=since, first=2, after=after)

    of_second = await page(second)
    assert of_second.changes[-1].cursor == of_second.cursor
    of_difference = await page(second, since=first)
    for sync_id, after, since in (
        (third, of_second.cursor, None),
        (second, of_difference.cursor, None),
        (second, of_second.cursor, first),
        (second, "abc", None),
        (second, "", None),
        (second, of_second.cursor + "=", None),
        (second, of_second.cursor[:-1], None),
    ):
        with pytest.raises(BadInput, match="cursor"):
            await page(sync_id, after, since)
    with pytest.raises(BadInput, match="from 1 to 200"):
        await changes.sync_changes(LOCAL_OPERATOR, second, first=201)


@pytest.mark.both_databases
@pytest.mark.parametrize("are_many", [False, True])
async def test_a_page_says_truly_whether_a_change_comes_before_it(changes, clinic, monkeypatch, are_many):
    """The changes up to the cursor's patient count, and not the cursor: that patient may have been erased since."""
    if are_many:
        monkeypatch.setattr(change_reading, "MANY_CHANGES", 0)
    came = [replace(SEEN, id=number) for number in (3, 5)]
    same = [replace(SEEN, id=number) for number in (1, 7)]
    await clinic.sync(same)
    await clinic.sync(same + came)
    await clinic.sync([replace(same[0], phone="0400 000 009"), same[1], *came])
    first, second, third = clinic.sync_ids
    pages = {one: await changes.sync_changes(LOCAL_OPERATOR, one) for one in clinic.sync_ids}
    key_of = {one: read_change_cursor(page.cursor)[0].sync for one, page in pages.items()}

    async def looked_back(sync_id: str, id_: int, since: str | None = None) -> bool:
        after = change_cursor(Place(key_of[sync_id], id_), key_of[since] if since else None)
        page = await changes.sync_changes(LOCAL_OPERATOR, sync_id, since=since, after=after, looks_back=True)
        return page.has_previous

    for id_, is_behind in ((1, False), (2, False), (3, True), (4, True), (5, True), (7, True), (LAST_ID, True)):
        assert await looked_back(second, id_) == is_behind
    assert await looked_back(third, 1, since=first)
    assert not await looked_back(second, 1, since=first)
    assert not await looked_back(first, LAST_ID), "a baseline has no changes"
    assert not (await changes.sync_changes(LOCAL_OPERATOR, second, looks_back=True)).has_previous
    await clinic.prune_before(second)
    with pytest.raises(BadInput, match="no longer kept"):
        await looked_back(second, 3)


@pytest.mark.parametrize("place", [Place(1, 1), Place(2**63 - 1, 2**63 - 1), Place.behind(7), Place(3, 0)])
@pytest.mark.parametrize("since", [None, 0, 5, 2**63 - 1])
def test_a_cursor_has_a_single_form(place, since):
    """A cursor comes back as the place that it was made for."""
    cursor = change_cursor(place, since)
    assert read_change_cursor(cursor) == (place, since)
    assert len(cursor) <= 120


@pytest.mark.parametrize("content", [b"change:1", b"change:01:2", b"change:1:9223372036854775808", b"change:-1:2"])
def test_other_contents_are_no_cursors(content):
    """A text that only looks like a cursor is refused."""
    with pytest.raises(BadInput):
        read_change_cursor(base64.urlsafe_b64encode(content).decode().rstrip("="))
