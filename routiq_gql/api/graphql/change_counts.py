"""The counts of what a sync has changed, as GraphQL shows them."""

from typing import Self

import strawberry

from routiq_gql.sync import change_counts


@strawberry.type(
    description="How many patients a sync has changed. A patient may count several times, except in `patients`."
)
class SyncChangeCounts:
    patients: int = strawberry.field(
        description="All patients with a change, each once; also those whose lists alone changed."
    )
    added: int = strawberry.field(description="Patients that appeared in Cliniko.")
    changed: int = strawberry.field(
        description="Patients whose own data changed: a name, an e-mail address, a phone number, or whether they are "
        "archived."
    )
    vanished: int = strawberry.field(description="Patients that Cliniko no longer has.")
    became_active: int = strawberry.field(description="Patients that became active.")
    became_inactive: int = strawberry.field(description="Patients that are no longer active.")

    @classmethod
    def of(cls, counts: change_counts.ChangeCounts) -> Self:
        return cls(
            patients=counts.patients,
            added=counts.added,
            changed=counts.changed,
            vanished=counts.vanished,
            became_active=counts.became_active,
            became_inactive=counts.became_inactive,
        )
