"""Lists work as documented: paging, order, filters, hidden rows, references, empty values."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from routiq_gql.emulator import Clinic, Emulator
from tests.emulator.conftest import NOW, Serve

Query = list[tuple[str, str]]


async def read(client: httpx.AsyncClient, resource: str, *filters: str, **parameters: str) -> dict[str, Any]:
    """The JSON of a list request, which must succeed."""
    query: Query = [*parameters.items(), *(("q[]", text) for text in filters)]
    response = await client.get(f"/{resource}", params=query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def ids(client: httpx.AsyncClient, resource: str, *filters: str) -> list[str]:
    """The ids of up to 100 rows, ascending by id."""
    body = await read(client, resource, *filters, sort="id", per_page="100")
    assert body["total_entries"] == len(body[resource])
    return [row["id"] for row in body[resource]]


async def test_pages_link_to_each_other_and_the_last_has_no_next(clinic: Clinic, serve: Serve) -> None:
    """The `next` links from the first page lead to every listed patient once."""
    client = await serve(Emulator(clinic))
    first = await read(client, "patients", per_page="10")
    assert first["total_entries"] == 24
    assert "previous" not in first["links"]
    second = (await client.get(first["links"]["next"])).json()
    third = (await client.get(second["links"]["next"])).json()
    assert "next" not in third["links"]
    assert (await client.get(third["links"]["previous"])).json() == second
    seen = [row["id"] for page in (first, second, third) for row in page["patients"]]
    assert len(seen) == len(set(seen)) == 24
    assert [len(page["patients"]) for page in (first, second, third)] == [10, 10, 4]


async def test_fifty_rows_are_a_page_and_a_hundred_the_most(serve: Serve) -> None:
    """Without `per_page` a page has 50 rows; the maximum is 100."""
    clinic = Clinic("Numbers")
    for number in range(1, 151):
        clinic.insert_patient(patient_id=str(number), at=NOW)
    client = await serve(Emulator(clinic))
    assert len((await read(client, "patients"))["patients"]) == 50
    assert len((await read(client, "patients", per_page="1000"))["patients"]) == 100
    assert len((await read(client, "patients", per_page="100", page="2"))["patients"]) == 50
    assert (await read(client, "patients", page="9"))["patients"] == []


async def test_the_default_order_is_that_of_creation(clinic: Clinic, serve: Serve) -> None:
    """Rows come oldest first by default, which is not the order of their ids."""
    client = await serve(Emulator(clinic))
    rows = (await read(client, "patients"))["patients"]
    assert [row["created_at"] for row in rows] == sorted(row["created_at"] for row in rows)
    assert rows[0]["id"] == "1000"
    newest = (await read(client, "patients", order="desc"))["patients"]
    assert newest == rows[::-1]
    assert (await read(client, "patients", sort="created_at:desc"))["patients"] == newest


async def test_ids_are_ordered_as_numbers(clinic: Clinic, serve: Serve) -> None:
    """9 comes before 10, and two ids that are equal as floating-point numbers stay apart."""
    client = await serve(Emulator(clinic))
    found = await ids(client, "patients")
    assert found[:8] == ["9", "10", "82", "101", "102", "1000", "9007199254740992", "9007199254740993"]
    assert await ids(client, "patients", "id:>9007199254740992", "id:<514810976034364379") == [
        "9007199254740993",
        "514810976034364378",
    ]


async def test_sorting_by_several_columns(clinic: Clinic, serve: Serve) -> None:
    """`sort=a:desc,b` sorts descending by a, then ascending by b."""
    client = await serve(Emulator(clinic))
    body = await read(client, "individual_appointments", sort="patient_id:desc,starts_at", per_page="100")
    rows = [(int(row["patient"]["links"]["self"].rsplit("/")[-1]), row["starts_at"]) for row in body[_VISITS]]
    assert rows == sorted(rows, key=lambda row: (-row[0], row[1]))


_VISITS = "individual_appointments"


@pytest.mark.parametrize(
    ("resource", "column", "hidden"),
    [
        ("patients", "archived_at", {"514810976034364376", "514810976034364377"}),
        (_VISITS, "cancelled_at", {"514810976034500003"}),
        (_VISITS, "archived_at", {"514810976034500004", "514810976034500005"}),
        ("group_appointments", "archived_at", {"514810976034600001"}),
        ("attendees", "cancelled_at", {"101"}),
        ("attendees", "archived_at", {"102"}),
        ("appointment_types", "archived_at", {"100"}),
    ],
)
async def test_a_star_includes_hidden_rows(
    clinic: Clinic, serve: Serve, resource: str, column: str, hidden: set[str]
) -> None:
    """Archived, cancelled and deleted rows are left out unless the request filters by that column with a star."""
    client = await serve(Emulator(clinic))
    shown = set(await ids(client, resource))
    everything = set(await ids(client, resource, f"{column}:*"))
    assert everything - shown == hidden
    assert shown < everything
    assert set(await ids(client, resource, f"{column}:?")) == hidden
    assert set(await ids(client, resource, f"{column}:!?")) == shown


async def test_filters_on_times(clinic: Clinic, serve: Serve) -> None:
    """Rows on the edges of a window are included with >= and <=, excluded with > and <."""
    clinic.insert_appointment("9", NOW - timedelta(days=30), appointment_id="1", at=NOW)
    clinic.insert_appointment("9", NOW + timedelta(days=30), appointment_id="2", at=NOW)
    client = await serve(Emulator(clinic))
    start, end = "2024-11-22T14:30:22Z", "2025-01-21T14:30:22Z"
    closed = await ids(client, _VISITS, f"starts_at:>={start}", f"starts_at:<={end}")
    opened = await ids(client, _VISITS, f"starts_at:>{start}", f"starts_at:<{end}")
    assert set(closed) - set(opened) == {"1", "2"}
    assert len(opened) == 13
    assert "514810976034500012" not in closed
    assert "514810976034500014" not in closed


async def test_filters_on_numbers(clinic: Clinic, serve: Serve) -> None:
    """Ids can be filtered by equality, in a list, and by comparison; bookings in a list, too."""
    client = await serve(Emulator(clinic))
    assert await ids(client, "patients", "id:=9") == ["9"]
    assert await ids(client, "patients", "id:=82,9,514810976034364376,5") == ["9", "82"]
    assert await ids(client, "patients", "id:<=82") == ["9", "10", "82"]
    assert await ids(client, "patients", "id:>=82", "id:<1000") == ["82", "101", "102"]
    assert "9" not in await ids(client, "patients", "id:!=9")
    assert await ids(client, "attendees", "booking_id:=95,514810976034600002") == ["100", "103", "105", "106"]
    assert await ids(client, "attendees", "booking_id:=95", "id:>100") == ["103"]
    assert await ids(client, _VISITS, "patient_id:=9") == ["514810976034500001", "514810976034500002"]
    assert await ids(client, _VISITS, "patient_id:=9,1000,404") == [
        "514810976034500001",
        "514810976034500002",
        "514810976034500007",
    ]
    assert await ids(client, "attendees", "patient_id:=9") == ["106"]
    assert len(await ids(client, "patients", "id:?")) == 24
    assert await ids(client, "patients", "id:!?") == []
    assert await ids(client, "patients", "id:<=9223372036854775807", "id:>514810976034364393") == ["514810976034364394"]


async def test_changed_rows_can_be_listed_with_every_hidden_one(clinic: Clinic, serve: Serve) -> None:
    """A filter by the time of the last change finds cancelled, archived and deleted rows if each filter has a star."""
    client = await serve(Emulator(clinic))
    clinic.cancel(_VISITS, "514810976034500001", at=NOW)
    clinic.archive(_VISITS, "514810976034500002", at=NOW)
    clinic.delete(_VISITS, "514810976034500007", at=NOW)
    clinic.move(_VISITS, "514810976034500008", NOW, at=NOW)
    mark = f"updated_at:>={NOW:%Y-%m-%dT%H:%M:%SZ}"
    stars = ("cancelled_at:*", "archived_at:*", "deleted_at:*")
    found = await ids(client, _VISITS, mark, *stars)
    assert found == [f"51481097603450000{number}" for number in (1, 2, 7, 8)]
    assert await ids(client, _VISITS, mark) == ["514810976034500008"]
    assert await ids(client, _VISITS, mark, "cancelled_at:*") == ["514810976034500001", "514810976034500008"]
    assert await ids(client, _VISITS, "deleted_at:!?", "archived_at:!?", mark, "cancelled_at:*") == [
        "514810976034500001",
        "514810976034500008",
    ]


async def test_a_cliniko_that_hides_deleted_rows_itself(clinic: Clinic, serve: Serve) -> None:
    """If lists leave out deleted rows by default, only a star brings them back."""
    client = await serve(Emulator(clinic))
    deleted = "514810976034500006"
    assert deleted in await ids(client, _VISITS)
    clinic.hides_deleted = True
    assert deleted not in await ids(client, _VISITS)
    assert deleted in await ids(client, _VISITS, "deleted_at:*")
    assert await ids(client, _VISITS, "deleted_at:?") == [deleted]
    assert await ids(client, "appointment_types") == ["7", "12"]


async def test_filters_on_texts(clinic: Clinic, serve: Serve) -> None:
    """Names can be filtered by comparison, by substring, and by pattern."""
    clinic.insert_patient(patient_id="1", first_name="Zara", last_name="Quill", email="zara@patients.example")
    client = await serve(Emulator(clinic))
    assert await ids(client, "patients", "last_name:=Quill", "first_name:=Zara") == ["1"]
    assert await ids(client, "patients", "last_name:~uil") == ["1"]
    assert await ids(client, "patients", "last_name:~~Qu%l") == ["1"]
    assert await ids(client, "patients", "email:~~zara@%") == ["1"]
    assert "1" not in await ids(client, "patients", "last_name:!=Quill")
    clinic.rename("1", last_name="Quinn")
    assert await ids(client, "patients", "last_name:~uil") == []
    assert await ids(client, "patients", "last_name:~uin") == ["1"]


@pytest.mark.parametrize(
    ("resource", "column"),
    [
        ("attendees", "starts_at:>2024-01-01T00:00:00Z"),
        ("attendees", "arrived:=1"),
        ("group_appointments", "cancelled_at:*"),
        (_VISITS, "cancellation_reason:=10"),
        (_VISITS, "patient_name:~a"),
        ("patients", "deleted_at:*"),
        ("patients", "merged_at:?"),
        ("appointment_types", "deleted_at:!?"),
        ("practitioners", "active:=1"),
        ("practitioners/inactive", "archived_at:*"),
        ("patients", "notes:~knee"),
        ("patients", "nonsense:=1"),
    ],
)
async def test_a_column_that_cannot_be_searched_is_refused(
    clinic: Clinic, serve: Serve, resource: str, column: str
) -> None:
    """A column that can't be filtered gets the documented error, word for word."""
    client = await serve(Emulator(clinic))
    response = await client.get(f"/{resource}", params={"q[]": column})
    assert response.status_code == 400
    assert response.json() == {"message": "This column is not searchable."}


@pytest.mark.parametrize(
    "query",
    [
        [("q[]", "starts_at:>2024-01-01")],
        [("q[]", "starts_at:>2024-01-01T00:00:00+00:00")],
        [("q[]", "starts_at:>2024-01-01T00:00:00.123Z")],
        [("q[]", "starts_at:>2024-13-01T00:00:00Z")],
        [("q[]", "starts_at:=2024-01-01T00:00:00Z")],
        [("q[]", "cancelled_at:*now")],
        [("q[]", "id:>1,2")],
        [("q[]", "id:=nine")],
        [("q[]", "id:?5")],
        [("q[]", "id:*")],
        [("q[]", "starts_at")],
        [("page", "0")],
        [("per_page", "many")],
        [("sort", "nonsense")],
        [("sort", "id:up")],
        [("order", "up")],
    ],
)
async def test_malformed_values_are_refused(clinic: Clinic, serve: Serve, query: Query) -> None:
    """A time without Z, a list in place of a number, or an unknown column gets 400 with a message."""
    client = await serve(Emulator(clinic))
    response = await client.get(f"/{_VISITS}", params=query)
    assert response.status_code == 400
    assert response.json()["message"]


async def test_references_are_links_and_ids_are_text(clinic: Clinic, serve: Serve) -> None:
    """An appointment's patient is given only as a link, under the requested address."""
    client = await serve(Emulator(clinic))
    base = str(client.base_url).rstrip("/")
    [visit] = (await read(client, _VISITS, "id:=514810976034500001"))[_VISITS]
    assert visit["patient"] == {"links": {"self": f"{base}/patients/9"}}
    assert visit["appointment_type"] == {"links": {"self": f"{base}/appointment_types/7"}}
    practitioner = visit["practitioner"]["links"]["self"].removeprefix(f"{base}/practitioners/")
    assert int(practitioner) in clinic.practitioners
    assert visit["links"] == {"self": f"{base}/individual_appointments/514810976034500001"}
    assert "patient_id" not in visit
    assert visit["starts_at"] == "2024-12-17T14:30:22Z"
    [attendee] = (await read(client, "attendees", "id:=100"))["attendees"]
    assert attendee["booking"] == {"links": {"self": f"{base}/bookings/95"}}
    assert attendee["patient"] == {"links": {"self": f"{base}/patients/514810976034364379"}}


async def test_classes_list_cancelled_patients_and_may_have_no_list(clinic: Clinic, serve: Serve) -> None:
    """`patient_ids` of a class includes cancelled patients, and can be null although patients attend."""
    client = await serve(Emulator(clinic))
    rows = {row["id"]: row for row in (await read(client, "group_appointments"))["group_appointments"]}
    assert "514810976034364380" in rows["95"]["patient_ids"]
    assert rows["514810976034600007"]["patient_ids"] is None
    assert rows["514810976034600009"]["patient_ids"] is None
    assert "cancelled_at" not in rows["95"]


async def test_some_rows_say_nothing_with_empty_text(clinic: Clinic, serve: Serve) -> None:
    """An absent value is `null` in some rows and `""` in others, times included."""
    client = await serve(Emulator(clinic))
    rows = {row["id"]: row for row in (await read(client, "patients"))["patients"]}
    assert rows["9"]["archived_at"] == ""
    assert rows["82"]["archived_at"] is None
    assert rows["514810976034364387"]["first_name"] == rows["514810976034364387"]["last_name"] == ""


async def test_unknown_lists_are_not_found(clinic: Clinic, serve: Serve) -> None:
    """The retired list of appointments, and single rows, are not found."""
    client = await serve(Emulator(clinic))
    for path in ("/appointments", "/patients/deleted", "/individual_appointments/1"):
        response = await client.get(path)
        assert (response.status_code, response.json()) == (404, {"message": "Not found"})
