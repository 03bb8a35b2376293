"""The object types of a sync that say when its steps ran, and who or what started and cancelled it."""

from datetime import datetime
from typing import Self

import strawberry

from routiq_gql.api.graphql.enums import SyncActorKind, SyncStep
from routiq_gql.sync import actors, model, step_times

_STEPS = {step.value: SyncStep[step.name] for step in model.SyncStep}


@strawberry.type(description="The time that a sync spent in one step.")
class StepTiming:
    step: SyncStep = strawberry.field(description="The step.")
    started_at: datetime = strawberry.field(description="When the sync entered it; the first begins with the sync.")
    ended_at: datetime | None = strawberry.field(
        description="When the next step began, or the sync ended; null while this step runs."
    )
    waited_seconds: float = strawberry.field(
        description="How long the sync waited for Cliniko within it, in seconds: for the rate limit and after failed "
        "requests. A wait counts once it is over. The sum over all steps equals `waitedSeconds` of the receipt."
    )

    @classmethod
    def of(cls, timing: step_times.StepTiming) -> Self:
        return cls(
            step=_STEPS[timing.number],
            started_at=timing.started_at,
            ended_at=timing.ended_at,
            waited_seconds=timing.waited_seconds,
        )


@strawberry.type(description="Who or what started or cancelled a sync.")
class SyncActor:
    kind: SyncActorKind = strawberry.field(description="Where the request came from.")
    name: str | None = strawberry.field(
        description="The person or program, as named by the token's issuer (`sub`), or `token:` and the id of a token "
        "of the token file. Null without authentication, and unless `kind` is PERSON."
    )

    @classmethod
    def of(cls, actor: actors.SyncActor) -> Self:
        return cls(kind=SyncActorKind[actor.kind.name], name=actor.name)
