"""The JSON object of freshness, in dashboards and in the list of organizations."""

from typing import Annotated

from pydantic import Field

from routiq_gql.api.json_objects import JsonObject, Time


class Freshness(JsonObject):
    """How old the published data is. It is late when `fresh_until` has passed."""

    checked_at: Time = Field(
        description="As of when the data is: when the newest completed sync compared it with Cliniko."
    )
    fresh_until: Time | None = Field(
        description="When the next scheduled sync should have completed; null without a schedule, and while the "
        "connection is switched off. A sync that fails does not change it."
    )


FreshnessOfData = Annotated[
    Freshness | None, Field(description="How old the published data is; null before the first completed sync.")
]
