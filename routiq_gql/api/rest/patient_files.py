"""Lists of patients as files: CSV for people with a spreadsheet, JSON lines for programs.

CSV begins with a byte order mark, without which Excel reads UTF-8 as another encoding and shows wrong letters; programs
read it as ``utf-8-sig``. Its times are in the clinic's time zone. No cell can be a formula: a spreadsheet would execute
it, and patients write their own names in online bookings. JSON lines have no mark, times in UTC, and texts unchanged.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from routiq_gql.api.rest import patient_objects
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import Appointment, Patient
from routiq_gql.time_zones import zone_of

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""First characters that make a text a formula for spreadsheets, also in full width. Source: OWASP, CSV Injection."""

_CHANGED_NUMBER = re.compile(r"0[0-9]+|[0-9]{16,}")
"""Digits that spreadsheets change: they drop leading zeros, and round numbers of more than 15 digits, such as ids."""

COLUMNS = (
    *("cliniko_id", "name", "first_name", "last_name", "preferred_first_name", "email", "phone", "created"),
    *("last_appointment", "last_appointment_type", "last_appointment_practitioner"),
    *("next_appointment", "next_appointment_type", "next_appointment_practitioner"),
    *("visits", "missed_appointments", "cancelled_appointments", "booked_appointments"),
    *("lists", "why", "why_changes", "time_zone"),
)
"""The headings of CSV."""


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A form of the file.

    Attributes:
        head: The bytes before the first patient.
        encode: The bytes of some patients in the list.
    """

    media_type: str
    head: bytes
    encode: Callable[[Sequence[Patient], PatientList], bytes]


def csv_rows(patients: Sequence[Patient], of_list: PatientList) -> bytes:
    """A row for each patient, as RFC 4180 has it."""
    return _csv([_cells(one, of_list) for one in patients])


def json_rows(patients: Sequence[Patient], of_list: PatientList) -> bytes:
    """A line with the object of REST for each patient."""
    objects = (patient_objects.Patient.of(one, of_list).model_dump() for one in patients)
    lines = (json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in objects)
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def file_name(organization_id: str, of_list: PatientList, analyzed_at: datetime, time_zone: str, form: str) -> str:
    """``org_123-active-2026-11-26.csv``, with the date of the sync in the clinic's time zone. It names no person."""
    return f"{organization_id}-{of_list.key}-{analyzed_at.astimezone(zone_of(time_zone)):%Y-%m-%d}.{form}"


def plain_cell(text: str) -> str:
    """``text``, with an apostrophe before what spreadsheets would execute or change."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) or _CHANGED_NUMBER.fullmatch(text) else text


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue().encode("utf-8", "replace")


def _cells(patient: Patient, of_list: PatientList) -> list[str]:
    zone, why = zone_of(patient.time_zone), patient.why(of_list)
    texts = (
        patient.name,
        patient.first_name,
        patient.last_name,
        patient.preferred_first_name,
        patient.email,
        patient.phone,
        _time(patient.created_at, zone),
        *_appointment(patient.last_appointment, zone),
        *_appointment(patient.next_appointment, zone),
    )
    counts = (
        patient.visits,
        patient.missed_appointments,
        patient.cancelled_appointments,
        patient.booked_appointments,
    )
    lists = " ".join(one.key for one in patient.lists)
    ending = (lists, why.sentence, _time(why.changes_at, zone), patient.time_zone)
    cells = (str(patient.key.cliniko_id), *(text or "" for text in texts), *map(str, counts), *ending)
    return [plain_cell(cell) for cell in cells]


def _appointment(appointment: Appointment | None, zone: tzinfo) -> tuple[str, str | None, str | None]:
    if appointment is None:
        return "", None, None
    practitioner = appointment.practitioner
    return _time(appointment.starts_at, zone), appointment.type_name, practitioner.name if practitioner else None


def _time(moment: datetime | None, zone: tzinfo) -> str:
    """``2026-11-26 14:30``, which spreadsheets take for a time."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M") if moment is not None else ""


FORMATS = {
    "csv": FileFormat("text/csv; charset=utf-8", b"\xef\xbb\xbf" + _csv([COLUMNS]), csv_rows),
    "jsonl": FileFormat("application/jsonl", b"", json_rows),
}
"""By their names in REST and on the command line, which are the endings of the files, too."""
