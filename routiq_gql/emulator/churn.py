"""Changes of a clinic from decoded JSON, for ``POST /_control/churn``.

A change is ``{"action": "archive", "resource": "patients", "id": "82"}`` and further members, named as the arguments of
the method of ``Clinic`` that carries it out:

    action                  further members
    insert                  patients: first_name, last_name, preferred_first_name, email, phone
                            individual_appointments: patient_id, starts_at; practitioner_id
                            group_appointments: starts_at; practitioner_id
                            attendees: class_id, patient_id
                            appointment_types: name
                            practitioners: first_name, last_name, title, designation, label
    archive, unarchive
    cancel                  reason, of an individual appointment
    uncancel
    delete                  trace (true), archives (true)
    remove                  takes a single row out without a trace; neither at nor touch
    merge                   patients only: into; touch_moved (false)
    move                    starts_at, patient_id, practitioner_id, type_id, class_id: at least one
    mark                    arrived: true, false or null
    rename                  patients, appointment_types (name only), practitioners: as for insert

Every action but ``remove`` takes ``at``, the time of the change. Those on rows that exist take ``touch``: false leaves
``updated_at`` as it is. Ids are text, times ISO 8601 with a time zone.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from routiq_gql.emulator.changes import CANCELLATION_REASONS
from routiq_gql.emulator.clinic import Clinic
from routiq_gql.emulator.resources import RESOURCES

Json = Mapping[str, Any]


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{value!r} is no text.")
    return value


def _id(value: object) -> str:
    return str(int(str(value)))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false.")
    return value


def _time(value: object) -> datetime:
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError("A time needs a time zone.")
    return moment


def _reason(value: object) -> int:
    if value not in CANCELLATION_REASONS:
        raise ValueError(f"A reason is one of {', '.join(map(str, CANCELLATION_REASONS))}.")
    return int(str(value))


_READERS: Mapping[str, Callable[[object], Any]] = {
    **dict.fromkeys(("touch", "touch_moved", "trace", "archives"), _flag),
    **dict.fromkeys(("patient_id", "practitioner_id", "type_id", "class_id", "into"), _id),
    **dict.fromkeys(("at", "starts_at"), _time),
    "arrived": lambda value: None if value is None else _flag(value),
    "reason": _reason,
}
"""How a member is read; all others are texts."""

_PATIENT = ("first_name", "last_name", "preferred_first_name", "email", "phone")
_PRACTITIONER = ("first_name", "last_name", "title", "designation", "label")
_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "archive": (),
    "unarchive": (),
    "uncancel": (),
    "cancel": ("reason",),
    "delete": ("trace", "archives"),
    "mark": ("arrived",),
    "merge": ("into", "touch_moved"),
    "move": ("starts_at", "patient_id", "practitioner_id", "type_id", "class_id"),
}
"""The further members of the actions that are the same for all lists."""


def change_clinic(clinic: Clinic, change: Json) -> dict[str, Any]:
    """Carry out a change, and return the id of its row, ``{"id": "82"}``.

    Raises:
        ValueError: The change is not of the documented form.
        TypeError: A member is of another type.
        KeyError: It lacks a part, or there is no such row, or no such column in that list.
    """
    action, resource = change["action"], change["resource"]
    if resource not in RESOURCES:
        raise ValueError(f"There is no list {resource!r}.")
    if action == "insert":
        return {"id": _insert(clinic, resource, change)}
    row_id = _id(change["id"])
    clinic.tables[resource].get(int(row_id))
    if action == "remove":
        clinic.remove(resource, row_id)
    elif action == "rename":
        _rename(clinic, resource, row_id, change)
    elif action == "merge":
        if resource != "patients":
            raise ValueError("Only patients can be merged.")
        clinic.merge(row_id, **{"into": change["into"], **_read(change, _MEMBERS[action], "at", "touch")})
    elif action in _MEMBERS:
        values = _read(change, _MEMBERS[action], "at", "touch")
        if action == "mark" and "arrived" not in values:
            raise KeyError("arrived")
        if action == "move" and not values.keys() & set(_MEMBERS[action]):
            raise ValueError("A move needs a destination.")
        getattr(clinic, action)(resource, row_id, **values)
    else:
        raise ValueError(f"There is no action {action!r}.")
    return {"id": row_id}


def _read(change: Json, names: Iterable[str], *others: str) -> dict[str, Any]:
    """The members of these names that ``change`` has.

    Raises:
        ValueError: It has further ones.
    """
    known = {*names, *others}
    unknown = change.keys() - known - {"action", "resource", "id"}
    if unknown:
        raise ValueError(f"{change['action']} on {change['resource']} knows no {', '.join(sorted(unknown))}.")
    return {name: _READERS.get(name, _text)(change[name]) for name in change if name in known}


def _insert(clinic: Clinic, resource: str, change: Json) -> str:
    ways: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], Callable[..., str]]] = {
        "patients": ((), _PATIENT, clinic.insert_patient),
        "individual_appointments": (("patient_id", "starts_at"), ("practitioner_id",), clinic.insert_appointment),
        "group_appointments": (("starts_at",), ("practitioner_id",), clinic.insert_class),
        "attendees": (("class_id", "patient_id"), (), clinic.insert_attendee),
        "appointment_types": (("name",), (), clinic.insert_type),
        "practitioners": ((), _PRACTITIONER, clinic.insert_practitioner),
    }
    required, others, insert = ways[resource]
    values = _read(change, (*required, *others), "at")
    for name in required:
        if name not in values:
            raise KeyError(name)
    return insert(**values)


def _rename(clinic: Clinic, resource: str, row_id: str, change: Json) -> None:
    match resource:
        case "patients":
            clinic.rename(row_id, **_read(change, _PATIENT, "at", "touch"))
        case "appointment_types":
            clinic.rename_type(row_id, **_read(change, ("name",), "at", "touch"))
        case "practitioners":
            clinic.rename_practitioner(row_id, **_read(change, _PRACTITIONER, "at", "touch"))
        case _:
            raise ValueError(f"Rows of {resource} have no name.")
