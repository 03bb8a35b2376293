"""The check of a key's rights."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from routiq_gql.cliniko import (
    Backoff,
    Horizon,
    KeyLacksPermission,
    KeyRefused,
    ServerBlocked,
    check_access,
    check_user,
    content_filters,
)
from routiq_gql.cliniko.errors import PaymentRequired
from routiq_gql.cliniko.resources import RESOURCES
from routiq_gql.emulator import EMULATED_API_KEY, Access, Emulator, EmulatorServer, Fault
from tests.cliniko.conftest import FAST, ROWS, MakeClient, NotedWaits, clinic_of
from tests.cliniko.raw_server import RawServer, http

HORIZON = Horizon(datetime.now(UTC) - timedelta(days=30))


async def test_a_good_key_shows_its_account_and_the_number_of_rows(make_client: MakeClient) -> None:
    """Connecting shows the clinic's name and how many rows a sync will read, after eight requests for a row each."""
    emulator = Emulator(clinic_of(ROWS))
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        access = await check_access(client, HORIZON)
    assert (access.account_name, access.subdomain, access.role) == (
        "Harbour Street Physio",
        "emulated",
        "administrator",
    )
    assert (access.user_name, access.time_zone) == ("Robin Harbour", "Australia/Sydney")
    assert dict(access.totals) == {
        "patients": ROWS,
        "individual_appointments": ROWS,
        "group_appointments": ROWS,
        "appointment_types": ROWS,
        "practitioners": ROWS,
    }
    assert len(emulator.requests) == 8


async def test_lists_are_tried_as_they_are_read(make_client: MakeClient) -> None:
    """The check of a key requests each list with the filters of a sync, as unfiltered attendees would take too long."""
    emulator = Emulator(clinic_of(1))
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        await check_access(client, HORIZON)
    filters = {request.resource: request.values("q[]") for request in emulator.requests}
    assert [one.partition(":")[0] for one in filters["attendees"]] == ["booking_id"]
    for resource in RESOURCES:
        if resource.name != "attendees":
            assert filters[resource.name] == content_filters(resource, HORIZON)
    lists = [request for request in emulator.requests if request.values("per_page")]
    assert [request.values("per_page") for request in lists] == [["1"]] * len(RESOURCES)


async def test_a_key_that_may_not_read_practitioners_is_good(make_client: MakeClient) -> None:
    """Names of practitioners are extra: a key without the right to them connects."""
    emulator = Emulator(clinic_of(1))
    emulator.faults.add(Fault("status_403", resource="practitioners", times=None))
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        access = await check_access(client, HORIZON)
    assert "practitioners" not in access.totals
    assert access.totals["patients"] == 1
    assert len(emulator.requests) == 8


async def test_whose_key_it_is_takes_one_request(make_client: MakeClient) -> None:
    """A sync of changes asks only whose key it is; its reads show whether the key may read every list."""
    emulator = Emulator(clinic_of(1))
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        user = await check_user(client)
    assert (user.user_name, user.role, user.time_zone) == ("Robin Harbour", "administrator", "Australia/Sydney")
    assert "Robin" not in repr(user)
    assert len(emulator.requests) == 1
    async with EmulatorServer(emulator) as server, make_client(server.base_url, api_key="MS0x-au1") as client:
        with pytest.raises(KeyRefused):
            await check_user(client)


@pytest.mark.parametrize("kind", ["wrong_shape_row", "row_without_start", "bare_row", "odd_row"])
async def test_an_odd_row_keeps_no_clinic_from_connecting(kind: str, make_client: MakeClient) -> None:
    """A key works even if the first row of a list is unreadable."""
    emulator = Emulator(clinic_of(3))
    emulator.faults.add(Fault(kind, times=None, rows=3))
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        access = await check_access(client, HORIZON)
    assert set(access.totals.values()) == {3}


@pytest.mark.parametrize("resource", ["settings", "user", "patients", "attendees"])
async def test_a_single_403_is_no_refusal(make_client: MakeClient, resource: str) -> None:
    """Cliniko sometimes denies a good key once; a retry succeeds. Each wait is announced."""
    emulator = Emulator(clinic_of(2))
    emulator.faults.add(Fault("status_403", resource=resource, times=2))
    told = NotedWaits()
    slower = Backoff(base_seconds=1.4)
    async with (
        EmulatorServer(emulator) as server,
        make_client(server.base_url, backoff=slower if resource == "patients" else FAST, on_wait=told) as client,
    ):
        access = await check_access(client, HORIZON)
    assert access.account_name == "Harbour Street Physio"
    assert access.role == "administrator"
    if resource == "patients":
        message = told.begun.get_nowait().message
        assert message.startswith("Cliniko denied access to the list of patients, trying again in ")
        assert message.endswith("(attempt 2 of 3)")


async def test_403_for_everything_is_a_block_of_this_server(make_client: MakeClient) -> None:
    """If Cliniko denies even data that any key may read, the failure does not blame the user's role."""
    emulator = Emulator(clinic_of(2))
    emulator.faults.add(Fault("status_403", times=None))
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        with pytest.raises(ServerBlocked, match="blocks this server") as caught:
            await check_access(client, HORIZON)
    assert caught.value.code == "CLINIKO_UNREACHABLE"
    assert "role of the key's user is not the reason" in caught.value.what_to_do
    assert len(emulator.requests) == 7


@pytest.mark.parametrize(
    ("user", "time_zone"),
    [
        ({"time_zone": "Perth", "time_zone_identifier": "Australia/Perth"}, "Australia/Perth"),
        ({"time_zone": "Perth", "time_zone_identifier": ""}, "Perth"),
        ({"time_zone": "Perth"}, "Perth"),
        ({"time_zone": None, "role": None}, None),
    ],
)
async def test_the_time_zone_is_the_users(make_client: MakeClient, user: dict[str, Any], time_zone: str | None) -> None:
    """The time zone comes from the user, since the account has none any more and may be missing."""

    def reply(_number: int, head: str) -> bytes:
        path = head.split()[1]
        if path.startswith("/v1/user"):
            return http(200, user)
        name = path.removeprefix("/v1/").partition("?")[0]
        return http(200, {"account": None, name: [], "total_entries": 0})

    async with RawServer(reply) as server, make_client(server.base_url) as client:
        access = await check_access(client, HORIZON)
    assert (access.time_zone, access.account_name, access.role) == (time_zone, None, None)


async def test_a_list_that_the_key_may_not_read_is_named(make_client: MakeClient) -> None:
    """A receptionist's key may read patients but not classes; the error names the missing list."""
    keys = {EMULATED_API_KEY: Access(role="receptionist", forbidden=frozenset({"attendees"}))}
    async with EmulatorServer(Emulator(clinic_of(1), api_keys=keys)) as server, make_client(server.base_url) as client:
        with pytest.raises(KeyLacksPermission, match="attendees of group appointments"):
            await check_access(client, HORIZON)


async def test_a_wrong_key_is_refused(make_client: MakeClient) -> None:
    """A mistyped key is reported as refused."""
    async with (
        EmulatorServer(Emulator(clinic_of(1))) as server,
        make_client(server.base_url, api_key="MS0x-au1") as client,
    ):
        with pytest.raises(KeyRefused):
            await check_access(client, HORIZON)


async def test_a_key_that_may_not_see_the_account_still_works(make_client: MakeClient) -> None:
    """A key that can't read the account's name still works, as a sync needs only the lists."""
    emulator = Emulator(clinic_of(2))
    emulator.faults.add(*(Fault("status_403", resource=one, times=None) for one in ("settings", "user")))
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        access = await check_access(client, HORIZON)
    assert (access.account_name, access.role) == (None, None)
    assert access.totals["patients"] == 2


@pytest.mark.parametrize("resource", ["settings", "user"])
async def test_an_unpaid_subscription_is_named(make_client: MakeClient, resource: str) -> None:
    """A clinic that has to pay reads so, and its key does not count as the key of an unknown person."""
    emulator = Emulator(clinic_of(2))
    emulator.faults.add(Fault("status_402", resource=resource, times=None))
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        with pytest.raises(PaymentRequired):
            await check_access(client, HORIZON)
