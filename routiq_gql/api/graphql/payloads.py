"""The results of starting and cancelling a sync: the sync, the documented sentence, and the problem if there is one."""

from typing import Self

import strawberry
from strawberry import ID

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.enums import SyncState
from routiq_gql.api.graphql.problems import CancelSyncProblem, StartSyncProblem
from routiq_gql.api.graphql.types import SyncStatus
from routiq_gql.sync.outcomes import CancelledSync, StartedSync


@strawberry.type(description="The sync that runs now.")
class StartSyncPayload:
    message: str = strawberry.field(description="`Sync started` or `Sync already in progress`.")
    sync_id: ID = strawberry.field(description=f"The sync to follow, {examples.SYNC}.")
    organization_id: ID = strawberry.field(description=f"The organization, {examples.ORGANIZATION}.")
    status: SyncState = strawberry.field(description="The status of the sync.")
    created: bool = strawberry.field(description="Whether this call started it.")
    sync: SyncStatus = strawberry.field(description="The sync itself.")
    problem: StartSyncProblem | None = strawberry.field(
        description="Why it will fail, or may read less than asked for; null if nothing of that is known. The sync is "
        "real, and may be followed, all the same."
    )

    @classmethod
    def of(cls, started: StartedSync) -> Self:
        sync = SyncStatus.of(started.sync)
        return cls(
            message=started.message,
            sync_id=sync.sync_id,
            organization_id=sync.organization_id,
            status=sync.status,
            created=started.created,
            sync=sync,
            problem=StartSyncProblem.of(started.problem) if started.problem else None,
        )


@strawberry.type(description="The final state of a sync, whether this call ended it or it had ended before.")
class CancelSyncPayload:
    message: str = strawberry.field(description="`Sync cancelled`, or `Sync already completed` (failed, cancelled).")
    sync_id: ID = strawberry.field(description=f"The sync, {examples.SYNC}.")
    status: SyncState = strawberry.field(description="How it ended.")
    sync: SyncStatus = strawberry.field(description="The sync itself.")
    problem: CancelSyncProblem | None = strawberry.field(description="Why this call did not end it; null if it did.")

    @classmethod
    def of(cls, cancelled: CancelledSync) -> Self:
        sync = SyncStatus.of(cancelled.sync)
        return cls(
            message=cancelled.message,
            sync_id=sync.sync_id,
            status=sync.status,
            sync=sync,
            problem=CancelSyncProblem.of(cancelled.problem) if cancelled.problem else None,
        )
