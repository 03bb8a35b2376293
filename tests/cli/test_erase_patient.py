"""``routiq-gql erase-patient`` asks first, reports its work, and can be undone."""

import asyncio
import json
from itertools import product
from pathlib import Path

import pytest

from routiq_gql.cli.erase_patient import outcome_sentences
from routiq_gql.cli.plain_text import counted
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.patients.erasure import ErasedPerson
from tests.cli.conftest import Command
from tests.patients.clinics import ListedClinic
from tests.patients.small_clinic import PEOPLE

DATABASE = "sqlite+aiosqlite:///./routiq.db"


@pytest.fixture(autouse=True)
def clinic(folder: Path) -> None:
    """The database of the current folder, with a few patients of ``org_1``."""

    async def write() -> None:
        database = Database(DATABASE)
        try:
            await upgrade(database)
            await ListedClinic(database, "org_1").sync(PEOPLE, completed_at=utc_now())
        finally:
            await database.close()

    asyncio.run(write())


def listed(command: Command) -> set[str]:
    shown = command("patients", "org_1", "--list", "all", "--json")
    return {one["cliniko_id"] for one in json.loads(shown.out)}


def test_a_patient_is_erased_once_and_kept_out_until_that_is_undone(command: Command):
    """Each call reports its work, and a second erasure says that there was a first."""
    before = listed(command)
    assert "11" in before
    asked = command("erase-patient", "org_1", "11")
    assert (asked.code, listed(command)) == (2, before)
    assert "Add --yes" in asked.err
    erased = command("erase-patient", "org_1", "11", "--yes")
    assert erased.code == 0
    assert erased.out.startswith("Erased patient 11 of org_1, ")
    assert erased.out.endswith("bookings. Later syncs keep the patient out.\n")
    assert listed(command) == before - {"11"}
    again = command("erase-patient", "org_1", "11", "--yes")
    assert (again.code, again.out) == (
        0,
        "Patient 11 of org_1 was erased before, and is kept out of every sync.\n",
    )
    undone = command("erase-patient", "org_1", "11", "--undo")
    assert undone.code == 0
    assert "The next sync reads everything" in undone.out
    twice = command("erase-patient", "org_1", "11", "--undo")
    assert twice.code == 2
    assert "is not erased" in twice.err


@pytest.mark.parametrize("patient", ["404", "Zoë", "-3"])
def test_an_unknown_patient_is_a_sentence(command: Command, patient: str):
    """A wrong number changes nothing, and says where to find the right one."""
    before = listed(command)
    shown = command("erase-patient", "org_1", "--yes", "--", patient)
    assert shown.code == 2
    assert "patient" in shown.err
    assert "Traceback" not in shown.err
    assert listed(command) == before


def test_the_audit_log_names_no_patient(command: Command):
    """The operator sees when someone was erased, and never who."""
    command("erase-patient", "org_1", "11", "--yes")
    shown = command("audit", "--json")
    (entry,) = [one for one in json.loads(shown.out) if one["action"] == "erase_patient"]
    assert entry["organization_id"] == "org_1"
    assert "11" not in entry.values()


def test_each_outcome_is_said_whatever_the_others_are():
    """Bookings, merged patients, events and older states of files, after a first and after a repeated erasure."""
    numbers = (0, 1, 1_234)
    for bookings, events, merged, was_erased, is_gone in product(numbers, numbers, numbers, *[(False, True)] * 2):
        erased = ErasedPerson(bookings, events, merged, was_erased=was_erased, is_gone=is_gone)
        text = " ".join(outcome_sentences("org_1", "7", erased))
        assert ("was erased before" in text) is was_erased
        assert ("its files still hold an older state" in text) is (not is_gone)
        assert (counted(events, "event") in text) is bool(events)
        assert (counted(merged, "merged patient") in text) is bool(merged)
        says_bookings = bool(bookings or merged) or not was_erased
        assert (counted(bookings, "booking") in text) is says_bookings
