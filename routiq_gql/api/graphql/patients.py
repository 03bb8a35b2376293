"""The object types of patients and their lists. ``patients/model.py`` has the values that they show.

A page is a connection. Source: GraphQL Cursor Connections Specification.
"""

from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import ID

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.connection_pages import PageInfo
from routiq_gql.api.graphql.enums import PatientList
from routiq_gql.api.graphql.nodes import Node
from routiq_gql.patients import lists, model

WhyList = Annotated[PatientList, strawberry.argument(name="list", description="The list to explain.")]


@strawberry.type(description="A practitioner of the clinic.")
class Practitioner:
    id: ID = strawberry.field(
        description=f"The id in Cliniko, {examples.CLINIKO_ID}. It is unique within its organization only."
    )
    name: str | None = strawberry.field(description="The name; null where the API key may not read it.")

    @classmethod
    def of(cls, practitioner: model.Practitioner) -> Self:
        return cls(id=ID(practitioner.id), name=practitioner.name)


@strawberry.type(description="An appointment of a patient, or a patient's place in a class.")
class PatientAppointment:
    starts_at: datetime = strawberry.field(description="When it starts.")
    ends_at: datetime | None = strawberry.field(description="When it ends; null if Cliniko does not say.")
    type: str | None = strawberry.field(description="The name of its type; null if it has none, or it is not known.")
    practitioner: Practitioner | None = strawberry.field(description="Who sees the patient; null if that is open.")
    is_class: bool = strawberry.field(description="Whether it is a class with other patients.")

    @classmethod
    def of(cls, appointment: model.Appointment) -> Self:
        practitioner = appointment.practitioner
        return cls(
            starts_at=appointment.starts_at,
            ends_at=appointment.ends_at,
            type=appointment.type_name,
            practitioner=Practitioner.of(practitioner) if practitioner is not None else None,
            is_class=appointment.is_class,
        )


@strawberry.type(description="Why a patient is in a list, or is not.")
class PatientReason:
    list_: PatientList = strawberry.field(name="list", description="The list.")
    is_member: bool = strawberry.field(description="Whether the patient is in it.")
    sentence: str = strawberry.field(
        description="The reason in a sentence for people. Its dates are in the clinic's time zone."
    )
    appointments: list[PatientAppointment] = strawberry.field(
        description="The appointments that decide it, the most important first; at most two."
    )
    changes_at: datetime | None = strawberry.field(
        description="When time alone puts the patient into the list or takes them out, unless something is booked, "
        "cancelled or marked before; null for never."
    )

    @classmethod
    def of(cls, reason: model.Reason) -> Self:
        return cls(
            list_=PatientList[reason.list.name],
            is_member=reason.is_member,
            sentence=reason.sentence,
            appointments=[PatientAppointment.of(one) for one in reason.appointments],
            changes_at=reason.changes_at,
        )


@strawberry.type(description="The figures that make a patient active, at the moment of the sync's analysis.")
class PatientActivity:
    is_active: bool = strawberry.field(description="Whether the patient is in the list ACTIVE.")
    recent_appointments: int = strawberry.field(description="Visits within the recent window.")
    upcoming_appointments: int = strawberry.field(description="Booked appointments within the upcoming window.")
    missed_appointments: int = strawberry.field(description="Missed appointments within the recent window.")

    @classmethod
    def of(cls, activity: model.Activity) -> Self:
        return cls(
            is_active=activity.is_active,
            recent_appointments=activity.recent_appointments,
            upcoming_appointments=activity.upcoming_appointments,
            missed_appointments=activity.missed_appointments,
        )


@strawberry.type(
    description="A patient at a sync. Counts cover the stored history; a visit is a past appointment that was neither "
    "cancelled nor missed."
)
class Patient(Node):
    id: ID = strawberry.field(
        description="`patient:{organizationId}:{clinikoId}`, or `asof:{syncId}:` before it for a patient as of a "
        f"sync, {examples.PATIENT}."
    )
    cliniko_id: ID = strawberry.field(
        description=f"The id in Cliniko, {examples.CLINIKO_ID}. It is unique within its organization only."
    )
    organization_id: ID = strawberry.field(description=f"The organization, {examples.ORGANIZATION}.")
    name: str = strawberry.field(
        description="First and last name. Without both: the preferred name, or else `Patient` and the id in Cliniko."
    )
    first_name: str | None = strawberry.field(description="The first name; null if Cliniko has none.")
    last_name: str | None = strawberry.field(description="The last name; null if Cliniko has none.")
    preferred_first_name: str | None = strawberry.field(
        description="The first name that the patient prefers; null if Cliniko has none."
    )
    email: str | None = strawberry.field(description="The e-mail address; null if Cliniko has none.")
    phone: str | None = strawberry.field(description="The first phone number in Cliniko; null if there is none.")
    created_at: datetime | None = strawberry.field(
        description="When the patient was added to Cliniko; null if Cliniko does not say."
    )
    is_archived: bool = strawberry.field(description="Whether the patient is archived in Cliniko, and so in no list.")
    last_appointment: PatientAppointment | None = strawberry.field(
        description="The newest visit; null before the first."
    )
    next_appointment: PatientAppointment | None = strawberry.field(
        description="The first booked appointment ahead; null if nothing is booked."
    )
    visits: int = strawberry.field(description="How many visits.")
    missed_appointments: int = strawberry.field(description="How many past appointments were marked as missed.")
    cancelled_appointments: int = strawberry.field(description="How many appointments were cancelled.")
    booked_appointments: int = strawberry.field(description="How many appointments are ahead and not cancelled.")
    activity: PatientActivity = strawberry.field(description="The figures that make the patient active.")
    lists: list[PatientList] = strawberry.field(description="The lists that the patient is in.")
    source: strawberry.Private[model.Patient]

    @strawberry.field(description="Why the patient is in a list, or is not, by the rule that made the list.")
    def why(self, list_: WhyList = PatientList.ACTIVE) -> PatientReason:
        return PatientReason.of(self.source.why(lists.PatientList[list_.name]))

    @classmethod
    def of(cls, patient: model.Patient) -> Self:
        last, following = patient.last_appointment, patient.next_appointment
        return cls(
            id=ID(patient.key.text),
            cliniko_id=ID(str(patient.key.cliniko_id)),
            organization_id=ID(patient.key.organization_id),
            name=patient.name,
            first_name=patient.first_name,
            last_name=patient.last_name,
            preferred_first_name=patient.preferred_first_name,
            email=patient.email,
            phone=patient.phone,
            created_at=patient.created_at,
            is_archived=patient.is_archived,
            last_appointment=PatientAppointment.of(last) if last is not None else None,
            next_appointment=PatientAppointment.of(following) if following is not None else None,
            visits=patient.visits,
            missed_appointments=patient.missed_appointments,
            cancelled_appointments=patient.cancelled_appointments,
            booked_appointments=patient.booked_appointments,
            activity=PatientActivity.of(patient.activity),
            lists=[PatientList[one.name] for one in patient.lists],
            source=patient,
        )


@strawberry.type(description="A list of patients with its number of patients at a sync.")
class PatientListSummary:
    list_: PatientList = strawberry.field(name="list", description="The list.")
    title: str = strawberry.field(description="Its heading, for people.")
    counting: str = strawberry.field(description="How it is counted, with the settings of the sync.")
    total_count: int = strawberry.field(description="How many patients are in it.")
    is_readable: bool = strawberry.field(
        description="Whether the caller may read its patients (`ROUTIQ_PATIENT_ROLES`), so that a page need not offer "
        "a list that would be refused."
    )

    @classmethod
    def of(cls, summary: model.ListSummary, *, is_readable: bool) -> Self:
        return cls(
            list_=PatientList[summary.list.name],
            title=summary.title,
            counting=summary.counting,
            total_count=summary.total_count,
            is_readable=is_readable,
        )


@strawberry.type(description="A patient in a list.")
class PatientEdge:
    node: Patient = strawberry.field(description="The patient.")
    cursor: str = strawberry.field(
        description=f"Pass as `after` or `before`, {examples.PATIENT_CURSOR}. It stays on the sync of this page."
    )


@strawberry.type(description="A page of a list of patients, all of it at one sync.")
class PatientConnection:
    edges: list[PatientEdge] = strawberry.field(description="The patients of the page with their cursors.")
    nodes: list[Patient] = strawberry.field(description="The same patients without cursors.")
    page_info: PageInfo = strawberry.field(description="What lies before and after the page.")
    total_count: int = strawberry.field(
        description="How many patients there are on all pages, with the same search and practitioner."
    )
    summary: PatientListSummary = strawberry.field(description="The list itself, without search and practitioner.")
    as_of: ID = strawberry.field(
        description=f"The sync whose result this is, {examples.SYNC}. Later pages by its cursors stay on it."
    )
    analyzed_at: datetime = strawberry.field(
        description="The moment of the sync's analysis, which all lists and reasons are relative to."
    )
    time_zone: str = strawberry.field(
        description=f"The IANA name of the clinic's time zone, {examples.TIME_ZONE}; `UTC` if it is not known."
    )
    practitioners: list[Practitioner] = strawberry.field(
        description="All practitioners of the clinic by name, to filter by."
    )

    @classmethod
    def of(cls, page: model.PatientPage) -> Self:
        nodes = [Patient.of(one) for one in page.patients]
        return cls(
            edges=[PatientEdge(node=node, cursor=cursor) for node, cursor in zip(nodes, page.cursors, strict=True)],
            nodes=nodes,
            page_info=PageInfo.of(page.cursors, has_next=page.has_next, has_previous=page.has_previous),
            total_count=page.total_count,
            summary=PatientListSummary.of(page.summary, is_readable=True),
            as_of=ID(page.sync_id),
            analyzed_at=page.analyzed_at,
            time_zone=page.time_zone,
            practitioners=[Practitioner.of(one) for one in page.practitioners],
        )
