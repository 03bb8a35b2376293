"""Global ids, cursors and time zones: each has a single form, and any other text is refused."""

import base64
import os
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from routiq_gql.database.keys import KeyStore
from routiq_gql.errors import BadInput
from routiq_gql.patients.change_keys import ChangeKey
from routiq_gql.patients.cursors import Place, cursor_of, digests_of, read_cursor
from routiq_gql.patients.keys import PatientKey
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import PatientSort
from routiq_gql.patients.requests import PageRequest
from routiq_gql.time_zones import name_of, zone_of
from tests.cursor_keys import CURSOR_KEYS

SYNC = "sync_org_1_20260701_093015"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (PatientKey("org_1", 7), "patient:org_1:7"),
        (PatientKey("org_1", 2**63 - 1, SYNC), f"asof:{SYNC}:patient:org_1:{2**63 - 1}"),
    ],
)
def test_the_id_of_a_patient_has_one_form(key: PatientKey, text: str):
    """A patient's id names the organization, the patient, and the sync of an earlier state."""
    assert key.text == text
    assert PatientKey.parse(text) == key


@pytest.mark.parametrize(
    "text",
    ["", "patient:org_1:07", "patient:org_1:0", "patient:org_1:-1", f"patient:org_1:{2**63}", "patient::7",
     "patient:org_1:7 ", "patient:org_1:7\n", "Patient:org_1:7", "patient:org 1:7", "asof::patient:org_1:7",
     "asof:x:patient:org_1:7", "patient:org_1:٧", f"asof:{SYNC}:patient:org_1:7:8"],
)  # fmt: skip
def test_other_texts_are_no_ids_of_patients(text: str):
    """A text that was not returned as an id names nobody."""
    assert PatientKey.parse(text) is None


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (ChangeKey(SYNC, 7), f"change:{SYNC}:7"),
        (ChangeKey(SYNC, 2**63 - 1, f"{SYNC}_2"), f"change:{SYNC}:since:{SYNC}_2:{2**63 - 1}"),
    ],
)
def test_the_id_of_a_change_has_one_form(key: ChangeKey, text: str):
    """A change's id names the sync, the patient, and the earlier sync of a difference."""
    assert key.text == text
    assert ChangeKey.parse(text) == key


@pytest.mark.parametrize(
    "text",
    ["", f"change:{SYNC}:07", f"change:{SYNC}:0", f"change:{SYNC}:{2**63}", f"change:{SYNC}:since:7", "change:x:7",
     f"change:{SYNC}:{SYNC}:7", f"change:{SYNC}:since:x:7", f"change:{SYNC}:7\n", f"{SYNC}:7", f"change:{SYNC}:٧"],
)  # fmt: skip
def test_other_texts_are_no_ids_of_changes(text: str):
    """A text that was not returned as an id names no change."""
    assert ChangeKey.parse(text) is None


REQUEST = PageRequest(list=PatientList.LAPSED, search="Müller", practitioner_id="501")
DIGESTS = digests_of(CURSOR_KEYS, "org_1", REQUEST, ("muller",))


def test_a_cursor_holds_numbers_only():
    """A cursor leads to its place, and holds no name and no searched text."""
    cursor = cursor_of(Place(12, 34), DIGESTS)
    assert read_cursor("after", cursor, DIGESTS) == Place(12, 34)
    content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    assert content == f"patients:12:34:{DIGESTS[0]}"


@pytest.mark.parametrize(
    ("organization_id", "request_", "words"),
    [
        ("org_2", REQUEST, ("muller",)),
        ("org_1", PageRequest(list=PatientList.ALL, practitioner_id="501"), ("muller",)),
        ("org_1", PageRequest(list=PatientList.LAPSED, practitioner_id="502"), ("muller",)),
        ("org_1", PageRequest(list=PatientList.LAPSED, practitioner_id="501", sort=PatientSort.NAME_DESC), ("muller",)),
        ("org_1", REQUEST, ("muller", "a")),
        ("org_1", REQUEST, ()),
    ],
)
def test_a_cursor_of_another_list_is_refused(organization_id: str, request_: PageRequest, words: tuple[str, ...]):
    """A cursor continues the list that it came from, and no other."""
    other = digests_of(CURSOR_KEYS, organization_id, request_, words)
    assert other != DIGESTS
    with pytest.raises(BadInput, match="“after” is not a cursor of this list"):
        read_cursor("after", cursor_of(Place(12, 34), DIGESTS), other)


def test_the_search_in_a_cursor_can_not_be_guessed_and_keys_can_be_rotated():
    """Without the key nobody can try searches, and a cursor continues after a new key was put before the old one."""
    new = base64.b64encode(os.urandom(32)).decode()
    others = digests_of(KeyStore(f"new:{new}", None), "org_1", REQUEST, ("muller",))
    assert not set(others) & set(DIGESTS)
    with pytest.raises(BadInput):
        read_cursor("after", cursor_of(Place(12, 34), DIGESTS), others)
    old = next(iter(CURSOR_KEYS.load().keys.values()))
    both = KeyStore(f"new:{new},test:{base64.b64encode(old).decode()}", None)
    assert read_cursor(
        "after", cursor_of(Place(12, 34), DIGESTS), digests_of(both, "org_1", REQUEST, ("muller",))
    ) == Place(12, 34)


@pytest.mark.parametrize("change", [lambda one: one[:-1], lambda one: one + "A", lambda one: f" {one}", lambda _: "",
                                    lambda _: "é", lambda _: "A" * 5_000, lambda one: one + "="])  # fmt: skip
def test_a_changed_cursor_is_refused(change):
    """Whatever is not the text of a cursor is refused before anything is read."""
    with pytest.raises(BadInput):
        read_cursor("before", change(cursor_of(Place(12, 34), DIGESTS)), DIGESTS)


def test_places_beyond_the_largest_number_are_refused():
    """A number that no database stores never reaches one."""
    for place in (Place(2**63, 1), Place(1, 2**63)):
        with pytest.raises(BadInput):
            read_cursor("after", cursor_of(place, DIGESTS), DIGESTS)


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Australia/Sydney", "Australia/Sydney"),
        ("Sydney", "Australia/Sydney"),
        ("Eastern Time (US & Canada)", "America/New_York"),
        ("Wellington", "Pacific/Auckland"),
        ("Buenos Aires", "America/Buenos_Aires"),
    ],
)
def test_a_time_zone_is_found_by_name_or_label(name: str, zone: str):
    """Cliniko names a time zone as the IANA database does, or by the label of its setting."""
    expected = ZoneInfo(zone)
    found = zone_of(name)
    assert found.key.rpartition("/")[2] == expected.key.rpartition("/")[2]


@pytest.mark.parametrize("name", [None, "", "Nowhere", "../etc", "Europe", "a\0b", "x" * 300])
def test_without_a_known_time_zone_it_is_utc(name: str | None):
    """An unknown name is no error: dates are then those of UTC."""
    assert name_of(zone_of(name)) == "UTC"
    assert zone_of(name) is UTC
