"""Changes of a clinic: with and without a new `updated_at`, with and without a trace, and what each leaves alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from routiq_gql.emulator import CANCELLATION_REASONS, Clinic, Emulator
from routiq_gql.emulator.table import Row
from tests.emulator.conftest import NOW, Serve
from tests.emulator.test_lists import read

LATER = NOW + timedelta(hours=1)
_VISIT, _CLASS, _ATTENDEE = "514810976034500001", "95", "100"
_VISITS = "individual_appointments"

Rows = dict[tuple[str, int], Row]
CHANGES: dict[str, tuple[str, str, Callable[[Clinic, bool], object]]] = {
    "archive": ("patients", "9", lambda c, t: c.archive("patients", "9", at=LATER, touch=t)),
    "restore a class": (
        "group_appointments",
        "514810976034600001",
        lambda c, t: c.unarchive("group_appointments", "514810976034600001", at=LATER, touch=t),
    ),
    "cancel": (_VISITS, _VISIT, lambda c, t: c.cancel(_VISITS, _VISIT, at=LATER, touch=t)),
    "uncancel": (
        _VISITS,
        "514810976034500003",
        lambda c, t: c.uncancel(_VISITS, "514810976034500003", at=LATER, touch=t),
    ),
    "delete": (_VISITS, _VISIT, lambda c, t: c.delete(_VISITS, _VISIT, at=LATER, touch=t)),
    "delete, listed all the same": (
        _VISITS,
        _VISIT,
        lambda c, t: c.delete(_VISITS, _VISIT, at=LATER, touch=t, archives=False),
    ),
    "move to another time": (_VISITS, _VISIT, lambda c, t: c.move(_VISITS, _VISIT, LATER, at=LATER, touch=t)),
    "move to another patient": (
        _VISITS,
        _VISIT,
        lambda c, t: c.move(_VISITS, _VISIT, patient_id="10", at=LATER, touch=t),
    ),
    "move to another practitioner": (
        "group_appointments",
        _CLASS,
        lambda c, t: c.move("group_appointments", _CLASS, practitioner_id="514810976034700001", at=LATER, touch=t),
    ),
    "an attendee cancels": ("attendees", _ATTENDEE, lambda c, t: c.cancel("attendees", _ATTENDEE, at=LATER, touch=t)),
    "an attendee changes class": (
        "attendees",
        _ATTENDEE,
        lambda c, t: c.move("attendees", _ATTENDEE, class_id="514810976034600002", at=LATER, touch=t),
    ),
    "an attendee is replaced": (
        "attendees",
        _ATTENDEE,
        lambda c, t: c.move("attendees", _ATTENDEE, patient_id="9", at=LATER, touch=t),
    ),
    "a visit is missed": (_VISITS, _VISIT, lambda c, t: c.mark(_VISITS, _VISIT, arrived=False, at=LATER, touch=t)),
    "an attendee came": (
        "attendees",
        _ATTENDEE,
        lambda c, t: c.mark("attendees", _ATTENDEE, arrived=True, at=LATER, touch=t),
    ),
    "archive a type": (
        "appointment_types",
        "7",
        lambda c, t: c.archive("appointment_types", "7", at=LATER, touch=t),
    ),
    "a practitioner leaves": (
        "practitioners",
        "3",
        lambda c, t: c.archive("practitioners", "3", at=LATER, touch=t),
    ),
}


def all_rows(clinic: Clinic) -> Rows:
    """Every row of the clinic, by list and id."""
    return {(name, row["id"] or 0): row for name, table in clinic.tables.items() for row in table.rows()}


def changed(before: Rows, after: Rows) -> set[tuple[str, int]]:
    """Lists and ids of the rows that differ, came or went."""
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


@pytest.mark.parametrize("touch", [True, False])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_stamped_only_if_it_touches(clinic: Clinic, name: str, touch: bool) -> None:
    """A change concerns one row, and moves its time of change only when asked to."""
    resource, row_id, change = CHANGES[name]
    before = all_rows(clinic)
    change(clinic, touch)
    after = all_rows(clinic)
    key = (resource, int(row_id))
    assert changed(before, after) == {key}
    assert after[key]["updated_at"] == (int(LATER.timestamp()) if touch else before[key]["updated_at"])


@pytest.mark.parametrize("touch", [True, False])
async def test_names_change_with_and_without_a_new_time(clinic: Clinic, serve: Serve, touch: bool) -> None:
    """Patients, types and practitioners can be renamed, with or without a new time of change."""
    client = await serve(Emulator(clinic))
    clinic.rename("9", first_name="Renamed", at=LATER, touch=touch)
    clinic.rename_type("7", "Renamed", at=LATER, touch=touch)
    clinic.rename_practitioner("3", first_name="Renamed", at=LATER, touch=touch)
    for resource, row_id, column in (
        ("patients", "9", "first_name"),
        ("appointment_types", "7", "name"),
        ("practitioners", "3", "first_name"),
    ):
        [row] = (await read(client, resource, f"id:={row_id}"))[resource]
        assert row[column] == "Renamed"
        assert (row["updated_at"] == "2024-12-22T15:30:22Z") is touch


@pytest.mark.parametrize("touch_moved", [True, False])
def test_a_merge_touches_the_moved_rows_only_if_asked(clinic: Clinic, touch_moved: bool) -> None:
    """A merge archives one patient and moves the visits; their time of change moves or stays."""
    before = all_rows(clinic)
    clinic.merge("9", "10", at=LATER, touch_moved=touch_moved)
    after = all_rows(clinic)
    moved = {(_VISITS, 514810976034500001), (_VISITS, 514810976034500002), ("attendees", 106)}
    assert changed(before, after) == {("patients", 9), *moved}
    stamp = int(LATER.timestamp())
    assert (after["patients", 9]["merged_at"], after["patients", 9]["updated_at"]) == (stamp, stamp)
    for key in moved:
        assert after[key]["patient_id"] == 10
        assert after[key]["updated_at"] == (stamp if touch_moved else before[key]["updated_at"])


async def test_a_merge_may_leave_the_patient_untouched_too(clinic: Clinic, serve: Serve) -> None:
    """The merged patient's row has the time of the merge and a link, even if its time of change stays."""
    client = await serve(Emulator(clinic))
    before = clinic.patients.get(9)["updated_at"]
    clinic.merge("9", "10", at=LATER, touch=False)
    assert clinic.patients.get(9)["updated_at"] == before
    [row] = (await read(client, "patients", "id:=9", "archived_at:*"))["patients"]
    assert row["merged_at"] == row["archived_at"] == "2024-12-22T15:30:22Z"
    assert row["merged_with_patient"]["links"]["self"].endswith("/v1/patients/10")


def test_a_patient_is_never_merged_into_the_same_patient(clinic: Clinic) -> None:
    """A merge needs two patients who exist, and else changes nothing."""
    before = all_rows(clinic)
    with pytest.raises(ValueError, match="same patient"):
        clinic.merge("9", "9")
    with pytest.raises(KeyError):
        clinic.merge("9", "404")
    with pytest.raises(KeyError):
        clinic.merge("404", "9")
    assert all_rows(clinic) == before


@pytest.mark.parametrize("resource", ["individual_appointments", "group_appointments", "attendees"])
def test_a_row_can_be_deleted_without_a_trace(clinic: Clinic, resource: str) -> None:
    """A row deleted without a trace is gone, and no other row changes."""
    row_id = clinic.tables[resource].ids()[0]
    before = all_rows(clinic)
    clinic.delete(resource, str(row_id), trace=False)
    assert changed(before, all_rows(clinic)) == {(resource, row_id)}
    assert row_id not in clinic.tables[resource]


@pytest.mark.parametrize("archives", [True, False])
def test_a_deleted_row_is_archived_unless_asked_otherwise(clinic: Clinic, archives: bool) -> None:
    """A deleted appointment is hidden, or marked as deleted and listed all the same."""
    clinic.delete(_VISITS, _VISIT, at=LATER, archives=archives)
    row = clinic.individual_appointments.get(int(_VISIT))
    assert (bool(row["deleted_at"]), bool(row["archived_at"])) == (True, archives)


async def test_a_deleted_patient_takes_all_rows_along(clinic: Clinic, serve: Serve) -> None:
    """Without a trace, a patient and the patient's appointments and bookings are gone from every list and filter."""
    client = await serve(Emulator(clinic))
    clinic.delete("patients", "9", trace=False)
    assert 9 not in clinic.patients
    assert (await read(client, "patients", "id:=9", "archived_at:*"))["total_entries"] == 0
    for resource in (_VISITS, "attendees"):
        stars = ("archived_at:*", "cancelled_at:*", "deleted_at:*")
        assert (await read(client, resource, "patient_id:=9", *stars))["total_entries"] == 0


async def test_a_deleted_patient_with_a_trace_is_hidden_from_every_filter(clinic: Clinic, serve: Serve) -> None:
    """The lists never show a deleted patient, and show the deleted appointments only to filters that ask for them."""
    client = await serve(Emulator(clinic))
    clinic.delete("patients", "9", at=LATER)
    assert (await read(client, "patients", "id:=9", "archived_at:*"))["total_entries"] == 0
    assert (await read(client, _VISITS, "patient_id:=9"))["total_entries"] == 0
    assert (await read(client, _VISITS, "patient_id:=9", "archived_at:*"))["total_entries"] == 2


async def test_a_cancellation_has_a_reason(clinic: Clinic, serve: Serve) -> None:
    """A cancelled appointment shows why; once that is undone, nothing shows it."""
    client = await serve(Emulator(clinic))

    async def shown() -> tuple[object, object, object]:
        [row] = (await read(client, _VISITS, f"id:={_VISIT}", "cancelled_at:*"))[_VISITS]
        return row["cancellation_reason"], row["cancellation_reason_description"], row["cancellation_note"]

    clinic.cancel(_VISITS, _VISIT, reason=31)
    reason, description, note = await shown()
    assert (reason, description, bool(note)) == (31, "COVID-19 related", True)
    clinic.cancel(_VISITS, _VISIT)
    assert (await shown())[0] in CANCELLATION_REASONS
    clinic.uncancel(_VISITS, _VISIT)
    assert not any(await shown())


def test_a_restored_class_has_the_attendees_of_before(clinic: Clinic) -> None:
    """Attendees of a class that comes back, or is new, may be older than the class's own change."""
    clinic.unarchive("group_appointments", "514810976034600001", at=LATER)
    old = clinic.attendees.get(104)
    assert (old["updated_at"] or 0) < LATER.timestamp()
    added = clinic.insert_class(NOW, at=LATER)
    attendee = clinic.insert_attendee(added, "9", at=NOW - timedelta(days=1))
    assert clinic.attendees.get(int(attendee))["updated_at"] == int((NOW - timedelta(days=1)).timestamp())


def test_a_column_that_a_list_lacks_changes_nothing(clinic: Clinic) -> None:
    """A class has no patient, and an attempt to give it one leaves the row as it is."""
    before = all_rows(clinic)
    with pytest.raises(KeyError):
        clinic.move("group_appointments", _CLASS, patient_id="9")
    assert all_rows(clinic) == before


async def test_the_clock_of_the_clinic_stamps_rows_responses_and_requests(clinic: Clinic, serve: Serve) -> None:
    """A clock that stands still gives many changes the same time, and time passes only when a test says so."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    clinic.clock.stop_at(datetime(2030, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC))
    for number in range(3):
        clinic.insert_patient(patient_id=f"20{number}")
    clinic.clock.advance(timedelta(days=1))
    clinic.archive("patients", "9")
    response = await client.get(
        "/patients", params=[("q[]", "updated_at:>=2030-01-01T00:00:00Z"), ("q[]", "archived_at:*")]
    )
    stamps = {row["id"]: row["updated_at"] for row in response.json()["patients"]}
    assert stamps == {
        "9": "2030-01-03T03:04:05Z",
        **dict.fromkeys(("200", "201", "202"), "2030-01-02T03:04:05Z"),
    }
    assert response.headers["date"] == "Thu, 03 Jan 2030 03:04:05 GMT"
    assert emulator.requests[-1].time == datetime(2030, 1, 3, 3, 4, 5, 678_000, tzinfo=UTC)


def test_a_running_clock_can_be_ahead() -> None:
    """Without a test the clock is the machine's; advanced, it keeps running from there."""
    clinic = Clinic("Clock")
    now = datetime.now(UTC)
    assert abs(clinic.clock.now() - now) < timedelta(seconds=5)
    clinic.clock.advance(timedelta(days=40))
    assert abs(clinic.clock.now() - now - timedelta(days=40)) < timedelta(seconds=5)
    with pytest.raises(ValueError, match="time zone"):
        clinic.clock.stop_at(datetime(2030, 1, 1))  # noqa: DTZ001
