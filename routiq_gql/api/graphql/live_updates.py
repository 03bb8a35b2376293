"""The object type of live updates, in both forms of the history."""

from datetime import datetime
from typing import Self

import strawberry
from strawberry import ID

from routiq_gql.api.graphql import examples
from routiq_gql.organizations import live_updates

LIVE_UPDATES = (
    "The completed syncs of looks between the syncs of this page, which do not list them; newest first. Consecutive "
    "syncs are one entry."
)


@strawberry.type(
    description="Consecutive completed syncs that looks at Cliniko have started. They are deleted after 7 days."
)
class LiveUpdates:
    after_sync_id: ID = strawberry.field(
        description=f"The listed sync after which they came, {examples.SYNC}. The next newer sync of the history came "
        "after them."
    )
    count: int = strawberry.field(description="How many syncs.")
    first_at: datetime = strawberry.field(description="When the first of them was started.")
    last_at: datetime = strawberry.field(description="When the last of them ended.")
    patient_changes: int = strawberry.field(
        description="How many patients each of them has changed, added up. A patient may count several times."
    )

    @classmethod
    def of(cls, one: live_updates.LiveUpdates) -> Self:
        return cls(
            after_sync_id=ID(one.after),
            count=one.count,
            first_at=one.first_at,
            last_at=one.last_at,
            patient_changes=one.patient_changes,
        )
