"""The conditions of requests: the rows that the mirror holds, changed rows, and rows by id."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from routiq_gql.cliniko import (
    APPOINTMENT_TYPES,
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    PRACTITIONERS,
    RESOURCES,
    Horizon,
    Resource,
    booking_in,
    changed_since,
    content_filters,
    every_row,
    ids_between,
    ids_in,
    patient_in,
    unarchived_filters,
)

START = datetime(2024, 1, 1, tzinfo=UTC)
HORIZON = Horizon(START)
KEPT_CANCELLED = ["cancelled_at:*", "archived_at:!?", "deleted_at:!?"]


@pytest.mark.parametrize(
    ("resource", "filters"),
    [
        (PATIENTS, ["archived_at:*"]),
        (INDIVIDUAL_APPOINTMENTS, [*KEPT_CANCELLED, "starts_at:>=2024-01-01T00:00:00Z"]),
        (GROUP_APPOINTMENTS, ["archived_at:!?", "deleted_at:!?", "starts_at:>=2024-01-01T00:00:00Z"]),
        (ATTENDEES, KEPT_CANCELLED),
        (APPOINTMENT_TYPES, ["archived_at:*"]),
        (PRACTITIONERS, []),
    ],
    ids=lambda value: value.name if isinstance(value, Resource) else "",
)
def test_what_is_mirrored(resource: Resource[Any], filters: list[str]) -> None:
    """Archived patients and cancelled appointments are kept; archived and deleted appointments are not."""
    assert content_filters(resource, HORIZON) == filters


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_changes_bring_back_every_row_that_a_list_hides(resource: Resource[Any]) -> None:
    """A row that became hidden, or moved out of the horizon, is among the changes, as the mirror still holds it."""
    changed = changed_since(resource, START + timedelta(milliseconds=999))
    assert changed[-1] == "updated_at:>=2024-01-01T00:00:00Z"
    assert changed[:-1] == every_row(resource)
    named = {condition.partition(":")[0] for condition in content_filters(resource)}
    assert {condition.partition(":") for condition in every_row(resource)} == {(name, ":", "*") for name in named}


def test_the_second_total_of_patients_leaves_archived_ones_out() -> None:
    """A patient who is archived without a trace shows in the number of patients who are not archived."""
    assert unarchived_filters(PATIENTS) == ["archived_at:!?"]


def test_a_horizon_may_end() -> None:
    """A horizon includes both its ends, although Cliniko works in whole seconds."""
    end = datetime(2024, 2, 1, 10, 0, 0, 900_000, UTC)
    start = datetime(2024, 1, 1, 11, 0, 0, 900_000, UTC)
    assert content_filters(GROUP_APPOINTMENTS, Horizon(start, end))[2:] == [
        "starts_at:>=2024-01-01T11:00:00Z",
        "starts_at:<=2024-02-01T10:00:01Z",
    ]
    assert content_filters(GROUP_APPOINTMENTS) == ["archived_at:!?", "deleted_at:!?"]


@pytest.mark.parametrize("other", [None, datetime(2024, 1, 1)])  # noqa: DTZ001
def test_a_time_without_a_zone_is_refused(other: datetime | None) -> None:
    """A time without a zone is never sent to Cliniko, which would take it for UTC."""
    naive = datetime(2024, 1, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        Horizon(naive, other)
    with pytest.raises(ValueError, match="time zone"):
        Horizon(START, naive)
    with pytest.raises(ValueError, match="time zone"):
        changed_since(PATIENTS, naive)


def test_rows_by_id() -> None:
    """Many rows are named in a single condition. A condition without ids would match every row, so it is refused."""
    assert ids_in(["1", "2"]) == "id:=1,2"
    assert booking_in(["1", "2"]) == "booking_id:=1,2"
    assert patient_in(iter(["3"])) == "patient_id:=3"
    assert ids_between("1", "9") == ["id:>1", "id:<=9"]
    assert ids_between(None, "9") == ["id:<=9"]
    assert ids_between(None, None) == []
    for condition in (ids_in, booking_in, patient_in):
        for ids in ([], ["1,2"], [""]):
            with pytest.raises(ValueError, match="ids"):
                condition(ids)
    with pytest.raises(ValueError, match="ids"):
        ids_between("", None)
