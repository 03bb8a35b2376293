"""The object types of one sync: its status and its failure. ``overview.py`` holds those about organizations.

Names are the documented ones in camelCase. ``id`` fields let normalising clients keep one copy of each object.
"""

from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import ID, UNSET

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.change_counts import SyncChangeCounts
from routiq_gql.api.graphql.connection_pages import First, Last, page_arguments
from routiq_gql.api.graphql.context import Info
from routiq_gql.api.graphql.enums import SyncFailureCode, SyncMode, SyncState, SyncStep, WaitReason
from routiq_gql.api.graphql.nodes import Node
from routiq_gql.api.graphql.problems import Problem
from routiq_gql.api.graphql.receipts import CompletionRange, SyncReceipt
from routiq_gql.api.graphql.steps import StepTiming, SyncActor
from routiq_gql.api.graphql.sync_log import SyncLogConnection, SyncLogEntry
from routiq_gql.sync import model
from routiq_gql.sync.log_pages import LogPageRequest
from routiq_gql.sync.log_requests import LogRequest
from routiq_gql.sync.model import TOTAL_STEPS

After = Annotated[
    int | None,
    strawberry.argument(description="Only lines after the one with this `seq`; 0 starts at the first."),
]
AfterCursor = Annotated[
    str | None, strawberry.argument(description=f"Only those after this cursor, {examples.LINE_CURSOR}.")
]
BeforeCursor = Annotated[
    str | None, strawberry.argument(description=f"Only those before this cursor, {examples.LINE_CURSOR}.")
]
LogLimit = Annotated[int, strawberry.argument(description="How many lines at most, 1 to 100.")]


def given(after: int | None) -> int | None:
    """An optional argument without Strawberry's marker for an omitted argument."""
    return None if after is UNSET else after


@strawberry.type(description="Why a sync failed or was cancelled, in words for the clinic.")
class SyncFailure(Problem):
    code: SyncFailureCode = strawberry.field(description="The reason; programs may branch on it.")
    step: SyncStep = strawberry.field(description="The step in which the sync ended.")
    retryable: bool = strawberry.field(description="Whether starting again, with nothing else changed, may succeed.")

    @classmethod
    def of(cls, failure: model.SyncFailure) -> Self:
        return cls(
            code=SyncFailureCode[failure.code.name],
            step=SyncStep[failure.step.name],
            message=failure.message,
            what_to_do=failure.what_to_do,
            retryable=failure.retryable,
        )


@strawberry.type(description="One state of one sync. Of two states the one with the higher `version` is the newer.")
class SyncStatus(Node):
    id: ID = strawberry.field(description=f"The same as `syncId`, {examples.SYNC}.")
    organization_id: ID = strawberry.field(
        description=f"The organization whose data is synced, {examples.ORGANIZATION}."
    )
    sync_id: ID = strawberry.field(
        description=f"`sync_`, the organization's id, and the second of its start in UTC, {examples.SYNC}."
    )
    mode: SyncMode = strawberry.field(
        description="How much this sync reads: the mode in effect. Until the sync has chosen it, in step 3, the mode "
        "that was asked for."
    )
    status: SyncState = strawberry.field(description="Its status.")
    step: SyncStep = strawberry.field(description="The step that runs, or in which it ended.")
    progress_percentage: int = strawberry.field(
        description="0 to 100 percent. Never decreases, and is 100 for a completed sync only."
    )
    current_step: str = strawberry.field(description="The current action, as a sentence for people.")
    total_steps: int = strawberry.field(description="How many steps a sync has: 8.")
    current_step_number: int = strawberry.field(description="The number of `step`, 1 to 8.")
    patients_found: int = strawberry.field(description="Patients that Cliniko lists, as far as read.")
    appointments_found: int = strawberry.field(
        description="Appointments of the clinic, individual and group, as far as read: from the start of the stored "
        "history on, and not cancelled, archived or deleted."
    )
    active_patients_identified: int = strawberry.field(description="Active patients among them; 0 before step 7.")
    active_patients_stored: int = strawberry.field(description="Active patients stored; 0 until all are.")
    started_at: datetime = strawberry.field(description="When it was started.")
    completed_at: datetime | None = strawberry.field(
        description="When it ended, whatever the outcome; null while it runs."
    )
    duration_seconds: float | None = strawberry.field(description="How long it took, in seconds; null while it runs.")
    estimated_completion: datetime | None = strawberry.field(
        description="When it will probably end; null while unknown, and after the end."
    )
    estimated_completion_range: CompletionRange | None = strawberry.field(
        description="The time within which it will probably end; null while unknown, and after the end."
    )
    resumes_at: datetime | None = strawberry.field(
        description="While it waits: when it resumes, in UTC. Null if it does not wait."
    )
    waiting_for: WaitReason | None = strawberry.field(
        description="Why it waits before it resumes by itself; null if it does not wait."
    )
    errors: list[str] = strawberry.field(description="Empty, or one sentence that says why it ended without success.")
    failure: SyncFailure | None = strawberry.field(
        description="The same with its reason and what to do; null unless it failed or was cancelled."
    )
    last_updated: datetime = strawberry.field(
        description="When this state was stored. Named like the documented key `last_updated`."
    )
    version: int = strawberry.field(description="Increases with every state of this sync.")
    receipt: SyncReceipt | None = strawberry.field(
        description="The comparison with Cliniko at its end; null before the end, for a sync that did not complete, "
        "and for syncs of earlier versions."
    )
    steps: list[StepTiming] = strawberry.field(
        description="The steps that it has entered, in order, without gaps between them. Of a sync that has to read "
        "everything after all: its last pass. Empty for syncs of earlier versions."
    )
    started_by: SyncActor | None = strawberry.field(
        description="Who or what started it; null for syncs of earlier versions."
    )
    cancelled_by: SyncActor | None = strawberry.field(
        description="Who ended it before its time, by cancelling it or by disconnecting its organization. Null for "
        "other syncs, and for syncs of earlier versions."
    )

    changes: SyncChangeCounts | None = strawberry.field(
        description="How many patients it has changed; null before the end, for a sync that did not complete, for the "
        "first sync of a clinic, where nothing counts as a change, and for syncs of earlier versions."
    )

    @strawberry.field(description="Its log in ascending order: the newest lines, or those after `after`.")
    async def log(self, info: Info, after: After = UNSET, limit: LogLimit = 100) -> list[SyncLogEntry]:
        lines = await info.context.loader.load(LogRequest(self.sync_id, given(after), limit))
        return [SyncLogEntry.of(line) for line in lines]

    @strawberry.field(
        description="Its log in ascending order as a connection: from the first line on, or with `last` up to the "
        "newest one."
    )
    async def log_connection(
        self,
        info: Info,
        first: First = UNSET,
        after: AfterCursor = UNSET,
        last: Last = UNSET,
        before: BeforeCursor = UNSET,
    ) -> SyncLogConnection:
        page = page_arguments(first, after, last, before)
        return SyncLogConnection.of(await info.context.log_page_loader.load(LogPageRequest.of(self.sync_id, page)))

    @classmethod
    def of(cls, sync: model.SyncSnapshot) -> Self:
        within = sync.estimated_completion_range
        return cls(
            id=ID(sync.sync_id),
            organization_id=ID(sync.organization_id),
            sync_id=ID(sync.sync_id),
            mode=SyncMode[sync.mode.name],
            status=SyncState[sync.status.name],
            step=SyncStep[sync.step.name],
            progress_percentage=sync.progress_percentage,
            current_step=sync.current_step,
            total_steps=TOTAL_STEPS,
            current_step_number=sync.step.value,
            patients_found=sync.patients_found,
            appointments_found=sync.appointments_found,
            active_patients_identified=sync.active_patients_identified,
            active_patients_stored=sync.active_patients_stored,
            started_at=sync.started_at,
            completed_at=sync.completed_at,
            duration_seconds=sync.duration_seconds,
            estimated_completion=sync.estimated_completion,
            estimated_completion_range=CompletionRange.of(within) if within else None,
            resumes_at=sync.resumes_at,
            waiting_for=WaitReason[sync.waiting_for.name] if sync.waiting_for else None,
            errors=sync.errors,
            failure=SyncFailure.of(sync.failure) if sync.failure else None,
            last_updated=sync.last_updated,
            version=sync.version,
            receipt=SyncReceipt.of(sync.receipt) if sync.receipt else None,
            steps=[StepTiming.of(one) for one in sync.steps],
            started_by=SyncActor.of(sync.started_by) if sync.started_by else None,
            cancelled_by=SyncActor.of(sync.cancelled_by) if sync.cancelled_by else None,
            changes=SyncChangeCounts.of(sync.changes) if sync.changes else None,
        )
