"""Changes of patients: their types, the field that reads them, and the subscription.

The subscription is never shared between subscribers: each is checked and audited by itself. They share the reads; see
``patients/change_feed.py``.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import Enum
from typing import Annotated, Self

import strawberry
from strawberry import ID, UNSET

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.arguments import OrganizationId
from routiq_gql.api.graphql.connection_pages import PageInfo, may_select
from routiq_gql.api.graphql.context import Info
from routiq_gql.api.graphql.enums import PatientList
from routiq_gql.api.graphql.nodes import Node
from routiq_gql.api.graphql.patients import Patient
from routiq_gql.patients import change_model

SyncId = Annotated[ID, strawberry.argument(description=f"A completed sync whose changes are kept, {examples.SYNC}.")]
Since = Annotated[
    ID | None,
    strawberry.argument(
        description=f"An earlier kept sync, {examples.EARLIER_SYNC}: then the changes are the difference between both "
        "syncs. Without it they are those that the sync itself has made."
    ),
]
First = Annotated[int | None, strawberry.argument(description="How many changes after `after`, 1 to 200; 50 without.")]
AfterCursor = Annotated[
    str | None, strawberry.argument(description=f"Only changes after this cursor, {examples.CHANGE_CURSOR}.")
]
Resume = Annotated[
    str | None,
    strawberry.argument(
        description="Only changes after this cursor of `patientsChanged` or `syncChanges`, "
        f"{examples.CHANGE_CURSOR}: first those that were made meanwhile, then new ones. Without it only new ones."
    ),
]


@strawberry.enum(description="What happened to a patient.")
class PatientChangeKind(Enum):
    ADDED = strawberry.enum_value("ADDED", description="The patient appeared in Cliniko.")
    CHANGED = strawberry.enum_value("CHANGED", description="The patient's own data changed; `fields` names them.")
    VANISHED = strawberry.enum_value("VANISHED", description="Cliniko no longer has the patient.")
    BECAME_ACTIVE = strawberry.enum_value("BECAME_ACTIVE", description="The patient joined the list ACTIVE.")
    BECAME_INACTIVE = strawberry.enum_value("BECAME_INACTIVE", description="The patient left the list ACTIVE.")
    LISTS_CHANGED = strawberry.enum_value("LISTS_CHANGED", description="The patient joined or left another list.")


@strawberry.type(description="A patient that differs after a sync. It says which fields differ, without their values.")
class PatientChange(Node):
    id: ID = strawberry.field(
        description="`change:{syncId}:{clinikoId}`, or with `since:{syncId}:` before the last part in a difference, "
        f"{examples.CHANGE}."
    )
    cursor: str = strawberry.field(
        description=f"Pass as `after`, {examples.CHANGE_CURSOR}: to `syncChanges`, or to `patientsChanged` to resume."
    )
    sync_id: ID = strawberry.field(
        description=f"The sync that made the change, {examples.SYNC}; of a difference between two syncs the later one."
    )
    cliniko_id: ID = strawberry.field(description=f"The patient's id in Cliniko, {examples.CLINIKO_ID}.")
    patient_id: ID = strawberry.field(description=f"The `id` of the patient today, {examples.PATIENT}.")
    name: str = strawberry.field(description="The patient's name after the sync, or the last known one.")
    kinds: list[PatientChangeKind] = strawberry.field(description="What happened; at least one.")
    fields: list[str] = strawberry.field(
        description=f"The fields that differ, {examples.FIELD}; empty unless CHANGED is among `kinds`."
    )
    joined: list[PatientList] = strawberry.field(description="The lists that the patient has joined.")
    left: list[PatientList] = strawberry.field(description="The lists that the patient has left.")
    sentence: str = strawberry.field(description="What happened and why, for people.")
    source: strawberry.Private[change_model.PatientChange]

    @strawberry.field(description="The patient today; null if Cliniko no longer has the patient.")
    async def patient(self, info: Info) -> Patient | None:
        found = await info.context.patient_loader.load(self.source.key)
        return Patient.of(found) if found is not None else None

    @classmethod
    def of(cls, change: change_model.PatientChange) -> Self:
        return cls(
            id=ID(change.id),
            cursor=change.cursor,
            sync_id=ID(change.sync_id),
            cliniko_id=ID(str(change.key.cliniko_id)),
            patient_id=ID(change.key.text),
            name=change.name,
            kinds=[PatientChangeKind[one.name] for one in change.kinds],
            fields=[_camel_case(one.key) for one in change.fields],
            joined=[PatientList[one.name] for one in change.joined],
            left=[PatientList[one.name] for one in change.left],
            sentence=change.sentence,
            source=change,
        )


@strawberry.type(description="A change on a page.")
class PatientChangeEdge:
    node: PatientChange = strawberry.field(description="The change.")
    cursor: str = strawberry.field(description=f"Its `cursor`, {examples.CHANGE_CURSOR}.")


@strawberry.type(description="A page of changes, by the patients' ids in Cliniko.")
class PatientChangeConnection:
    edges: list[PatientChangeEdge] = strawberry.field(description="The changes of the page with their cursors.")
    nodes: list[PatientChange] = strawberry.field(description="The same changes without cursors.")
    page_info: PageInfo = strawberry.field(description="What lies before and after the page.")
    cursor: str = strawberry.field(
        description=f"The place after this page, also of an empty one, {examples.CHANGE_CURSOR}: pass it to "
        "`patientsChanged` to miss nothing."
    )
    sync_id: ID = strawberry.field(description=f"The sync, {examples.SYNC}.")
    since: ID | None = strawberry.field(
        description=f"The earlier sync of a difference, {examples.EARLIER_SYNC}; else null."
    )
    is_baseline: bool = strawberry.field(
        description="Whether nothing counts as a change, as in the first sync of a clinic."
    )

    @classmethod
    def of(cls, page: change_model.ChangePage) -> Self:
        nodes = [PatientChange.of(one) for one in page.changes]
        return cls(
            edges=[PatientChangeEdge(node=node, cursor=node.cursor) for node in nodes],
            nodes=nodes,
            page_info=PageInfo.of(
                [node.cursor for node in nodes], has_next=page.has_next, has_previous=page.has_previous
            ),
            cursor=page.cursor,
            sync_id=ID(page.sync_id),
            since=ID(page.since) if page.since is not None else None,
            is_baseline=page.is_baseline,
        )


@strawberry.type
class ChangeQueries:
    @strawberry.field(
        description="The patients that a sync has changed, or the difference between two syncs. It is an error if the "
        "sync has not completed, or its changes are no longer kept."
    )
    async def sync_changes(
        self, info: Info, sync_id: SyncId, since: Since = UNSET, first: First = UNSET, after: AfterCursor = UNSET
    ) -> PatientChangeConnection:
        context = info.context
        page = await context.patient_changes.sync_changes(
            context.viewer,
            sync_id,
            since=since or None,
            first=first if first is not UNSET else None,
            after=after or None,
            looks_back=may_select(info, "pageInfo", "hasPreviousPage"),
        )
        return PatientChangeConnection.of(page)


@strawberry.type
class ChangeSubscriptions:
    @strawberry.subscription(
        description="An organization's patients: each change once and in order, as syncs publish them; never completes."
    )
    async def patients_changed(
        self, info: Info, organization_id: OrganizationId, after: Resume = UNSET
    ) -> AsyncGenerator[PatientChange, None]:
        context = info.context
        place = after if after is not UNSET else None
        await context.patient_changes.require_watchable(context.viewer, organization_id, place)
        return _changes(info, organization_id, place)


async def _changes(info: Info, organization_id: str, after: str | None) -> AsyncGenerator[PatientChange, None]:
    context = info.context
    async with aclosing(context.patient_changes.watch_changes(context.viewer, organization_id, after)) as changes:
        async for change in changes:
            context.patient_changes.require(context.viewer, organization_id)  # the right may have been withdrawn
            yield PatientChange.of(change)


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
