"""A clinic that changes while it is read: every page shows the current state, whatever was cached."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from routiq_gql.emulator import Clinic, Emulator, RecordedRequest, awkward_clinic
from routiq_gql.emulator.filters import read_query
from routiq_gql.emulator.resources import PATHS, RESOURCES
from routiq_gql.emulator.table import Table
from tests.emulator.conftest import NOW, Serve

_QUERIES = {
    "patients": [
        [],
        ["archived_at:*"],
        ["archived_at:*", "updated_at:>=2024-12-20T00:00:00Z"],
        ["last_name:~a"],
        ["id:>50"],
    ],
    "individual_appointments": [
        [],
        ["starts_at:>=2024-12-20T00:00:00Z", "deleted_at:!?"],
        ["cancelled_at:?"],
        ["id:>20", "id:<=70"],
        ["patient_id:=9,10", "cancelled_at:*"],
    ],
    "attendees": [[], ["booking_id:=95"], ["cancelled_at:*", "archived_at:*", "deleted_at:!?"]],
}


def page_ids(table: Table, filters: list[str], **parameters: str) -> tuple[list[int], int]:
    """The first hundred ids of a list, and its total."""
    query = [("per_page", "100"), *parameters.items(), *(("q[]", text) for text in filters)]
    return table.page(read_query(PATHS[table.resource.name], query))


def rebuilt(table: Table) -> Table:
    """The same rows in a new table without caches."""
    copy = Table(table.resource, table._text)
    for row in table.rows():
        copy.insert(row)
    return copy


Change = tuple[str, int, int]
_changes = st.lists(
    st.tuples(
        st.sampled_from(
            ("insert", "visit", "attend", "archive", "unarchive", "cancel", "uncancel", "delete", "remove", "merge")
        ),
        st.integers(0, 40),
        st.integers(0, 40),
    ),
    max_size=30,
)


def carry_out(clinic: Clinic, change: Change, fresh: Callable[[], str]) -> None:
    """Apply a change to rows that are selected by number."""
    action, one, other = change
    patients = clinic.patients.ids()
    patient = str(patients[one % len(patients)]) if patients else None
    resource = ("patients", "individual_appointments", "attendees")[other % 3]
    rows = clinic.tables[resource].ids()
    row = str(rows[one % len(rows)]) if rows else None
    match action:
        case "insert":
            clinic.insert_patient(patient_id=fresh(), at=NOW)
        case "visit" if patient:
            clinic.insert_appointment(patient, NOW + timedelta(days=other - 20), appointment_id=fresh(), at=NOW)
        case "attend" if patient:
            clinic.insert_attendee("95", patient, attendee_id=fresh(), at=NOW)
        case "cancel" | "uncancel" if row and resource != "patients":
            getattr(clinic, action)(resource, row, at=NOW)
        case "archive" | "unarchive" | "delete" if row:
            getattr(clinic, action)(resource, row, at=NOW)
        case "remove" if row:
            clinic.remove(resource, row)
        case "merge" if patient and (into := str(patients[other % len(patients)])) != patient:
            clinic.merge(patient, into, at=NOW)


@settings(max_examples=60)
@given(_changes)
def test_answers_follow_every_change(changes: list[Change]) -> None:
    """After any changes the lists equal lists made from scratch, in every order."""
    clinic = awkward_clinic(NOW)
    for name, queries in _QUERIES.items():
        for filters in queries:
            page_ids(clinic.tables[name], filters, sort="id")
            for column in ("created_at", "updated_at"):
                page_ids(clinic.tables[name], filters, sort=column)
    numbers = iter(range(20, 1000, 3))
    taken = {row_id for table in clinic.tables.values() for row_id in table.ids()}
    for change in changes:
        carry_out(clinic, change, lambda: str(next(n for n in numbers if n not in taken)))
    for name, queries in _QUERIES.items():
        table = clinic.tables[name]
        scratch = rebuilt(table)
        for filters in queries:
            for order in ("id", "id:desc", "created_at", "updated_at", "created_at,id", "updated_at:desc,id"):
                assert page_ids(table, filters, sort=order) == page_ids(scratch, filters, sort=order)


async def test_a_change_between_two_pages_shows_on_the_second(clinic: Clinic, serve: Serve) -> None:
    """A patient archived after the first page is missing on the next, and reading by id skips no other patient."""
    emulator = Emulator(clinic)
    client = await serve(emulator)

    def archive_one(request: RecordedRequest) -> None:
        if len(emulator.requests) == 1:
            clinic.archive("patients", "102")
            clinic.archive("patients", "9")
            clinic.insert_patient(patient_id="500")

    emulator.after_request = archive_one
    seen: list[str] = []
    last, left = "0", 1
    while left > 0:
        query = [("sort", "id"), ("per_page", "3"), ("q[]", f"id:>{last}")]
        body = (await client.get("/patients", params=query)).json()
        seen += [row["id"] for row in body["patients"]]
        last, left = seen[-1], body["total_entries"] - len(body["patients"])
    assert seen[:6] == ["9", "10", "82", "101", "500", "1000"]
    assert len(seen) == len(set(seen)) == 24


async def test_pages_by_number_skip_a_row_when_another_leaves(clinic: Clinic, serve: Serve) -> None:
    """Page numbers skip a row when an earlier row is removed, which is why the product does not use them."""
    client = await serve(Emulator(clinic))
    first = (await client.get("/patients", params={"per_page": "10"})).json()
    clinic.archive("patients", first["patients"][0]["id"])
    second = (await client.get(first["links"]["next"])).json()
    third = (await client.get(second["links"]["next"])).json()
    rows = [row["id"] for page in (first, second, third) for row in page["patients"]]
    assert len(set(rows)) == 23


def test_deleting_a_patient_takes_the_appointments_along(clinic: Clinic) -> None:
    """The appointments and class bookings of a deleted patient are hidden with the patient."""
    clinic.delete("patients", "9", at=NOW)
    for name in ("individual_appointments", "attendees"):
        owned = clinic.tables[name].find("patient_id", 9)
        assert owned
        assert all(clinic.tables[name].get(row_id)["archived_at"] for row_id in owned)
    assert 9 not in page_ids(clinic.patients, [])[0]


def test_merging_moves_appointments_without_a_trace_on_them(clinic: Clinic) -> None:
    """After a merge one patient is archived and the other has the visits, which look unchanged."""
    before = clinic.individual_appointments.get(514810976034500001)
    clinic.merge("9", "10", at=NOW)
    after = clinic.individual_appointments.get(514810976034500001)
    assert after == {**before, "patient_id": 10}
    assert clinic.patients.get(9)["merged_with_id"] == 10
    assert clinic.patients.get(9)["archived_at"]


def test_every_resource_has_a_table(clinic: Clinic) -> None:
    """The served lists are the lists of a clinic."""
    assert set(clinic.tables) == set(RESOURCES)
