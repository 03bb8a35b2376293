"""Practitioners: two lists, one for those who work and one for those who left, and a key without the right to them."""

import pytest

from routiq_gql.emulator import EMULATED_API_KEY, Access, Clinic, Emulator, demo_clinic
from tests.emulator.conftest import NOW, Serve
from tests.emulator.test_lists import read

_ACTIVE, _INACTIVE = "/practitioners", "/practitioners/inactive"


async def test_practitioners_who_left_have_a_list_of_their_own(clinic: Clinic, serve: Serve) -> None:
    """Active and inactive practitioners are in separate lists, and a change of state moves a row."""
    client = await serve(Emulator(clinic))

    async def listed(path: str) -> list[str]:
        response = await client.get(path, params={"sort": "id"})
        assert response.json()["total_entries"] == len(response.json()["practitioners"])
        return [row["id"] for row in response.json()["practitioners"]]

    assert await listed(_ACTIVE) == ["3", "9007199254740995"]
    assert await listed(_INACTIVE) == ["514810976034700001"]
    clinic.archive("practitioners", "3", at=NOW)
    clinic.unarchive("practitioners", "514810976034700001", at=NOW)
    assert await listed(_ACTIVE) == ["9007199254740995", "514810976034700001"]
    assert await listed(_INACTIVE) == ["3"]


async def test_a_practitioner_has_the_documented_fields(clinic: Clinic, serve: Serve) -> None:
    """A row has the names, title, designation and label, which may be empty, and the times of its changes."""
    client = await serve(Emulator(clinic))
    added = clinic.insert_practitioner(first_name="Ada", last_name="Byron", title=None, designation="Physio", at=NOW)
    clinic.rename_practitioner(added, last_name="Lovelace", label="Ada L.", at=NOW)
    rows = {row["id"]: row for row in (await read(client, "practitioners", sort="id"))["practitioners"]}
    row = rows[added]
    assert (row["first_name"], row["last_name"], row["label"]) == ("Ada", "Lovelace", "Ada L.")
    assert (row["active"], row["updated_at"]) == (True, "2024-12-22T14:30:22Z")
    assert {"title", "designation", "created_at"} <= row.keys()
    nameless = rows["9007199254740995"]
    assert not nameless["first_name"]
    assert not nameless["last_name"]


async def test_pages_of_inactive_practitioners_link_to_their_own_list(serve: Serve) -> None:
    """The link to the next page stays in the list of inactive practitioners."""
    client = await serve(Emulator(demo_clinic(NOW)))
    first = (await client.get(_INACTIVE, params={"per_page": "1"})).json()
    assert "/practitioners/inactive?" in first["links"]["next"]
    second = (await client.get(first["links"]["next"])).json()
    assert "next" not in second["links"]
    assert {row["active"] for page in (first, second) for row in page["practitioners"]} == {False}


@pytest.mark.parametrize("path", [_ACTIVE, _INACTIVE])
async def test_a_key_may_lack_the_right_to_practitioners(clinic: Clinic, serve: Serve, path: str) -> None:
    """A role without the right to practitioners gets 403 for both lists, and reads all others."""
    keys = {EMULATED_API_KEY: Access(role="scheduler", forbidden=frozenset({"practitioners"}))}
    client = await serve(Emulator(clinic, api_keys=keys))
    assert (await client.get(path)).status_code == 403
    assert (await client.get("/individual_appointments")).status_code == 200
