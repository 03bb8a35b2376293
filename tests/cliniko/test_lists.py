"""Reading by id from an emulated Cliniko: complete, resumable, and either correct or failed when it misbehaves."""

import asyncio
import random
from contextlib import aclosing
from typing import Any

import pytest

from routiq_gql.cliniko import (
    ATTENDEES,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    RESOURCES,
    ClinikoClient,
    ClinikoError,
    Resource,
    UnexpectedAnswer,
    booking_in,
    content_filters,
    count_list,
    ids_between,
    read_list,
)
from routiq_gql.emulator import PLANTED_MARKERS, Clinic, Emulator, EmulatorServer, Fault, RecordedRequest
from tests.cliniko.conftest import ROWS, MakeClient, clinic_of
from tests.cliniko.reading import listed_ids, sent_conditions, store_list

PASSING = [
    "slow",
    "hang",
    "drop_before",
    "drop_inside",
    "rate_limit",
    "status_500",
    "status_502_html",
    "status_503",
    "status_504",
    "cut_json",
    "html_200",
    "wrong_shape_json",
    "repeat_page",
    "repeat_row",
    "jump",
    "short_page",
    "wrong_shape_row",
    "wrong_total",
    "refuse_sort",
    "refuse_id_filter",
    "sort_times_out",
    "foreign_link",
    "status_403",
]
FATAL = {
    "status_401": "KEY_REFUSED",
    "status_402": "CLINIKO_UNEXPECTED_ANSWER",
    "redirect": "ACCOUNT_MOVED",
}
HARMLESS_WHEN_LASTING = {"slow", "refuse_sort", "refuse_id_filter", "sort_times_out", "foreign_link"}


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
async def test_every_list_is_read_to_its_end_by_key(
    emulator: Emulator, client: ClinikoClient, resource: Resource[Any]
) -> None:
    """250 rows take three requests, each above the last id, and progress ends at 100 %."""
    stored, pages = await store_list(client, resource)
    assert set(stored) == listed_ids(emulator.clinic, resource.name)
    assert [(len(page.records), page.read, page.remaining) for page in pages] == [
        (100, 100, 150),
        (100, 200, 50),
        (50, 250, 0),
    ]
    assert all(not page.restarted and page.pass_number == 1 for page in pages)
    ids = [record.id for page in pages for record in page.records]
    assert ids == sorted(ids, key=int)
    assert sent_conditions(emulator.requests, resource.name) == [[], [f"id:>{ids[99]}"], [f"id:>{ids[199]}"]]
    assert all(request.values("page") == ["1"] for request in emulator.requests)


@pytest.mark.parametrize(("rows", "requests"), [(0, 1), (1, 1), (100, 1), (101, 2), (200, 2)])
async def test_an_exact_page_needs_no_request_more(make_client: MakeClient, rows: int, requests: int) -> None:
    """An empty list is a single page without rows; after a full last page there is no further request."""
    emulator = Emulator(clinic_of(rows))
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        stored, pages = await store_list(client, PATIENTS)
    assert (len(stored), len(pages), len(emulator.requests)) == (rows, requests, requests)
    assert pages[-1].remaining == 0


async def test_reading_resumes_after_the_last_stored_page(emulator: Emulator, client: ClinikoClient) -> None:
    """After an interruption only the unfinished page is read again."""
    async with aclosing(read_list(client, PATIENTS)) as pages:
        page = await anext(pages)
    emulator.requests.clear()
    stored, _ = await store_list(client, PATIENTS, {r.id: r for r in page.records}, after=page.last_id)
    assert len(stored) == ROWS
    assert sent_conditions(emulator.requests, "patients")[0] == [f"id:>{page.last_id}"]
    assert len(emulator.requests) == 2


async def test_filters_hold_on_every_page(emulator: Emulator, client: ClinikoClient) -> None:
    """Only the attendees of the requested classes are read."""
    stored, _ = await store_list(client, ATTENDEES, filters=[booking_in([str(10**17 + 1)])])
    assert len(stored) == ROWS
    stored, _ = await store_list(client, ATTENDEES, filters=[booking_in([str(10**17 + 2)])])
    assert stored == {}
    assert all(
        conditions[0].startswith("booking_id:=") for conditions in sent_conditions(emulator.requests, "attendees")
    )


async def test_a_count_takes_one_request(emulator: Emulator, client: ClinikoClient) -> None:
    """Rows within a range of ids are counted with the filters of a full read, without reading them."""
    ids = sorted(listed_ids(emulator.clinic, "patients"), key=int)
    emulator.clinic.archive("patients", ids[20])
    filters = [*content_filters(PATIENTS), *ids_between(ids[9], ids[99])]
    assert await count_list(client, PATIENTS, filters) == 90
    assert [request.values("per_page") for request in emulator.requests] == [["1"]]


@pytest.mark.parametrize("kind", PASSING)
async def test_a_passing_misbehaviour_on_any_page_leaves_nothing_out(
    kind: str, emulator: Emulator, base_url: str, make_client: MakeClient
) -> None:
    """After any single bad response to the first, middle or last page, all patients are stored."""
    async with make_client(base_url, read_timeout=0.6 if kind == "hang" else 5) as client:
        for number in (1, 2, 3):
            emulator.faults.clear()
            emulator.faults.add(Fault(kind, request_number=number, seconds=0.05, rows=40))
            stored, pages = await store_list(client, PATIENTS)
            assert set(stored) == listed_ids(emulator.clinic, "patients"), number
            assert pages[-1].remaining == 0


@pytest.mark.parametrize("kind", [kind for kind in PASSING if kind != "wrong_shape_row"])
async def test_a_lasting_misbehaviour_is_a_failure_with_a_sentence_or_harmless(
    kind: str, emulator: Emulator, base_url: str, make_client: MakeClient
) -> None:
    """If the problem persists, the reading ends with a code and advice, after a limited number of requests."""
    async with make_client(base_url, read_timeout=0.1 if kind == "hang" else 5) as client:
        for number in (1, 2, 3):
            emulator.faults.clear()
            emulator.requests.clear()
            only = "patients" if kind == "status_403" else None
            emulator.faults.add(Fault(kind, only, request_number=number, times=None, seconds=0.01, rows=40))
            if kind in HARMLESS_WHEN_LASTING:
                stored, _ = await store_list(client, PATIENTS)
                assert set(stored) == listed_ids(emulator.clinic, "patients")
                continue
            with pytest.raises(ClinikoError) as caught:
                await store_list(client, PATIENTS)
            assert caught.value.code in {"CLINIKO_UNREACHABLE", "CLINIKO_UNEXPECTED_ANSWER", "KEY_LACKS_PERMISSION"}
            assert "patients" in caught.value.message
            assert caught.value.what_to_do
            assert len(emulator.requests) < 60


@pytest.mark.parametrize("kind", FATAL)
@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
async def test_a_permanent_error_ends_at_once(
    kind: str, resource: Resource[Any], emulator: Emulator, client: ClinikoClient
) -> None:
    """A key revoked in the middle of a list is not retried."""
    emulator.faults.add(Fault(kind, resource=resource.name, request_number=2, times=None))
    with pytest.raises(ClinikoError) as caught:
        await store_list(client, resource)
    assert caught.value.code == FATAL[kind]
    assert len(emulator.requests) == 2
    if kind == "status_402":
        assert resource.label in caught.value.message


@pytest.mark.parametrize(("limit", "expected"), [(50, {50}), (12, {12}), (10, {10})])
async def test_a_page_that_takes_too_long_is_asked_for_with_fewer_rows(
    emulator: Emulator, client: ClinikoClient, limit: int, expected: set[int]
) -> None:
    """Two timeouts halve the page, repeatedly if needed, and the list is still read completely."""
    emulator.faults.add(Fault("status_504", times=None, only_above_per_page=limit))
    stored, pages = await store_list(client, PATIENTS)
    assert len(stored) == ROWS
    assert {len(page.records) for page in pages[:-1]} == expected


async def test_a_single_timeout_does_not_shrink_pages(emulator: Emulator, client: ClinikoClient) -> None:
    """A single timeout does not shrink pages."""
    emulator.faults.add(Fault("status_504"), Fault("status_504", request_number=3))
    _, pages = await store_list(client, PATIENTS)
    assert len(pages) == 3


async def test_rows_left_out_of_a_full_page_are_noticed_by_the_next_total(
    emulator: Emulator, client: ClinikoClient
) -> None:
    """A single gap in a page is noticed by counting the range again, and the range is read again."""
    emulator.faults.add(Fault("jump", rows=100))
    stored, pages = await store_list(client, PATIENTS)
    assert len(stored) == ROWS
    assert pages[-1].read == ROWS


async def test_unreadable_rows_of_a_range_that_is_read_again_count_once(
    emulator: Emulator, client: ClinikoClient
) -> None:
    """A sync fails above a share of unreadable rows, so that none of them may count twice."""
    appointments = emulator.clinic.individual_appointments
    for row_id in appointments.ids()[105:110]:
        appointments.change(row_id, starts_at=None)
    # Twice, as a page with unreadable rows is asked for again.
    emulator.faults.add(Fault("jump", rows=100, times=2))
    stored, pages = await store_list(client, INDIVIDUAL_APPOINTMENTS)
    assert len(stored) == ROWS - 5
    assert sum(len(page.unreadable) for page in pages) > 5, "a range was read again"
    assert (pages[-1].read, pages[-1].unreadable_read) == (ROWS, 5)


async def test_rows_removed_meanwhile_are_no_reason_to_read_again(emulator: Emulator, client: ClinikoClient) -> None:
    """A lower total is checked with two small requests, and accepted."""
    ids = sorted(listed_ids(emulator.clinic, "patients"), key=int)

    def remove(_request: RecordedRequest) -> None:
        emulator.after_request = None
        for patient_id in (ids[5], ids[230]):
            emulator.clinic.archive("patients", patient_id)

    emulator.after_request = remove
    stored, pages = await store_list(client, PATIENTS)
    assert set(ids) - {ids[5], ids[230]} <= set(stored)
    assert ids[230] not in stored
    assert len(pages) == 3
    assert len(emulator.requests) == 5


@pytest.mark.parametrize("seed", range(12))
async def test_every_patient_who_stays_throughout_is_read(seed: int, make_client: MakeClient) -> None:
    """While patients are added, archived, restored and removed between pages, no remaining patient is missed."""
    chance = random.Random(seed)
    emulator = Emulator(clinic_of(ROWS))
    clinic: Clinic = emulator.clinic
    stayed = listed_ids(clinic, "patients")
    archived: set[str] = set()

    def churn(_request: RecordedRequest) -> None:
        for _ in range(chance.randrange(4)):
            some = chance.choice(sorted(stayed, key=int))
            match chance.randrange(4):
                case 0:
                    clinic.insert_patient()
                case 1:
                    clinic.archive("patients", some)
                    archived.add(some)
                    stayed.discard(some)
                case 2:
                    clinic.remove("patients", some)
                    stayed.discard(some)
                case 3 if archived:
                    clinic.unarchive("patients", archived.pop())

    emulator.after_request = churn
    async with (
        EmulatorServer(emulator) as server,
        make_client(server.base_url, max_attempts=6) as client,
    ):
        stored, _ = await store_list(client, PATIENTS, per_page=20)
    assert stayed <= set(stored)


async def test_no_persons_data_is_in_an_error(emulator: Emulator, client: ClinikoClient) -> None:
    """The error for a bad row reveals no patient's data."""
    for kind in ("wrong_shape_json", "short_page", "repeat_row", "html_200"):
        emulator.faults.clear()
        emulator.faults.add(Fault(kind, times=None, rows=40))
        with pytest.raises(UnexpectedAnswer) as caught:
            await store_list(client, PATIENTS)
        text = f"{caught.value!r} {caught.value.message} {caught.value.what_to_do} {caught.value.detail}"
        secrets = emulator.clinic.secrets()
        assert not [secret for secret in (*secrets.all(), *PLANTED_MARKERS) if secret in text]


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize(
    ("kind", "rows", "field"),
    [("wrong_shape_row", 1, "id"), ("wrong_shape_row", 30, "id"), ("row_without_start", 3, "")],
)
async def test_a_row_that_cannot_be_read_is_counted_and_set_aside(
    emulator: Emulator, client: ClinikoClient, kind: str, rows: int, field: str, refuses: bool
) -> None:
    """All other rows are stored once, by either way of reading; a row without a start but with an id is named."""
    if refuses:
        emulator.faults.add(Fault("refuse_sort", times=None))
    emulator.faults.add(Fault(kind, times=None, rows=rows))
    stored, pages = await store_list(client, INDIVIDUAL_APPOINTMENTS)
    last = pages[-1]
    listed = listed_ids(emulator.clinic, "individual_appointments")
    assert set(stored) <= listed
    assert len(stored) + last.unreadable_read == last.read == ROWS
    final = [page for page in pages if page.pass_number == last.pass_number]
    found = [row for page in final for row in page.unreadable]
    assert len(found) == last.unreadable_read
    assert {row.field for row in found} == {field or "starts_at"}
    if field:
        assert {row.id for row in found} == {None}
        # By id: rows without an id at the end of a page come first on the next page, with their ids.
        assert last.unreadable_read == (3 * rows if refuses else rows)
    else:
        assert {row.id for row in found} == listed - set(stored)
    assert len(emulator.requests) < 12


async def test_a_page_without_any_id_is_a_failure(emulator: Emulator, client: ClinikoClient) -> None:
    """A page without any id fails the reading, as there is no id to continue from."""
    emulator.faults.add(Fault("wrong_shape_row", times=None, rows=100))
    with pytest.raises(UnexpectedAnswer, match="patients"):
        await store_list(client, PATIENTS)
    assert len(emulator.requests) < 12


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("kind", ["refuse_sort", "refuse_id_filter"])
async def test_a_refusal_may_have_either_status(
    emulator: Emulator, client: ClinikoClient, kind: str, status: int
) -> None:
    """Cliniko documents 400 for an unknown filter; 422 means the same."""
    emulator.faults.add(Fault(kind, times=None, status=status))
    stored, pages = await store_list(client, PATIENTS)
    assert set(stored) == listed_ids(emulator.clinic, "patients")
    assert pages[-1].pass_number == 2


async def test_an_order_that_takes_too_long_is_given_up(emulator: Emulator, client: ClinikoClient) -> None:
    """If even ten rows sorted by id time out, the list is read in Cliniko's order, a hundred rows at a time."""
    emulator.faults.add(Fault("sort_times_out", "individual_appointments", request_number=2, times=None))
    window = ["starts_at:>=2020-01-01T00:00:00Z"]
    stored, pages = await store_list(client, INDIVIDUAL_APPOINTMENTS, filters=window)
    assert set(stored) == listed_ids(emulator.clinic, "individual_appointments")
    assert pages[-1].pass_number == 2
    asked = [int(request.values("per_page")[0]) for request in emulator.requests if request.values("sort")]
    assert min(asked) == 10
    unsorted = [request for request in emulator.requests if not request.values("sort")]
    assert {tuple(request.values("per_page")) for request in unsorted} == {("100",)}
    assert all(request.values("q[]") == window for request in unsorted)


@pytest.mark.parametrize("rows", [1, -1, 5, -5, 20])
async def test_a_total_that_stays_another_is_reported(emulator: Emulator, client: ClinikoClient, rows: int) -> None:
    """An outdated total from a cache does not stop a clinic: two readings agree, and the difference is reported."""
    emulator.faults.add(Fault("wrong_total", times=None, rows=rows))
    stored, pages = await store_list(client, PATIENTS)
    assert set(stored) == listed_ids(emulator.clinic, "patients")
    assert (pages[-1].read, pages[-1].claimed_total) == (ROWS, ROWS + rows)
    assert all(page.claimed_total is None for page in pages[:-1])


@pytest.mark.parametrize(("rows", "all_rows"), [(60, ROWS), (-60, ROWS), (3, 0)])
async def test_a_total_that_is_far_off_is_a_failure(rows: int, all_rows: int, make_client: MakeClient) -> None:
    """A total that is off by a quarter, or that has no rows, fails the reading, as rows may be missing."""
    emulator = Emulator(clinic_of(all_rows))
    emulator.faults.add(Fault("wrong_total", times=None, rows=rows))
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        with pytest.raises(UnexpectedAnswer, match=r"list of patients, but reports a total of"):
            await store_list(client, PATIENTS)
    assert len(emulator.requests) < 30


async def test_leaving_in_the_middle_leaves_nothing_behind(base_url: str, make_client: MakeClient) -> None:
    """A reading dropped after its first page leaves no task behind."""
    before = asyncio.all_tasks()
    async with make_client(base_url) as client, aclosing(read_list(client, PATIENTS)) as pages:
        await anext(pages)
    assert {task for task in asyncio.all_tasks() - before if "cliniko" in repr(task)} == set()
