"""The JSON objects of patients and their lists. The same values as in GraphQL, with keys in snake_case."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field

from routiq_gql.api.json_objects import AnyText, Count, JsonObject, Time, one_of
from routiq_gql.api.rest.objects import OrganizationId
from routiq_gql.api.rest.values import SyncId
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import Patient as FoundPatient
from routiq_gql.patients.model import PatientPage as FoundPage

ListName = Annotated[
    str,
    BeforeValidator(lambda one: PatientList(one).key),
    Field(description="A list of patients.", json_schema_extra=one_of(one.key for one in PatientList)),
]
TimeZone = Annotated[
    str,
    Field(description="The IANA name of the clinic's time zone; UTC if it is unknown.", examples=["Australia/Sydney"]),
]


class Practitioner(JsonObject):
    """A practitioner of the clinic."""

    id: str = Field(description="The id in Cliniko.")
    name: AnyText | None = Field(description="The name; null where the API key may not read it.")


class PatientAppointment(JsonObject):
    """An appointment of a patient, or a place in a class."""

    starts_at: Time = Field(description="When it starts, in UTC.")
    ends_at: Time | None = Field(description="When it ends; null if Cliniko has no end.")
    type: AnyText | None = Field(
        validation_alias="type_name", description="The name of its type; null if it has none that Cliniko lists."
    )
    practitioner: Practitioner | None = Field(description="Who sees the patient; null if there is none.")
    is_class: bool = Field(description="Whether it is a place in a class.")


class PatientActivity(JsonObject):
    """The figures that make a patient active."""

    is_active: bool = Field(description="Whether the patient is in the list of active patients.")
    recent_appointments: Count = Field(description="Visits within the recent days.")
    upcoming_appointments: Count = Field(description="Booked appointments within the upcoming days.")
    missed_appointments: Count = Field(description="Missed appointments within the recent days.")


class PatientReason(JsonObject):
    """Why a patient is in a list, or is not."""

    list: ListName
    is_member: bool = Field(description="Whether the patient is in the list.")
    sentence: AnyText = Field(description="The reason as a sentence for people, in the clinic's time zone.")
    appointments: tuple[PatientAppointment, ...] = Field(description="The appointments that decide it.")
    changes_at: Time | None = Field(
        description="When time alone changes it, if nothing is booked, cancelled or marked; null for never."
    )


class Patient(JsonObject):
    """A patient at a sync."""

    id: str = Field(description="The id of GraphQL's `node`.", examples=["patient:org_123:1074"])
    cliniko_id: str = Field(description="The id in Cliniko.", examples=["1074"])
    name: AnyText = Field(description="First and last name.")
    first_name: AnyText | None = Field(description="The first name; null if it is empty.")
    last_name: AnyText | None = Field(description="The last name; null if it is empty.")
    preferred_first_name: AnyText | None = Field(description="The preferred first name; null if it is empty.")
    email: AnyText | None = Field(description="The e-mail address; null if there is none.")
    phone: AnyText | None = Field(description="The first phone number; null if there is none.")
    created_at: Time | None = Field(description="When the patient was added to Cliniko; null if unknown.")
    is_archived: bool = Field(description="Whether the patient is archived in Cliniko.")
    last_appointment: PatientAppointment | None = Field(description="The newest visit; null if there is none.")
    next_appointment: PatientAppointment | None = Field(description="The next booked one; null if there is none.")
    visits: Count = Field(description="Past appointments that were neither cancelled nor missed, as far as stored.")
    missed_appointments: Count = Field(description="Missed appointments, as far as stored.")
    cancelled_appointments: Count = Field(description="Cancelled appointments, as far as stored.")
    booked_appointments: Count = Field(description="Appointments ahead that are not cancelled.")
    activity: PatientActivity
    lists: list[ListName] = Field(description="The lists that the patient is in.")
    why: PatientReason = Field(description="Why the patient is in the list that was asked for.")

    @classmethod
    def of(cls, patient: FoundPatient, of_list: PatientList) -> Self:
        """The object of a patient in a list."""
        values = {name: getattr(patient, name) for name in _PLAIN}
        key = patient.key
        return cls.model_validate(
            {**values, "id": key.text, "cliniko_id": str(key.cliniko_id), "why": patient.why(of_list)}
        )


_PLAIN = tuple(name for name in Patient.model_fields if name not in {"id", "cliniko_id", "why"})


class PatientPage(JsonObject):
    """A page of a list of patients, at one sync."""

    organization_id: OrganizationId
    list: ListName
    title: str = Field(description="The heading of the list.")
    counting: str = Field(description="How the list is counted, for people.")
    as_of: SyncId
    analyzed_at: Time = Field(description="The moment that past, recent and upcoming are relative to.")
    time_zone: TimeZone
    total_count: Count = Field(description="Patients on all pages, with the same search and practitioner.")
    patients: tuple[Patient, ...] = Field(description="This page.")
    next_cursor: str | None = Field(description="Pass as `after` for the next page; null on the last one.")
    previous_cursor: str | None = Field(
        description="Pass as `before`, with `last`, for the page before; null on the first one."
    )

    @classmethod
    def of(cls, page: FoundPage) -> Self:
        """The object of a page. Its cursors stay on its sync."""
        values = {name: getattr(page, name) for name in _OF_PAGE}
        return cls.model_validate(
            {
                **values,
                "title": page.summary.title,
                "counting": page.summary.counting,
                "as_of": page.sync_id,
                "patients": [Patient.of(one, page.list) for one in page.patients],
                "next_cursor": page.cursors[-1] if page.has_next and page.cursors else None,
                "previous_cursor": page.cursors[0] if page.has_previous and page.cursors else None,
            }
        )


_OF_PAGE = ("organization_id", "list", "analyzed_at", "time_zone", "total_count")

PATIENT_OBJECTS = (Practitioner, PatientAppointment, PatientActivity, PatientReason, Patient, PatientPage)
"""All of them, in the order of the OpenAPI document."""
