"""Searches in lists of patients: names and phone numbers are found as people write them, whatever Cliniko holds."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import update

from routiq_gql.clock import utc_now
from routiq_gql.database.tables import LISTING, SYNC
from routiq_gql.patients.folding import name_key, search_text, search_words
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.requests import PageRequest
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import SyncState
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import run_sync

NUMBERS = ("0412 345 678", "+61 412 345 678", "61412345678", "0061 412 345 678", "+61 (0)412-345-678", "412345678")
"""The same phone number as clinics and patients write it."""


def is_found(search: str, **texts: str | None) -> bool:
    names = ("first_name", "last_name", "preferred_first_name", "email", "phone")
    stored = search_text(**{name: texts.get(name) for name in names})
    return all(word in stored for word in search_words(search))


@pytest.mark.parametrize("stored", NUMBERS)
@pytest.mark.parametrize("search", NUMBERS)
def test_a_phone_number_is_found_with_and_without_its_country_code(search: str, stored: str):
    """A caller's number is shown as +61 412…, and the clinic has noted 0412…, or the other way round."""
    assert is_found(search, first_name="Ana", phone=stored)
    assert is_found(f"ana {search}", first_name="Ana", phone=stored)
    assert not is_found(search, first_name="Ana", phone="0412 345 679")


@pytest.mark.parametrize("search", ["+", "+6", "+61", "+614", "+6141", "04", "0412 345", "61"])
def test_the_beginning_of_a_number_finds_it(search: str):
    """While a number is typed, the patient stays on the list."""
    assert is_found(search, phone="+61 412 345 678", first_name="+")


@pytest.mark.parametrize(
    ("search", "name"),
    [
        ("lukasz", "Łukasz"), ("odegard", "Ødegård"), ("Ødegård", "Odegard"), ("muller", "MÜLLER"),
        ("o'neil", "O’Neil"), ("O’Neil", "O'Neil"), ("anne-marie", "Anne‑Marie"), ("aegir", "Ægir"), ("dinh", "Đinh"),
        ("isil", "Işıl"), ("strasse", "Straße"), ("שרה", "שרה"), ("50%", "50%"), ("a_b", "a_b"), ("\\", "\\"),
        ("😀", "😀"), ("ｍｕ", "mu"),
        ("obrien", "O’Brien"), ("o'brien", "OBrien"), ("o brien", "O'Brien"),
        ("smith jones", "Smith-Jones"), ("smith-jones", "Smith Jones"), ("smithjones", "Smith-Jones"),
        ("Smith-Jones", "smithjones"),
    ],
)  # fmt: skip
def test_a_name_is_found_without_its_accents_and_signs(search: str, name: str):
    """A receptionist types a name as the keyboard has it."""
    assert is_found(search, last_name=name)
    assert is_found(search.upper(), last_name=name)


def test_signs_of_patterns_stand_for_themselves():
    """A percent sign or an underscore in a search finds only these signs."""
    assert not any(is_found(sign, first_name="Ana", last_name="Bo") for sign in "%_*?\\'\"")


def test_names_sort_beside_those_without_accents():
    """Ødegård stands among the names with O, and a patient without a name comes last."""
    names = ["Zimmer", "Ødegård", "Novak", "Olsen", None]
    assert sorted(names, key=lambda one: name_key(None, one)) == ["Novak", "Ødegård", "Olsen", "Zimmer", None]


@pytest.mark.both_databases
async def test_a_sync_after_the_upgrade_makes_names_findable_without_their_signs(runtime: Runtime, cliniko: Cliniko):
    """Lists that an earlier version stored find O'Brien as before, and the next sync makes “obrien” find him too."""
    row_id = cliniko.emulator.clinic.insert_patient(first_name="Pat", last_name="O'Brien")

    async def found(search: str) -> bool:
        request = PageRequest(PatientList.ALL, search=search)
        page = await runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, request)
        return row_id in {str(one.key.cliniko_id) for one in page.patients}

    assert (await run_sync(runtime)).status is SyncState.COMPLETED
    async with runtime.database.writing() as connection:  # as version 2 of the rules stored it
        is_his = LISTING.c.id == int(row_id)
        await connection.execute(update(LISTING).where(is_his).values(search="pat o'brien"))
        await connection.execute(update(SYNC).values(rules=2))
    assert [await found(one) for one in ("o'brien", "O’Brien pat", "obrien")] == [True, True, False]
    assert (await run_sync(runtime)).status is SyncState.COMPLETED
    assert [await found(one) for one in ("o'brien", "O’Brien pat", "obrien")] == [True, True, True]


@pytest.mark.both_databases
async def test_names_of_any_length_and_script_are_stored_and_found(runtime: Runtime, cliniko: Cliniko):
    """One patient with an absurd name stops neither the sync nor the list of all patients."""
    pick = random.Random(1)
    letters = [chr(one) for one in (*range(0x4E00, 0x9FA5), *range(0x5D0, 0x5EA))]
    long = ["".join(pick.choices(letters, k=10_000)), "x" * 10_000]
    names = [*long, "=1+1", 'Bo "B" O\'Neil, Jr.\r\nNext', "\u202e\u200fשרה", "😀"]
    new = {cliniko.emulator.clinic.insert_patient(first_name=one, last_name=one, email=one): one for one in names}
    assert (await run_sync(runtime)).status is SyncState.COMPLETED
    seen: list[str] = []
    request = PageRequest(PatientList.ALL, first=3)
    while True:
        page = await runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, request)
        seen += [str(one.key.cliniko_id) for one in page.patients]
        if not page.has_next:
            break
        request = PageRequest(PatientList.ALL, first=3, after=page.cursors[-1])
    assert len(seen) == len(set(seen)) == page.total_count
    assert new.keys() <= set(seen)
    for row_id, name in new.items():
        search = PageRequest(PatientList.ALL, search=" ".join(name.split())[:20])
        found = await runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, search)
        assert row_id in {str(one.key.cliniko_id) for one in found.patients}


@pytest.mark.both_databases
@pytest.mark.parametrize("are_ahead", [True, False])
async def test_the_practitioners_filter_agrees_with_the_appointment_that_is_shown(
    runtime: Runtime, cliniko: Cliniko, are_ahead: bool
):
    """Of two classes at the same time, the list is filtered by the practitioner whom it shows."""
    clinic = cliniko.emulator.clinic
    moment = utc_now() + timedelta(days=2 if are_ahead else -2)
    patient = clinic.insert_patient(first_name="Nia", last_name="Li")
    people = [clinic.insert_practitioner(first_name=name) for name in ("Ada", "Bea")]
    classes = [clinic.insert_class(moment, practitioner_id=one) for one in people]
    for one in reversed(classes):
        clinic.insert_attendee(one, patient)
    assert (await run_sync(runtime)).status is SyncState.COMPLETED
    shown = []
    for one in people:
        request = PageRequest(PatientList.ALL, search="nia li", practitioner_id=one)
        for found in (await runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, request)).patients:
            appointment = found.next_appointment if are_ahead else found.last_appointment
            assert appointment is not None
            assert appointment.practitioner is not None
            shown.append((one, appointment.practitioner.id))
    assert len(shown) == 1
    assert shown[0][0] == shown[0][1]
