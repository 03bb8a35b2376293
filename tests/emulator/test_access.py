"""Access: keys, permissions, the User-Agent, and the number of requests per minute."""

from email.utils import parsedate_to_datetime

import httpx
import pytest

from routiq_gql.emulator import EMULATED_API_KEY, Access, Clinic, Emulator, EmulatorServer
from tests.emulator.conftest import Serve

_SHARDLESS = EMULATED_API_KEY.removesuffix("-au1")


async def test_a_key_opens_with_and_without_its_shard(clinic: Clinic, serve: Serve) -> None:
    """A key works with and without its shard, which only names the region of the account."""
    client = await serve(Emulator(clinic))
    for key in (EMULATED_API_KEY, _SHARDLESS):
        assert (await client.get("/user", auth=(key, ""))).status_code == 200


@pytest.mark.parametrize(
    "auth", [("wrong-au1", ""), (EMULATED_API_KEY, "password"), ("", EMULATED_API_KEY), (_SHARDLESS[:-1], "")]
)
async def test_other_keys_are_refused(clinic: Clinic, serve: Serve, auth: tuple[str, str]) -> None:
    """A wrong key, a truncated key, and a key with a password get 401."""
    client = await serve(Emulator(clinic))
    response = await client.get("/patients", auth=auth)
    assert response.status_code == 401
    assert "patients" not in response.json()


@pytest.mark.parametrize("header", ["", "Bearer abc", "Basic", "Basic !!!", "Basic //8="])
async def test_headers_that_are_no_key_are_refused(clinic: Clinic, header: str) -> None:
    """A malformed header gets 401 and causes no error."""
    async with EmulatorServer(Emulator(clinic)) as server, httpx.AsyncClient() as client:
        headers = {"User-Agent": "Routiq (ops@example.com)", **({"Authorization": header} if header else {})}
        assert (await client.get(f"{server.base_url}/patients", headers=headers)).status_code == 401


@pytest.mark.parametrize("agent", ["python-httpx/0.28", "Routiq", "(ops@example.com)", "Routiq (ops)", "Routiq ()"])
async def test_a_user_agent_without_a_contact_is_refused(clinic: Clinic, serve: Serve, agent: str) -> None:
    """A request without a contact in its User-Agent is blocked, as Cliniko may do."""
    client = await serve(Emulator(clinic))
    response = await client.get("/patients", headers={"User-Agent": agent})
    assert response.status_code == 400
    assert "User-Agent" in response.json()["message"]


async def test_settings_and_user_identify_the_key(clinic: Clinic, serve: Serve) -> None:
    """Any key can read the account's name and the role of its user."""
    client = await serve(Emulator(clinic, api_keys={EMULATED_API_KEY: Access(role="receptionist")}))
    account = (await client.get("/settings/public")).json()["account"]
    assert account["name"] == "Awkward & Söhne <Physio>"
    assert account["subdomain"] == "awkward"
    user = (await client.get("/user")).json()
    assert (user["role"], user["time_zone"], user["time_zone_identifier"]) == (
        "receptionist",
        "Perth",
        "Australia/Perth",
    )


async def test_a_key_has_the_rights_of_its_user(clinic: Clinic, serve: Serve) -> None:
    """A list that the role excludes gets 403, although the other lists work."""
    keys = {EMULATED_API_KEY: Access(role="scheduler", forbidden=frozenset({"attendees"})), "other-uk1": Access()}
    client = await serve(Emulator(clinic, api_keys=keys))
    assert (await client.get("/patients")).status_code == 200
    assert (await client.get("/attendees")).status_code == 403
    assert (await client.get("/attendees", auth=("other-uk1", ""))).status_code == 200


async def test_too_many_requests_wait_for_the_reset(clinic: Clinic, serve: Serve) -> None:
    """Beyond the limit the response is 429, with the time of the reset in whole seconds of UNIX time."""
    keys = {EMULATED_API_KEY: Access(user_id="1"), "other-uk1": Access(user_id="2")}
    client = await serve(Emulator(clinic, api_keys=keys, requests_per_minute=2))
    assert [(await client.get("/user")).status_code for _ in range(4)] == [200, 200, 429, 429]
    refused = await client.get("/user")
    date = parsedate_to_datetime(refused.headers["date"]).timestamp()
    assert 0 < int(refused.headers["x-ratelimit-reset"]) - date <= 61
    assert "retry-after" not in refused.headers
    assert (await client.get("/user", auth=("other-uk1", ""))).status_code == 200


async def test_the_record_of_requests_holds_no_key(clinic: Clinic, serve: Serve) -> None:
    """The record of requests has their paths and parameters but no keys."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    await client.get("/patients", params=[("q[]", "id:>9"), ("q[]", "archived_at:*"), ("sort", "id")])
    await client.get("/patients", auth=("wrong", ""))
    [first, second] = emulator.requests
    assert (first.method, first.path, first.resource, first.status) == ("GET", "/v1/patients", "patients", 200)
    assert first.values("q[]") == ["id:>9", "archived_at:*"]
    assert second.status == 401
    assert _SHARDLESS not in repr(emulator.requests)
