"""The JSON objects of a sync that say when its steps ran, and who or what started and cancelled it."""

from pydantic import Field

from routiq_gql.api.json_objects import JsonObject, Time, one_of
from routiq_gql.api.rest.values import StepName
from routiq_gql.sync.actors import ActorKind


class StepTiming(JsonObject):
    """The time that a sync spent in one step."""

    step: StepName = Field(validation_alias="number", description="The step by name.")
    started_at: Time = Field(description="When the sync entered it; the first begins with the sync.")
    ended_at: Time | None = Field(description="When the next step began, or the sync ended; null while this step runs.")
    waited_seconds: float = Field(
        ge=0,
        description="How long the sync waited for Cliniko within it, in seconds. A wait counts once it is over. The "
        "sum over all steps equals waited_seconds of the receipt.",
    )


class Actor(JsonObject):
    """Who or what started or cancelled a sync."""

    kind: str = Field(
        description="person: a request to the API. schedule: the organization's schedule. terminal: a command of "
        "routiq-gql on the server.",
        json_schema_extra=one_of(kind.value for kind in ActorKind),
    )
    name: str | None = Field(
        description="The person or program, as named by the token's issuer, or `token:` and the id of a token of the "
        "token file. Null without authentication, and unless kind is person."
    )


STEP_OBJECTS = (StepTiming, Actor)
