"""Pages of lists: order, filters, cursors, as of a kept sync, and the number of statements."""

import random
from datetime import timedelta

import pytest

from routiq_gql.database.engine import Database
from routiq_gql.errors import BadInput
from routiq_gql.patients.folding import name_key, search_text, search_words
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import PatientPage, PatientSort
from routiq_gql.patients.pages import read_page
from routiq_gql.patients.requests import PageRequest
from tests.cursor_keys import CURSOR_KEYS
from tests.patients.clinics import NOW, ListedClinic, Person, random_person, terms_at
from tests.patients.statements import recorded

pytestmark = pytest.mark.both_databases
ORGANIZATION = "org_1"


async def page_of(database: Database, request: PageRequest | None = None, **parts: object) -> PatientPage:
    request = request or PageRequest(**parts)  # type: ignore[arg-type]
    request.check()
    async with database.reading() as connection:
        return await read_page(connection, CURSOR_KEYS, ORGANIZATION, request)


def numbers(page: PatientPage) -> list[int]:
    return [one.key.cliniko_id for one in page.patients]


def expected(people: dict[int, Person], request: PageRequest, at=NOW) -> list[int]:
    """The whole list in plain Python."""
    terms, found = terms_at(at), []
    for person in people.values():
        known = person.assessed(terms)
        words = search_words(request.search)
        text = search_text(person.first_name, person.last_name, person.preferred_first_name, person.email, person.phone)
        near = {one.practitioner_id for one in (known.last_visit, known.next_booking) if one is not None}
        if request.list not in known.lists or not all(word in text for word in words):
            continue
        if request.practitioner_id is not None and int(request.practitioner_id) not in near:
            continue
        last, following = known.last_visit, known.next_booking
        value = {
            "NAME": name_key(person.first_name, person.last_name),
            "LAST": last.starts_at if last else None,
            "NEXT": following.starts_at if following else None,
        }[request.sort.name.split("_")[0]]
        found.append((value, person.id))
    down = request.sort.name.endswith("DESC")
    with_value = sorted(((value, id_) for value, id_ in found if value is not None), reverse=down)
    without = sorted((id_ for value, id_ in found if value is None), reverse=down)
    return [id_ for _, id_ in with_value] + without


@pytest.mark.parametrize("seed", range(6))
async def test_cursors_neither_skip_nor_repeat_while_syncs_publish(clinic, database, seed):
    """Paging through any list in any order, forward or backward, yields each patient once, whatever is published."""
    pick = random.Random(seed)
    people = [random_person(pick, number) for number in range(1, 61)]
    first = await clinic.sync(people)
    before = dict(clinic.people)
    wanted = []
    for sort in PatientSort:
        which = pick.choice((PatientList.ALL, PatientList.ALL, *PatientList))
        search = pick.choice((None, None, "mul", "an", "04", "smith a"))
        practitioner = pick.choice((None, None, "501", "999"))
        wanted.append(PageRequest(list=which, sort=sort, search=search, practitioner_id=practitioner))
    readings = []
    for request in wanted:
        for is_backward in (False, True):
            size = pick.choice((1, 3, 7, 60))
            parts = {"last": size} if is_backward else {"first": size}
            page = await page_of(database, list=request.list, sort=request.sort, search=request.search,
                                 practitioner_id=request.practitioner_id, **parts)  # fmt: skip
            readings.append((request, is_backward, size, page, numbers(page)))
    for number in range(4):  # the rest is read while other syncs publish
        moved = [random_person(pick, one) if pick.random() < 0.5 else before[one] for one in before]
        await clinic.sync(moved, NOW + timedelta(days=number + 1))
        for index, (request, is_backward, size, page, seen) in enumerate(readings):
            if not (page.has_previous if is_backward else page.has_next):
                continue
            if is_backward:
                parts = {"last": size, "before": page.cursors[0]}
            else:
                parts = {"first": size, "after": page.cursors[-1]}
            page = await page_of(database, list=request.list, sort=request.sort, search=request.search,
                                 practitioner_id=request.practitioner_id, **parts)  # fmt: skip
            assert page.sync_id == first
            seen = numbers(page) + seen if is_backward else seen + numbers(page)
            readings[index] = (request, is_backward, size, page, seen)
    for request, is_backward, _, page, seen in readings:
        whole = expected(before, request)
        has_more = page.has_previous if is_backward else page.has_next
        assert seen == ((whole[-len(seen) :] if is_backward else whole[: len(seen)]) if has_more else whole)
        assert page.total_count == len(whole)
    newest = PageRequest(list=PatientList.ALL, first=200)
    assert numbers(await page_of(database, newest)) == expected(clinic.people, newest, NOW + timedelta(days=4))


@pytest.mark.parametrize("seed", range(3))
async def test_a_page_by_its_position_is_that_part_of_the_list(clinic, database, seed):
    """Whatever the list, order and filter, the page has exactly the patients after those that are passed over."""
    pick = random.Random(seed)
    first = await clinic.sync([random_person(pick, number) for number in range(1, 61)])
    before = dict(clinic.people)
    await clinic.sync([random_person(pick, number) for number in range(1, 61)], NOW + timedelta(days=1))
    for sort in PatientSort:
        for which in (PatientList.ALL, pick.choice(list(PatientList))):
            filters = {
                "search": pick.choice((None, None, "an", "04")),
                "practitioner_id": pick.choice((None, None, "501")),
            }
            whole = expected(before, PageRequest(list=which, sort=sort, **filters))
            for skip in (0, 1, len(whole) // 2, max(0, len(whole) - 1), len(whole), 100_000_000):
                size = pick.choice((1, 5, 200))
                page = await page_of(
                    database, list=which, sort=sort, first=size, skip=skip, as_of=first, **filters
                )  # fmt: skip
                assert numbers(page) == whole[skip : skip + size]
                assert page.total_count == len(whole)
                assert page.has_next == (skip + size < len(whole))
                assert page.has_previous == (skip > 0 and page.total_count > 0)
                if page.has_next:
                    rest = await page_of(
                        database, list=which, sort=sort, first=200, after=page.cursors[-1], **filters
                    )  # fmt: skip
                    assert numbers(rest) == whole[skip + size :]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"skip": -1}, "“skip” must be from 0 to 100,000,000."),
        ({"skip": 100_000_001}, "“skip” must be from 0 to 100,000,000."),
        ({"skip": 0, "last": 5}, "Use “skip” with “first” alone, not with “after”, “last” or “before”."),
        ({"skip": 5, "after": "x"}, "Use “skip” with “first” alone, not with “after”, “last” or “before”."),
        ({"skip": 5, "before": "x"}, "Use “skip” with “first” alone, not with “after”, “last” or “before”."),
    ],
)
def test_a_position_goes_with_no_cursor_and_is_in_range(parts, message):
    """What can't be meant is refused with a sentence."""
    with pytest.raises(BadInput) as refused:
        PageRequest(**parts).check()
    assert refused.value.message == message


async def test_a_page_takes_five_statements(clinic, database):
    """A page of 50 patients takes five statements, however many appointments and names they have."""
    pick = random.Random(1)
    await clinic.sync([random_person(pick, number) for number in range(1, 201)])
    page = await page_of(database, list=PatientList.ALL, first=50)
    for parts in (
        {},
        {"after": page.cursors[-1]},
        {"skip": 50},
        {"sort": PatientSort.NEXT_APPOINTMENT, "search": "smith"},
    ):
        with recorded(database) as statements:
            await page_of(database, list=PatientList.ALL, first=50, **parts)
        assert len(statements) <= 5


async def test_a_past_sync_is_shown_in_its_own_time_zone(database: Database):
    """A clinic that moves does not move its past: each sync has the zone that Cliniko named to it, or before it."""
    clinic = ListedClinic(database, ORGANIZATION)
    zones = [None, "Sydney", None, "Australia/Perth", "Sydney", None]
    expected = ["UTC", "Australia/Sydney", "Australia/Sydney", "Australia/Perth", *["Australia/Sydney"] * 2]
    syncs = [await clinic.sync([Person(1)], time_zone=zone) for zone in zones]
    found = [await page_of(database, list=PatientList.ALL, as_of=sync_id) for sync_id in syncs]
    assert [page.time_zone for page in found] == expected
    assert (await page_of(database, list=PatientList.ALL)).time_zone == expected[-1]
