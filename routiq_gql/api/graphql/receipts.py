"""The object types of a sync's receipt: the comparison of the mirror with Cliniko, list by list.

The module also has the range of a running sync's end, which ``types.py`` needs beside the receipt.
"""

from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import ID

from routiq_gql.api.graphql import examples
from routiq_gql.sync import model, receipt
from routiq_gql.sync.log_requests import check_limit

RowLimit = Annotated[int, strawberry.argument(description="How many rows at most, 1 to 100.")]


@strawberry.type(description="When a running sync will probably end. The true end lies within it in 4 of 5 syncs.")
class CompletionRange:
    earliest: datetime = strawberry.field(description="The earliest probable end.")
    latest: datetime = strawberry.field(description="The latest probable end.")

    @classmethod
    def of(cls, estimated: model.CompletionRange) -> Self:
        return cls(earliest=estimated.earliest, latest=estimated.latest)


@strawberry.type(description="The comparison of one list of Cliniko with the mirror, and the changes in the mirror.")
class ListReceipt:
    list: str = strawberry.field(
        description="Cliniko's name of the list: `patients`, `individual_appointments`, `group_appointments`, "
        "`attendees`, `appointment_types` or `practitioners`."
    )
    in_cliniko: int | None = strawberry.field(
        description="Rows that Cliniko counts; null if it did not count them. Of attendees: those of the compared "
        "classes."
    )
    in_mirror: int = strawberry.field(description="Rows of the mirror that correspond to these.")
    agrees: bool | None = strawberry.field(
        description="Whether both agree after the last repair; null if they were not compared. `inCliniko` is then "
        "null too, except for attendees: of these some classes agree, and others are compared by a later sync."
    )
    read: int = strawberry.field(description="Rows that the sync read.")
    added: int = strawberry.field(description="Rows that are new in the mirror.")
    updated: int = strawberry.field(description="Rows whose content changed.")
    removed: int = strawberry.field(description="Rows that left the mirror.")
    unreadable: int = strawberry.field(description="Rows that Cliniko lists and that can't be read.")
    suppressed: int = strawberry.field(description="Rows of erased persons: counted, never shown.")
    requests: int = strawberry.field(description="Requests to Cliniko for this list.")
    compared: int | None = strawberry.field(
        description="Of attendees: how many classes were compared. Null for other lists."
    )
    of: int | None = strawberry.field(
        description="Of attendees: how many classes there are within the windows of activity. Null for other lists."
    )
    oldest_check: datetime | None = strawberry.field(
        description="Of attendees: when the class was compared whose comparison is the oldest; null before all "
        "were, and for other lists."
    )


@strawberry.type(description="A row that Cliniko lists and that can't be read.")
class UnreadableRow:
    list: str = strawberry.field(description=f"Cliniko's name of the list, {examples.CLINIKO_LIST}.")
    id: ID | None = strawberry.field(
        description=f"The row's id in Cliniko, {examples.CLINIKO_ID}; null if even that can't be read."
    )
    reason: str = strawberry.field(description="Why it can't be read.")


@strawberry.type(
    description="The receipt of a completed sync: whether the stored rows agree with Cliniko, by counts and by the "
    "changes that Cliniko reports. An edit that leaves no trace in either is found by the next FULL sync."
)
class SyncReceipt:
    agrees: bool | None = strawberry.field(
        description="False if a compared list differs after the last repair. Null if none differs and a list was not "
        "compared because Cliniko did not count it, or did not list attendees by class: `agrees` and `inCliniko` of "
        "such a list are null. Else true: also while some classes of attendees are compared by a later sync, and if "
        "the key may not read `practitioners`."
    )
    checked_at: datetime = strawberry.field(description="When the last total was taken.")
    requests: int = strawberry.field(description="Requests to Cliniko in the whole sync.")
    waited_seconds: float = strawberry.field(
        description="How long the sync waited for Cliniko's rate limit and after failed requests, in seconds."
    )
    lists: list[ListReceipt] = strawberry.field(description="Each list, in the order of reading.")
    rows: strawberry.Private[tuple[receipt.UnreadableRowReceipt, ...]]

    @strawberry.field(description="Rows that can't be read: the first ones of each list.")
    def unreadable_rows(self, limit: RowLimit = 20) -> list[UnreadableRow]:
        check_limit(limit)
        return [
            UnreadableRow(list=row.list, id=ID(row.id) if row.id is not None else None, reason=row.reason)
            for row in self.rows[:limit]
        ]

    @classmethod
    def of(cls, made: receipt.Receipt) -> Self:
        return cls(
            agrees=made.agrees,
            checked_at=made.checked_at,
            requests=made.requests,
            waited_seconds=round(made.waited_seconds, 3),
            lists=[_list_receipt(one) for one in made.lists],
            rows=made.unreadable_rows,
        )


def _list_receipt(one: receipt.ListReceipt) -> ListReceipt:
    return ListReceipt(
        list=one.list,
        in_cliniko=one.in_cliniko,
        in_mirror=one.in_mirror,
        agrees=one.agrees,
        read=one.read,
        added=one.added,
        updated=one.updated,
        removed=one.removed,
        unreadable=one.unreadable,
        suppressed=one.suppressed,
        requests=one.requests,
        compared=one.compared,
        of=one.of,
        oldest_check=one.oldest_check,
    )
