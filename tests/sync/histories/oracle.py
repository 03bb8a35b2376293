"""What a mirror and an analysis must hold, computed in a few lines from the tables of an emulated clinic."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from routiq_gql.emulator import Clinic
from routiq_gql.emulator.table import Row
from routiq_gql.patients.bookings import to_milliseconds, to_moment
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.rules import Booking, Terms, assess
from tests.patients.oracle import oracle
from tests.sync.histories.steps import RECENT_DAYS, UPCOMING_DAYS

Values = Mapping[str, Any]
"""A row of the mirror, by column."""
Content = Mapping[str, Mapping[int, Values]]
"""The rows of each list, by id."""
WITHOUT_CLASS = "attendees without a class"
"""A further list of a clinic's content: a mirror that has their class, which is gone without a trace, has them too."""


def content_of(clinic: Clinic, horizon: datetime) -> Content:
    """The rows of a mirror of this clinic at this moment, and attendees ``WITHOUT_CLASS``."""
    tables = clinic.tables
    visits = ("individual_appointments", "group_appointments")
    content: dict[str, dict[int, Values]] = {name: {} for name in (*tables, WITHOUT_CLASS)}
    for name in tables:
        for row in tables[name].rows():
            is_hidden = bool(row.get("deleted_at")) or (bool(row.get("archived_at")) and name in {*visits, "attendees"})
            if is_hidden or (name in visits and _time(row["starts_at"]) < horizon):
                continue
            has_class = name != "attendees" or row["booking_id"] in content["group_appointments"]
            content[name if has_class else WITHOUT_CLASS][row["id"]] = _WRITERS[name](clinic, row)
    return content


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _text(text: str | None) -> str | None:
    return (text or "").strip() or None


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _patient(clinic: Clinic, row: Row) -> Values:
    who = clinic.person(row["id"])
    phones = [number for kind, number in who.phones if kind == "Mobile"]
    phones += [number for kind, number in who.phones if kind != "Fax"]
    names = ("first_name", "last_name", "preferred_first_name", "email")
    return {
        **{name: _text(getattr(who, name)) for name in names},
        "phone": phones[0] if phones else None,
        "merged_with_id": row["merged_with_id"],
        **{name: _time(row[name]) for name in ("archived_at", "created_at", "updated_at")},
    }


def _appointment(_clinic: Clinic, row: Row) -> Values:
    return {
        **{name: row[name] for name in ("patient_id", "appointment_type_id", "practitioner_id", "cancellation_reason")},
        **{name: _time(row[name]) for name in ("starts_at", "ends_at", "cancelled_at", "updated_at")},
        "did_not_arrive": bool(row["did_not_arrive"]),
    }


def _class(_clinic: Clinic, row: Row) -> Values:
    return {
        **{name: row[name] for name in ("appointment_type_id", "practitioner_id")},
        **{name: _time(row[name]) for name in ("starts_at", "ends_at", "updated_at")},
    }


def _attendee(_clinic: Clinic, row: Row) -> Values:
    return {
        **{name: row[name] for name in ("booking_id", "patient_id")},
        **{name: _time(row[name]) for name in ("cancelled_at", "updated_at")},
        "arrived": _flag(row["arrived"]),
    }


def _type(clinic: Clinic, row: Row) -> Values:
    name, category = clinic.type_names[row["id"]]
    return {
        "name": _text(name),
        "category": _text(category),
        "duration_in_minutes": row["duration_in_minutes"],
        **{name: _time(row[name]) for name in ("archived_at", "updated_at")},
    }


def _practitioner(clinic: Clinic, row: Row) -> Values:
    who = clinic.practitioner(row["id"])
    full = " ".join(part for part in (who.title, who.first_name, who.last_name) if part)
    return {
        "name": _text(who.label) or _text(full),
        "designation": _text(who.designation),
        "is_active": bool(row["active"]),
        "updated_at": _time(row["updated_at"]),
    }


_WRITERS = {
    "patients": _patient,
    "individual_appointments": _appointment,
    "group_appointments": _class,
    "attendees": _attendee,
    "appointment_types": _type,
    "practitioners": _practitioner,
}


def activity_of(content: Content, terms: Terms, before: Mapping[int, Values], sync: int) -> dict[int, Values]:
    """The activity that the analysis finds, for the patients that have a result.

    Args:
        before: The result that the sync before has published.
        sync: The number of this sync.
    """
    now = to_moment(terms.analyzed_at)
    changes = {
        patient: to_moment(changes_at)
        for patient, (bookings, created_at) in listed_patients(content).items()
        if (changes_at := assess(bookings, True, created_at, terms).changes_at) is not None  # see ``test_rules``
    }
    recent, upcoming = timedelta(days=RECENT_DAYS), timedelta(days=UPCOMING_DAYS)
    classes = content["group_appointments"]
    booked = [(one["patient_id"], one["starts_at"], one["did_not_arrive"], one) for one in _rows(content, 1)]
    booked += [(one["patient_id"], classes[one["booking_id"]]["starts_at"], one["arrived"] is False, one)
               for one in _rows(content, 3) if one["booking_id"] in classes]  # fmt: skip
    visits: dict[int, list[tuple[datetime, bool]]] = {}
    for patient, starts, is_missed, one in booked:
        who = content["patients"].get(patient)
        is_listed = bool(who) and who["archived_at"] is None and who["merged_with_id"] is None
        if one["cancelled_at"] is None and starts >= now - recent and is_listed:
            visits.setdefault(patient, []).append((starts, is_missed))
    results: dict[int, Values] = {}
    for patient in visits.keys() | before.keys() | changes.keys():
        own = visits.get(patient, [])
        came = [starts for starts, is_missed in own if starts <= now and not is_missed]
        coming = [starts for starts, _ in own if now < starts <= now + upcoming]
        missed = [starts for starts, is_missed in own if starts <= now and is_missed]
        changes_at = changes.get(patient)
        earlier = before.get(patient, {"is_active": False, "was_active": False, "active_since": None})
        is_active = bool(came or coming or missed)
        if is_active or earlier["was_active"] or changes_at is not None:
            results[patient] = {
                "is_active": is_active,
                "was_active": is_active or earlier["was_active"],
                "active_since": (earlier["active_since"] if earlier["is_active"] else sync) if is_active else None,
                "recent_appointments": len(came),
                "upcoming_appointments": len(coming),
                "missed_appointments": len(missed),
                "last_appointment_at": max(came, default=None),
                "next_appointment_at": min(coming, default=None),
                "changes_at": changes_at,
            }
    return results


def listed_patients(content: Content) -> dict[int, tuple[list[Booking], int | None]]:
    """The bookings of each patient who may be in lists, by start, and when the patient was created."""
    classes = content["group_appointments"]
    found: dict[int, tuple[list[Booking], int | None]] = {}
    for patient, row in content["patients"].items():
        if row and row["archived_at"] is None and row["merged_with_id"] is None:
            found[patient] = ([], row["created_at"] and to_milliseconds(row["created_at"]))
    booked = [
        (one, row["starts_at"], row["did_not_arrive"], 1, row)
        for one, row in content["individual_appointments"].items()
        if row
    ]
    booked += [(row["booking_id"], classes[row["booking_id"]]["starts_at"], row["arrived"] is False, 2, row)
               for row in content["attendees"].values() if classes.get(row.get("booking_id"))]  # fmt: skip
    for one, starts_at, is_missed, kind, row in booked:
        if row["patient_id"] in found:
            is_cancelled = row["cancelled_at"] is not None
            booking = Booking(to_milliseconds(starts_at), is_cancelled, is_missed, kind, one, None, None)
            found[row["patient_id"]][0].append(booking)
    for bookings, _ in found.values():
        bookings.sort(key=lambda one: (one.starts_at, one.kind, one.id))
    return found


def lists_of(content: Content, terms: Terms) -> dict[str, set[int]]:
    """The patients of each list, by the name of the list."""
    found: dict[str, set[int]] = {one.name: set() for one in PatientList}
    for patient, (bookings, created_at) in listed_patients(content).items():
        for one in oracle(bookings, created_at, terms):
            found[one.name].add(patient)
    return found


def _rows(content: Content, place: int) -> list[Values]:
    return list(content[tuple(_WRITERS)[place]].values())
