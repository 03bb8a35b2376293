"""The JSON object of live updates, in the history."""

from typing import Annotated

from pydantic import Field

from routiq_gql.api.json_objects import Count, JsonObject, Time


class LiveUpdates(JsonObject):
    """Consecutive completed syncs that looks at Cliniko have started."""

    after_sync_id: str = Field(
        validation_alias="after",
        description="The listed sync after which they came. The next newer sync of the history came after them.",
    )
    count: Count = Field(description="How many syncs.")
    first_at: Time = Field(description="When the first of them was started.")
    last_at: Time = Field(description="When the last of them ended.")
    patient_changes: Count = Field(
        description="How many patients each of them has changed, added up. A patient may count several times."
    )


LiveUpdatesOfHistory = Annotated[
    list[LiveUpdates],
    Field(description="The completed syncs of looks between the syncs of this page, newest first; not in the list."),
]
