"""Reading a list that refuses order or filter by id: in passes along ``links.next``, until two agree."""

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from routiq_gql.cliniko import APPOINTMENT_TYPES, PATIENTS, RESOURCES, ClinikoClient, Resource, UnexpectedAnswer
from routiq_gql.emulator import Emulator, EmulatorServer, Fault, RecordedRequest
from tests.cliniko.conftest import ROWS, MakeClient, clinic_of
from tests.cliniko.raw_server import RawServer, http
from tests.cliniko.reading import listed_ids, store_list

REFUSALS = ["refuse_sort", "refuse_id_filter"]


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
async def test_a_list_that_refuses_is_read_twice_and_believed(
    kind: str, resource: Resource[Any], emulator: Emulator, client: ClinikoClient
) -> None:
    """A list without changes is read in two passes with the same rows; each begins with a restarted page."""
    emulator.faults.add(Fault(kind, times=None))
    stored, pages = await store_list(client, resource)
    assert set(stored) == listed_ids(emulator.clinic, resource.name)
    passes = [page for page in pages if page.restarted]
    assert [page.pass_number for page in passes] == [1, 2]
    assert all(page.last_id is None for page in pages if page not in pages[:1])
    assert (pages[-1].read, pages[-1].remaining) == (ROWS, 0)
    followed = [request for request in emulator.requests if request.values("page") != ["1"]]
    assert [request.values("page") for request in followed] == [["2"], ["3"]] * 2


@pytest.mark.parametrize("kind", REFUSALS)
async def test_resuming_reads_the_list_from_its_beginning(kind: str, emulator: Emulator, client: ClinikoClient) -> None:
    """Resuming starts over and drops the stored rows, since a position in this list has no lasting meaning."""
    emulator.faults.add(Fault(kind, times=None))
    stored, pages = await store_list(client, PATIENTS, {"1": None}, after=str(10**15 + 300))
    assert pages[0].restarted
    assert set(stored) == listed_ids(emulator.clinic, "patients")


async def test_a_row_that_slips_past_is_found_in_another_pass(emulator: Emulator, client: ClinikoClient) -> None:
    """A patient who leaves between two pages hides another patient: the passes differ and a third decides."""
    emulator.faults.add(Fault("refuse_sort", times=None))
    count = 0

    def churn(request: RecordedRequest) -> None:
        nonlocal count
        count += request.status == 200
        if count == 1:
            page = emulator.clinic.tables["patients"]
            first = min(page.rows(), key=lambda row: (row["created_at"], row["id"]))
            emulator.clinic.archive("patients", str(first["id"]))
            emulator.after_request = None

    emulator.after_request = churn
    stored, pages = await store_list(client, PATIENTS)
    assert set(stored) == listed_ids(emulator.clinic, "patients")
    assert pages[-1].pass_number == 3


@pytest.mark.parametrize("seed", range(6))
async def test_a_busy_clinic_is_read_right_or_not_at_all(seed: int, make_client: MakeClient) -> None:
    """Changes between pages may cost passes, and too many end the reading, but no remaining patient is missed."""
    chance = random.Random(seed)
    emulator = Emulator(clinic_of(120))
    emulator.faults.add(Fault("refuse_sort", times=None))
    stayed = listed_ids(emulator.clinic, "patients")

    def churn(_request: RecordedRequest) -> None:
        if chance.random() < 0.08:
            gone = chance.choice(sorted(stayed, key=int))
            stayed.discard(gone)
            emulator.clinic.remove("patients", gone)
        if chance.random() < 0.08:
            emulator.clinic.insert_patient()

    emulator.after_request = churn
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        stored: dict[str, Any] = {}
        try:
            await store_list(client, PATIENTS, stored, per_page=20)
        except UnexpectedAnswer:
            return
    assert stayed <= set(stored)


async def test_a_list_that_never_holds_still_is_a_failure(emulator: Emulator, client: ClinikoClient) -> None:
    """After five passes that differ, the sync fails with that explanation."""
    emulator.faults.add(Fault("refuse_sort", times=None))

    def churn(_request: RecordedRequest) -> None:
        emulator.clinic.insert_patient()

    emulator.after_request = churn
    with pytest.raises(UnexpectedAnswer, match="differed in every comparison"):
        await store_list(client, PATIENTS)


async def test_pages_that_take_too_long_begin_the_pass_again_with_fewer_rows(
    emulator: Emulator, client: ClinikoClient
) -> None:
    """With smaller pages the numbers mean other rows, so the pass starts over."""
    emulator.faults.add(
        Fault("refuse_sort", times=None),
        Fault("status_504", request_number=2, times=2, only_above_per_page=50),
    )
    stored, _ = await store_list(client, PATIENTS)
    assert set(stored) == listed_ids(emulator.clinic, "patients")


async def test_the_same_page_again_and_again_is_not_believed(emulator: Emulator, client: ClinikoClient) -> None:
    """Two passes that agree on the same duplicate page don't count."""
    emulator.faults.add(Fault("refuse_sort", times=None), Fault("repeat_page", request_number=2, times=None))
    with pytest.raises(UnexpectedAnswer):
        await store_list(client, PATIENTS)


def _types(host: str, page: int, **links: str) -> bytes:
    rows = [{"id": str(number)} for number in range(page * 100 - 99, page * 100 + 1)]
    return http(200, {"appointment_types": rows, "total_entries": 200, "links": links})


@pytest.mark.parametrize(
    "next_url",
    [
        "http://evil.example/v1/appointment_types?page=2",
        "https://127.0.0.1:{port}/v1/appointment_types?page=2",
        "http://127.0.0.1:1/v1/appointment_types?page=2",
        "http://127.0.0.1:{port}/v2/appointment_types?page=2",
        "http://127.0.0.1:{port}/v1/patients?page=2",
        "http://127.0.0.1:{port}@evil.example/v1/appointment_types?page=2",
        "http://127.0.0.1:bad/v1/appointment_types?page=2",
        "/v1/appointment_types?page=2",
        "?page=2&q[]=id:>5&per_page=1&order=desc",
        "http://evil.example/v1/appointment_types?page=2&q%5B%5D=archived_at%3A%2A",
    ],
)
async def test_of_a_next_link_only_the_parameters_are_used(make_client: MakeClient, next_url: str) -> None:
    """If links name a proxy, the next page is still requested from the configured address, with our filters."""
    filters = ["created_at:>2020-01-01T00:00:00Z", "id:<900"]

    def reply(_number: int, head: str) -> bytes:
        if "sort=id" in head:
            return http(422, {"message": "This column is not sortable."})
        port = head.partition("Host: 127.0.0.1:")[2].partition("\r\n")[0]
        query = parse_qs(urlsplit(head.split()[1]).query)
        assert (query["q[]"], query["per_page"]) == (filters, ["100"])
        links = {"next": next_url.replace("{port}", port)} if query["page"] == ["1"] else {}
        return _types(port, int(query["page"][0]), **links)

    async with RawServer(reply) as server, make_client(server.base_url) as client:
        stored, pages = await store_list(client, APPOINTMENT_TYPES, filters=filters)
    assert len(stored) == 200
    assert pages[-1].pass_number == 2
    assert {head.split()[1].partition("?")[0] for head in server.heads} == {"/v1/appointment_types"}
    assert len(server.heads) == 5


@pytest.mark.parametrize(
    "next_url",
    [
        "http://127.0.0.1:{port}/v1/appointment_types?page=1",
        "http://127.0.0.1:{port}/v1/appointment_types?page=3",
        "http://127.0.0.1:{port}/v1/appointment_types?page=2&page=3",
        "http://127.0.0.1:{port}/v1/appointment_types",
        "//[",
    ],
)
async def test_a_next_link_to_another_page_is_not_followed(make_client: MakeClient, next_url: str) -> None:
    """Links that skip pages or form a loop fail the reading."""

    def reply(_number: int, head: str) -> bytes:
        if "sort=id" in head:
            return http(400, {"message": "This column is not sortable."})
        port = head.partition("Host: 127.0.0.1:")[2].partition("\r\n")[0]
        return _types(port, 1, next=next_url.replace("{port}", port))

    async with RawServer(reply) as server, make_client(server.base_url) as client:
        with pytest.raises(UnexpectedAnswer, match="appointment types"):
            await store_list(client, APPOINTMENT_TYPES)
    assert len(server.heads) == 4
    assert not [head for head in server.heads if "page=2" in head]


async def test_a_list_without_links_is_read_by_its_numbers(make_client: MakeClient) -> None:
    """A full page has another page after it, even without a link."""

    def reply(_number: int, head: str) -> bytes:
        if "sort=id" in head:
            return http(400)
        return _types("", int(parse_qs(urlsplit(head.split()[1]).query)["page"][0]))

    async with RawServer(reply) as server, make_client(server.base_url) as client:
        with pytest.raises(UnexpectedAnswer, match="but reports a total of 200"):
            await store_list(client, APPOINTMENT_TYPES)  # this list never ends
    assert len(server.heads) < 12


async def test_a_list_that_silently_ignores_the_order_is_read_in_passes(make_client: MakeClient) -> None:
    """The order by id is assumed, not documented: if it is ignored without an error, the list is read in passes."""
    ids = [str(number) for number in random.Random(1).sample(range(1, 1000), 150)]

    def reply(_number: int, head: str) -> bytes:
        query = parse_qs(urlsplit(head.split()[1]).query)
        page, size = int(query["page"][0]), int(query["per_page"][0])
        host = head.partition("Host: ")[2].partition("\r\n")[0]
        rows = [{"id": id_} for id_ in ids[(page - 1) * size : page * size]]
        links = {"next": f"http://{host}/v1/appointment_types?page={page + 1}"} if page * size < len(ids) else {}
        return http(200, {"appointment_types": rows, "total_entries": len(ids), "links": links})

    async with RawServer(reply) as server, make_client(server.base_url) as client:
        stored, pages = await store_list(client, APPOINTMENT_TYPES)
    assert set(stored) == set(ids)
    assert pages[-1].pass_number == 2


def _without_total(body: dict[str, Any]) -> None:
    del body["total_entries"]


def _with(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        body[name] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _without_total,
        _with("total_entries", True),
        _with("total_entries", "1"),
        _with("total_entries", -1),
        _with("total_entries", 20),
        _with("appointment_types", None),
        _with("appointment_types", {}),
        _with("appointment_types", ["x"]),
        _with("appointment_types", {"1": {"id": "1"}}),
        _with("appointment_types", [[{"id": "1"}]]),
        _with("appointment_types", [{"id": "1"}, {"id": "1"}]),
    ],
)
@pytest.mark.parametrize("refuses", [False, True])
async def test_each_part_of_an_answer_is_checked(
    make_client: MakeClient, change: Callable[[dict[str, Any]], None], refuses: bool
) -> None:
    """A response with a small error is not accepted, by either way of reading."""
    body: dict[str, Any] = {"appointment_types": [{"id": "1"}], "total_entries": 1, "links": {}}
    good = json.dumps(body)
    change(body)

    def reply(_number: int, head: str) -> bytes:
        return http(400) if refuses and "sort=id" in head else http(200, body)

    async with RawServer(reply) as server, make_client(server.base_url) as client:
        with pytest.raises(UnexpectedAnswer):
            await store_list(client, APPOINTMENT_TYPES)
    async with RawServer(lambda _n, _head: http(200, good.encode())) as server, make_client(server.base_url) as client:
        assert list((await store_list(client, APPOINTMENT_TYPES))[0]) == ["1"]
