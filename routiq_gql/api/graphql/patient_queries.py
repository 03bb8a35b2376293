"""The root fields that read patients. ``operations.Query`` inherits them."""

from typing import Annotated

import strawberry
from strawberry import ID, UNSET

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.arguments import OrganizationId
from routiq_gql.api.graphql.context import Info
from routiq_gql.api.graphql.enums import PatientList, PatientSort
from routiq_gql.api.graphql.overview import AsOf
from routiq_gql.api.graphql.patients import Patient, PatientConnection, PatientListSummary
from routiq_gql.patients import lists, model
from routiq_gql.patients.keys import PatientKey
from routiq_gql.patients.requests import PageRequest
from routiq_gql.security.viewer import Right

ListName = Annotated[PatientList, strawberry.argument(name="list", description="The list.")]
Search = Annotated[
    str | None,
    strawberry.argument(
        description="Only patients for whom each word is a part of a name, the e-mail address or the phone number; at "
        "most 100 characters. Case, accents, apostrophes and hyphens make no difference: `obrien` finds O’Brien. Nor "
        "does a country code or a leading 0: `0412 345` finds +61 412 345 678."
    ),
]
PractitionerId = Annotated[
    ID | None,
    strawberry.argument(
        description=f"Only patients whose last or next appointment is with this practitioner, {examples.CLINIKO_ID}."
    ),
]
Sort = Annotated[PatientSort | None, strawberry.argument(description="The order; NAME without it.")]
First = Annotated[
    int | None, strawberry.argument(description="How many patients after `after`, 1 to 200; 50 without `last`.")
]
AfterCursor = Annotated[
    str | None,
    strawberry.argument(description=f"Only patients after this cursor of the list, {examples.PATIENT_CURSOR}."),
]
Last = Annotated[int | None, strawberry.argument(description="How many patients before `before`, 1 to 200.")]
BeforeCursor = Annotated[
    str | None,
    strawberry.argument(description=f"Only patients before this cursor of the list, {examples.PATIENT_CURSOR}."),
]
Skip = Annotated[
    int | None,
    strawberry.argument(
        description="How many patients at the start of the list to pass over, for a page in the middle of it. Give the "
        "`asOf` of the first page with it, so that all pages are of one sync. Only with `first`, without cursors."
    ),
]
PatientId = Annotated[ID, strawberry.argument(description=f"`id` of a patient, {examples.PATIENT}.")]


@strawberry.type
class PatientQueries:
    @strawberry.field(
        description="A page of a list of patients, all of it of one sync: the newest, that of the cursor, or that of "
        "`asOf`. Without a completed sync it is an error."
    )
    async def patients(
        self,
        info: Info,
        organization_id: OrganizationId,
        list_: ListName = PatientList.ACTIVE,
        search: Search = UNSET,
        practitioner_id: PractitionerId = UNSET,
        sort: Sort = UNSET,
        first: First = UNSET,
        after: AfterCursor = UNSET,
        last: Last = UNSET,
        before: BeforeCursor = UNSET,
        skip: Skip = UNSET,
        as_of: AsOf = UNSET,
    ) -> PatientConnection:
        request = PageRequest(
            list=lists.PatientList[list_.name],
            search=search or None,
            practitioner_id=practitioner_id if practitioner_id is not UNSET else None,
            sort=model.PatientSort[sort.name] if sort else model.PatientSort.NAME,
            first=first if first is not UNSET else None,
            after=after if after is not UNSET else None,
            last=last if last is not UNSET else None,
            before=before if before is not UNSET else None,
            skip=skip if skip is not UNSET else None,
            as_of=as_of if as_of is not UNSET else None,
        )
        return PatientConnection.of(await info.context.patients.page(info.context.viewer, organization_id, request))

    @strawberry.field(description="One patient; null if there is none with this id, or another organization has it.")
    async def patient(
        self,
        info: Info,
        id: PatientId,  # noqa: A002 - the name of the argument
    ) -> Patient | None:
        key = PatientKey.parse(id)
        found = await info.context.patients.patient(info.context.viewer, key) if key is not None else None
        return Patient.of(found) if found is not None else None

    @strawberry.field(
        description="All lists of patients with their numbers of patients, and how each is counted. These numbers and "
        "those of `Dashboard.patientStats` agree at every sync. Like those they need no right to read patients, since "
        "they name nobody."
    )
    async def patient_lists(
        self, info: Info, organization_id: OrganizationId, as_of: AsOf = UNSET
    ) -> list[PatientListSummary]:
        named = as_of if as_of is not UNSET else None
        viewer = info.context.viewer
        found = await info.context.patient_reader.lists(viewer, organization_id, named)
        is_readable = viewer.may(organization_id, Right.PATIENTS)
        return [PatientListSummary.of(one, is_readable=is_readable) for one in found]
