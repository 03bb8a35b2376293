"""The JSON object of freshness, in dashboards and in the list of organizations."""

from typing import Annotated

from pydantic import Field

from routiq_gql.api.json_objects import Count, JsonObject, Time, one_of
from routiq_gql.organizations.freshness import FreshnessMode


class Freshness(JsonObject):
    """How old the published data is. It is late when `fresh_until` has passed."""

    checked_at: Time = Field(
        description="As of when the data is: when the newest completed sync compared it with Cliniko."
    )
    fresh_until: Time | None = Field(
        description="When the next scheduled sync should have completed; null without a schedule, and while the "
        "connection is switched off. A sync that fails does not change it. In modes with looks: when the next "
        "comparison should have completed."
    )
    mode: str = Field(
        json_schema_extra=one_of(mode.value for mode in FreshnessMode),
        description="How the data is kept up to date: `on_demand` by syncs that people start, `scheduled` by a "
        "schedule too, `live` by looks at Cliniko every some seconds, `unwatched` by rarer looks, as no client has "
        "read the organization for five minutes.",
    )
    requests_per_minute: Count | None = Field(
        description="Requests to Cliniko that looks and their syncs may send within a minute, for all organizations "
        "with the API key; null in other modes, and while requests are not paced. Less for a while after "
        "Cliniko's rate limit was reached."
    )
    look_interval_seconds: Count | None = Field(
        description="Seconds between two looks; null in modes without looks. More while other organizations with the "
        "same API key are kept live, after looks or their syncs have failed, up to 900, and for a while after "
        "Cliniko's rate limit was reached."
    )


FreshnessOfData = Annotated[
    Freshness | None, Field(description="How old the published data is; null before the first completed sync.")
]
