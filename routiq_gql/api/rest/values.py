"""Values that the JSON objects of several modules share."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from routiq_gql.api.json_objects import one_of
from routiq_gql.sync.model import SyncStep

SyncId = Annotated[
    str,
    Field(
        pattern="^sync_[A-Za-z0-9_-]{1,96}$",
        description="The sync.",
        examples=["sync_org_2xwHiNrj68eaRUlX10anlXGvzX7_20241222_143022"],
    ),
]
StepName = Annotated[
    str,
    BeforeValidator(lambda step: SyncStep(step).name.lower()),
    Field(json_schema_extra=one_of(step.name.lower() for step in SyncStep)),
]
Sentence = Annotated[str, Field(description="What happened, as a sentence for people.")]
Advice = Annotated[str, Field(description="What to do, as a sentence for people.")]
