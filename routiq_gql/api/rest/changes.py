"""The JSON object of the counts of what a sync has changed."""

from typing import Annotated

from pydantic import Field

from routiq_gql.api.json_objects import Count, JsonObject


class SyncChangeCounts(JsonObject):
    """How many patients a sync has changed. A patient may count several times, except in `patients`."""

    patients: Count = Field(description="All patients with a change, each once; also those whose lists alone changed.")
    added: Count = Field(description="Patients that appeared in Cliniko.")
    changed: Count = Field(
        description="Patients whose own data changed: a name, an e-mail address, a phone number, or whether they are "
        "archived."
    )
    vanished: Count = Field(description="Patients that Cliniko no longer has.")
    became_active: Count = Field(description="Patients that became active.")
    became_inactive: Count = Field(description="Patients that are no longer active.")


ChangesOfSync = Annotated[
    SyncChangeCounts | None,
    Field(
        description="How many patients the sync has changed. Null before the end, for a sync that did not complete, "
        "for the first sync of a clinic, and for syncs of earlier versions."
    ),
]
