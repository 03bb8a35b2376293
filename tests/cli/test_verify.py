"""``routiq-gql verify``: every stored row is compared with Cliniko, and each difference is named."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from routiq_gql.emulator import EMULATED_API_KEY, Clinic, Emulator, EmulatorServer, Fault
from tests.cli.programs import run_program

ORGANIZATION = "org_harbour"
UNPACED = {"ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE": "0", "ROUTIQ_CLINIKO_RETRY_SECONDS": "0.01"}
PATIENTS = 150


def small_clinic() -> Clinic:
    """150 patients with an appointment each, 120 classes with two attendees each; nothing was changed recently."""
    clinic = Clinic("Harbour Street Physio")
    now = datetime.now(UTC)
    created = now - timedelta(days=90)
    clinic.insert_type("Pilates", type_id="7", at=created)
    clinic.insert_practitioner(practitioner_id="8", at=created)
    for number in range(PATIENTS):
        clinic.insert_patient(patient_id=str(1000 + number), at=created)
        starts = now + timedelta(days=number % 60 - 40)
        clinic.insert_appointment(str(1000 + number), starts, appointment_id=str(2000 + number), at=created)
    for number in range(120):
        clinic.insert_class(now + timedelta(days=number % 50 - 20), class_id=str(3000 + number), at=created)
        for place in range(2):
            attendee_id = str(4000 + 2 * number + place)
            clinic.insert_attendee(str(3000 + number), str(1000 + place), attendee_id=attendee_id, at=created)
    return clinic


@pytest.fixture
async def cliniko() -> AsyncIterator[EmulatorServer]:
    async with EmulatorServer(Emulator(small_clinic())) as server:
        yield server


async def _run(*arguments: str, folder: Path, stdin: str | None = None) -> tuple[int, str, str]:
    return await asyncio.to_thread(run_program, *arguments, folder=folder, settings=UNPACED, stdin=stdin)


async def _connect(folder: Path, cliniko: EmulatorServer) -> None:
    connect = ("connect", ORGANIZATION, "--base-url", cliniko.base_url)
    assert (await _run(*connect, folder=folder, stdin=EMULATED_API_KEY + "\n"))[0] == 0


async def _synced(folder: Path, cliniko: EmulatorServer) -> None:
    await _connect(folder, cliniko)
    assert (await _run("sync", ORGANIZATION, folder=folder))[0] == 0


@pytest.mark.parametrize("refuses_order", [False, True])
async def test_equal_rows_exit_with_0(folder: Path, cliniko: EmulatorServer, refuses_order: bool) -> None:
    """After a sync every row is equal, however Cliniko's lists have to be read. Nothing is written."""
    await _synced(folder, cliniko)
    if refuses_order:
        cliniko.emulator.faults.add(Fault("refuse_sort", times=None))
    before = (await _run("history", ORGANIZATION, "--json", folder=folder))[1]
    code, out, err = await _run("verify", ORGANIZATION, folder=folder)
    assert code == 0, out + err
    assert out.startswith("Every stored row is equal to Cliniko's; ")
    assert "Compared 150 patients" in err
    assert "Compared 120 classes with attendees" in err
    assert (await _run("history", ORGANIZATION, "--json", folder=folder))[1] == before


async def test_each_difference_is_named_without_its_values(folder: Path, cliniko: EmulatorServer) -> None:
    """A changed, a missing and a vanished row are named with list, id and fields; no personal value is printed."""
    await _synced(folder, cliniko)
    clinic = cliniko.emulator.clinic
    old = datetime.now(UTC) - timedelta(days=30)
    clinic.rename("1003", touch=False, first_name="Zofia", email="zofia@example.com")
    clinic.cancel("individual_appointments", "2077", touch=False)
    clinic.remove("patients", "1149")
    clinic.move("attendees", "4010", class_id="3100", touch=False)
    clinic.insert_class(old, class_id="3500", at=old)
    clinic.insert_attendee("3500", "1000", attendee_id="4500", at=old)
    clinic.archive("group_appointments", "3050", touch=False)
    clinic.rename_type("7", "Yoga")
    code, out, err = await _run("verify", ORGANIZATION, folder=folder)
    lines = out.splitlines()
    assert code == 1, err
    assert lines[:-1] == [
        "patients 1003 different: first_name, email",
        "patients 1149 only in the mirror",
        "individual_appointments 2077 different: cancelled_at, cancellation_reason",
        "group_appointments 3050 only in the mirror",
        "group_appointments 3500 only in Cliniko",
        *["attendees 4010 different: booking_id", "attendees 4500 only in Cliniko"],
        "appointment_types 7 different: name (changed since the last sync)",
    ]
    assert lines[-1].startswith("8 differences: 2 in patients, 1 in individual_appointments, 2 in group_appointments, ")
    assert "1 of them changed in Cliniko since the last sync" in lines[-1]
    assert "ofia" not in out + err
    code, out, _ = await _run("verify", ORGANIZATION, "--json", folder=folder)
    assert code == 1
    assert json.loads(out)[0] == {
        "list": "patients",
        "id": "1003",
        "difference": "different",
        "fields": ["first_name", "email"],
        "is_recent": False,
    }
    assert (await _run("sync", ORGANIZATION, "--full", folder=folder))[0] == 0
    assert (await _run("verify", ORGANIZATION, folder=folder))[0] == 0


async def test_changes_since_the_last_sync_have_their_own_exit_code(folder: Path, cliniko: EmulatorServer) -> None:
    """Rows that people changed, booked, archived or deleted meanwhile are no fault of the sync: exit code 4."""
    await _synced(folder, cliniko)
    clinic = cliniko.emulator.clinic
    clinic.rename("1003", first_name="Zofia")
    clinic.archive("individual_appointments", "2077")
    clinic.archive("group_appointments", "3050")
    clinic.insert_appointment("1004", datetime.now(UTC), appointment_id="2900")
    code, out, err = await _run("verify", ORGANIZATION, folder=folder)
    assert code == 4, out + err
    *lines, last = out.splitlines()
    assert len(lines) == 4
    assert all(line.endswith(" (changed since the last sync)") for line in lines)
    assert last.startswith("4 rows changed in Cliniko since the last sync: 1 in patients, 2 in individual_appointments")
    assert last.endswith(" All other compared rows are equal. Sync, then verify again.")
    code, out, _ = await _run("verify", ORGANIZATION, "--json", folder=folder)
    assert (code, [one["is_recent"] for one in json.loads(out)]) == (4, [True] * 4)
    clinic.remove("patients", "1149")
    assert (await _run("verify", ORGANIZATION, folder=folder))[0] == 1, "Cliniko no longer says when that happened"


async def test_rows_that_can_not_be_read_are_not_called_equal(folder: Path, cliniko: EmulatorServer) -> None:
    """A stored row whose row in Cliniko can't be read is not compared, and the last line counts it."""
    await _synced(folder, cliniko)
    fault = Fault("row_without_start", "individual_appointments", times=None, rows=1, only_above_per_page=1)
    cliniko.emulator.faults.add(fault)
    code, out, err = await _run("verify", ORGANIZATION, folder=folder)
    assert code == 0, out + err
    assert out.startswith("Every compared row is equal to Cliniko's; ")
    assert out.endswith("requests. 2 rows of Cliniko can't be read and were not compared.\n"), "one on each page"
    cliniko.emulator.clinic.rename("1003", touch=False, first_name="Zofia")
    code, out, _ = await _run("verify", ORGANIZATION, "--json", folder=folder)
    assert (code, [one["id"] for one in json.loads(out)]) == (1, ["1003"])


async def test_a_clinic_without_a_sync_is_told_what_to_do(folder: Path, cliniko: EmulatorServer) -> None:
    """Before the first sync there is nothing to compare; the command names the next step."""
    code, out, err = await _run("verify", ORGANIZATION, folder=folder)
    assert (code, out) == (2, "")
    assert err == f"{ORGANIZATION} is not connected to Cliniko. Type: routiq-gql connect {ORGANIZATION}\n"
    await _connect(folder, cliniko)
    code, out, err = await _run("verify", ORGANIZATION, folder=folder)
    assert (code, out) == (2, "")
    assert (
        err
        == f"No sync of {ORGANIZATION} has been completed that can be compared. Type: routiq-gql sync {ORGANIZATION}\n"
    )


async def test_trouble_with_cliniko_is_a_sentence(folder: Path, cliniko: EmulatorServer) -> None:
    """A key that Cliniko refuses meanwhile ends the command with a reason; a denied list of practitioners does not."""
    await _synced(folder, cliniko)
    cliniko.emulator.faults.add(Fault("status_403", "practitioners", times=None))
    code, out, err = await _run("verify", ORGANIZATION, folder=folder)
    assert code == 0, out
    assert "The key may not read practitioners" in err
    assert re.fullmatch(
        r"Every compared row is equal to Cliniko's; \d+ requests\. "
        r"The key may not read practitioners, so they were not compared\.\n",
        out,
    )
    cliniko.emulator.faults.add(Fault("status_401", "attendees", times=None))
    code, out, err = await _run("verify", ORGANIZATION, folder=folder)
    assert (code, out) == (1, "")
    assert "Cliniko refused the API key." in err.splitlines()[-1]
