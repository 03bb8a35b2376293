"""The JSON objects of a sync's receipt, and of the estimates for a running sync and for the next sync."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from routiq_gql.api.json_objects import Count, JsonObject, Time, one_of
from routiq_gql.sync.model import SyncMode

Mode = Annotated[
    str,
    Field(
        description="How much is read from Cliniko: the mode in effect. Until the sync has chosen it, in step 3, the "
        "mode that was asked for.",
        json_schema_extra=one_of(mode.value for mode in SyncMode),
    ),
]
ListName = Annotated[
    str,
    Field(
        description="Cliniko's name of the list: patients, individual_appointments, group_appointments, attendees, "
        "appointment_types or practitioners."
    ),
]


class CompletionRange(JsonObject):
    """The time within which a running sync will probably end; the true end lies within it in 4 of 5 syncs."""

    earliest: Time = Field(description="The earliest probable end.")
    latest: Time = Field(description="The latest probable end.")


class NextSync(JsonObject):
    """The cost of the next sync, if it were started now without a mode."""

    mode: Mode
    requests: Count = Field(description="How many requests to Cliniko it will probably need.")
    seconds: float = Field(ge=0, description="How many seconds it will probably take, waits included.")


class ListReceipt(JsonObject):
    """The comparison of one list of Cliniko with the mirror, and the changes in the mirror."""

    list: ListName
    in_cliniko: Count | None = Field(
        description="Rows that Cliniko counts; null if it did not count them. Of attendees: those of the compared "
        "classes."
    )
    in_mirror: Count = Field(description="Rows of the mirror that correspond to these.")
    agrees: bool | None = Field(
        description="Whether both agree after the last repair; null if they were not compared. in_cliniko is then null "
        "too, except for attendees: of these some classes agree, and others are compared by a later sync."
    )
    read: Count = Field(description="Rows that the sync read.")
    added: Count = Field(description="Rows that are new in the mirror.")
    updated: Count = Field(description="Rows whose content changed.")
    removed: Count = Field(description="Rows that left the mirror.")
    unreadable: Count = Field(description="Rows that Cliniko lists and that can't be read.")
    suppressed: Count = Field(description="Rows of erased persons: counted, never shown.")
    requests: Count = Field(description="Requests to Cliniko for this list.")
    compared: Count | None = Field(description="Of attendees: how many classes were compared.")
    of: Count | None = Field(description="Of attendees: how many classes there are within the windows of activity.")
    oldest_check: Time | None = Field(description="Of attendees: the time of the oldest comparison of a class.")


class UnreadableRow(JsonObject):
    """A row that Cliniko lists and that can't be read."""

    list: ListName
    id: str | None = Field(description="The row's id in Cliniko; null if even that can't be read.")
    reason: str = Field(description="Why it can't be read.")


class Receipt(JsonObject):
    """Whether the stored rows agree with Cliniko, by counts and by the changes that Cliniko reports."""

    agrees: bool | None = Field(
        description="False if a compared list differs after the last repair. Null if none differs and a list was not "
        "compared because Cliniko did not count it, or did not list attendees by class: agrees and in_cliniko of such "
        "a list are null. Else true: also while some classes of attendees are compared by a later sync, and if the key "
        "may not read practitioners."
    )
    checked_at: Time = Field(description="When the last total was taken.")
    requests: Count = Field(description="Requests to Cliniko in the whole sync.")
    waited_seconds: Annotated[float, BeforeValidator(lambda seconds: round(seconds, 3))] = Field(
        ge=0, description="How long the sync waited for Cliniko's rate limit and after failed requests, in seconds."
    )
    lists: list[ListReceipt] = Field(description="Each list, in the order of reading.")
    unreadable_rows: list[UnreadableRow] = Field(description="Rows that can't be read: the first ones of each list.")


RECEIPT_OBJECTS = (Receipt, ListReceipt, UnreadableRow, CompletionRange, NextSync)
