"""Reading rows by the ids that they have or point to."""

import random
from contextlib import aclosing
from typing import Any

import pytest

from routiq_gql.cliniko import (
    ATTENDEES,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    ClinikoClient,
    QueryRefused,
    QueryTooSlow,
    booking_in,
    every_row,
    ids_in,
    patient_in,
    read_matching,
)
from routiq_gql.emulator import Clinic, Emulator, EmulatorServer, Fault
from tests.cliniko.conftest import ROWS, MakeClient
from tests.cliniko.raw_server import RawServer, http
from tests.cliniko.reading import listed_ids, sent_conditions


async def match(client: ClinikoClient, resource: Any, condition: Any, ids: list[str], **options: Any) -> dict[str, Any]:
    """The rows by id. Each page must belong to a part of the ids, and the parts to all ids."""
    found: dict[str, Any] = {}
    parts = []
    async with aclosing(read_matching(client, resource, condition, ids, **options)) as pages:
        async for part, page in pages:
            if not parts or parts[-1] != part:
                parts.append(part)
            found |= {record.id: record for record in page.records}
    assert [row_id for part in parts for row_id in part] == ids
    return found


async def test_two_hundred_rows_take_three_requests(emulator: Emulator, client: ClinikoClient) -> None:
    """Rows are asked for by id in large parts: 200 rows are two pages, and 50 are another."""
    ids = sorted(listed_ids(emulator.clinic, "patients"), key=int)
    assert set(await match(client, PATIENTS, ids_in, ids)) == set(ids)
    assert len(emulator.requests) == 3
    emulator.requests.clear()
    assert set(await match(client, PATIENTS, ids_in, [*ids[:99], "5"], most_ids=100)) == set(ids[:99])
    assert len(emulator.requests) == 1


async def test_hidden_rows_are_found_by_id(emulator: Emulator, client: ClinikoClient) -> None:
    """An appointment that was cancelled and archived is found, so its copy ends with the right reason."""
    chosen = str(10**16 + 7)
    emulator.clinic.archive("individual_appointments", chosen)
    assert await match(client, INDIVIDUAL_APPOINTMENTS, ids_in, [chosen]) == {}
    found = await match(client, INDIVIDUAL_APPOINTMENTS, ids_in, [chosen], filters=every_row(INDIVIDUAL_APPOINTMENTS))
    assert found[chosen].archived_at is not None


async def test_rows_of_classes_and_patients(emulator: Emulator, client: ClinikoClient) -> None:
    """The attendees of a class fill three pages here, and those of the others none."""
    classes = [str(10**17 + number) for number in range(1, ROWS + 1)]
    assert len(await match(client, ATTENDEES, booking_in, classes)) == ROWS
    assert len(emulator.requests) == 4
    patient = str(10**15 + 9)
    assert set(await match(client, INDIVIDUAL_APPOINTMENTS, patient_in, [patient])) == {str(10**16 + 3)}


def _most_ids(most: int, status: int, ids: list[str]) -> Any:
    def reply(_number: int, head: str) -> bytes:
        asked = head.split()[1].partition("id%3A%3D")[2].partition("&")[0].split("%2C")
        if len(asked) > most:
            return http(status)
        rows = [{"id": row_id} for row_id in asked if row_id in ids]
        return http(200, {"patients": rows, "total_entries": len(rows), "links": {}})

    return reply


@pytest.mark.parametrize(("status", "refused"), [(400, 3), (414, 3), (422, 3), (504, 2 * 2)])
async def test_ids_are_halved_until_cliniko_takes_them(make_client: MakeClient, status: int, refused: int) -> None:
    """An address that is too long, or a query that is too slow, is repeated with half of the ids. Later ones fit."""
    ids = [str(10**17 + number) for number in range(400)]
    async with RawServer(_most_ids(60, status, ids)) as server, make_client(server.base_url) as client:
        assert set(await match(client, PATIENTS, ids_in, ids)) == set(ids)
    assert len(server.heads) == refused + 8


@pytest.mark.parametrize(("status", "error", "requests"), [(400, QueryRefused, 9), (504, QueryTooSlow, 40)])
async def test_a_single_id_that_is_refused_is_an_error(
    make_client: MakeClient, status: int, error: type[Exception], requests: int
) -> None:
    """A list that can't be asked by id ends the reading after a limited number of requests."""
    ids = [str(number) for number in range(200)]
    async with RawServer(_most_ids(0, status, ids)) as server, make_client(server.base_url) as client:
        with pytest.raises(error):
            await match(client, PATIENTS, ids_in, ids)
    assert len(server.heads) == requests


@pytest.mark.parametrize("kind", ["refuse_sort", "sort_times_out", "refuse_id_filter", "short_page", "repeat_row"])
async def test_a_list_that_refuses_the_order_is_read_all_the_same(
    kind: str, emulator: Emulator, client: ClinikoClient
) -> None:
    """Rows by class are complete even if Cliniko refuses the order by id, or sends a bad answer."""
    classes = [str(10**17 + number) for number in range(1, 11)]
    emulator.faults.add(Fault(kind, times=None if "refuse" in kind or "sort" in kind else 1, rows=40, seconds=0.01))
    assert len(await match(client, ATTENDEES, booking_in, classes)) == ROWS
    assert all(conditions[0].startswith("booking_id") for conditions in sent_conditions(emulator.requests, "attendees"))


@pytest.mark.parametrize("seed", range(5))
async def test_a_row_that_stays_is_found_while_others_change(seed: int, make_client: MakeClient) -> None:
    """While attendees leave and join between pages, no remaining attendee is missed."""
    chance = random.Random(seed)
    clinic = Clinic("Harbour Street Physio")
    clinic.insert_patient(patient_id="5")
    for number in range(ROWS):
        clinic.insert_attendee(str(100 + number % 20), "5", attendee_id=str(1000 + number))
    emulator = Emulator(clinic)
    stayed = listed_ids(clinic, "attendees")

    def churn(_request: object) -> None:
        gone = chance.choice(sorted(stayed))
        clinic.remove("attendees", gone)
        stayed.discard(gone)
        clinic.insert_attendee(str(100 + chance.randrange(20)), "5")

    emulator.after_request = churn
    async with EmulatorServer(emulator) as server, make_client(server.base_url, max_attempts=6) as client:
        found = await match(client, ATTENDEES, booking_in, [str(100 + number) for number in range(20)])
    assert stayed - set(found) <= {row_id for row_id in stayed if int(row_id) > 2000}
