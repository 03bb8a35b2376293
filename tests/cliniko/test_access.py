"""What a key may do."""

from datetime import UTC, datetime, timedelta

import pytest

from routiq_gql.cliniko import KeyLacksPermission, KeyRefused, check_access
from routiq_gql.emulator import EMULATED_API_KEY, Access, Emulator, EmulatorServer, Fault
from tests.cliniko.conftest import ROWS, MakeClient, clinic_of

START = datetime.now(UTC) - timedelta(days=30)
END = datetime.now(UTC) + timedelta(days=30)


async def test_a_good_key_tells_whose_it_is_and_how_much_there_is(make_client: MakeClient) -> None:
    """Connecting shows the clinic's name and how many rows a sync will read, for seven requests of one row."""
    emulator = Emulator(clinic_of(ROWS))
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        access = await check_access(client, START, END)
    assert (access.account_name, access.subdomain, access.role) == (
        "Harbour Street Physio",
        "emulated",
        "administrator",
    )
    assert (access.user_name, access.time_zone) == ("Robin Harbour", "Sydney")
    assert dict(access.totals) == {
        "patients": ROWS,
        "individual_appointments": ROWS,
        "group_appointments": ROWS,
        "attendees": ROWS,
        "appointment_types": ROWS,
    }
    assert len(emulator.requests) == 7


async def test_a_list_that_the_key_may_not_read_is_named(make_client: MakeClient) -> None:
    """A receptionist's key may read patients but not classes; the clinic is told which list is missing."""
    keys = {EMULATED_API_KEY: Access(role="receptionist", forbidden=frozenset({"attendees"}))}
    async with EmulatorServer(Emulator(clinic_of(1), api_keys=keys)) as server, make_client(server.base_url) as client:
        with pytest.raises(KeyLacksPermission, match="attendees of group appointments"):
            await check_access(client, START, END)


async def test_a_wrong_key_is_refused(make_client: MakeClient) -> None:
    """A mistyped key is told as such."""
    async with (
        EmulatorServer(Emulator(clinic_of(1))) as server,
        make_client(server.base_url, api_key="MS0x-au1") as client,
    ):
        with pytest.raises(KeyRefused):
            await check_access(client, START, END)


async def test_a_key_that_may_not_see_the_account_still_works(make_client: MakeClient) -> None:
    """The account's name is nice to have; a sync reads lists only."""
    emulator = Emulator(clinic_of(2))
    emulator.faults.add(Fault("status_403", resource="settings"), Fault("status_403", resource="user"))
    async with EmulatorServer(emulator) as server, make_client(server.base_url) as client:
        access = await check_access(client, START, END)
    assert (access.account_name, access.role) == (None, None)
    assert access.totals["patients"] == 2
