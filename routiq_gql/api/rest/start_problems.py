"""The JSON object of a problem beside a started sync."""

from pydantic import Field

from routiq_gql.api.json_objects import JsonObject, one_of
from routiq_gql.api.rest.values import Advice, Sentence
from routiq_gql.sync.problems import StartProblemCode


class StartProblem(JsonObject):
    """Why the sync in the answer to a start will not do as asked."""

    code: str = Field(
        description="Stable; programs may branch on it.",
        json_schema_extra=one_of(code.value for code in StartProblemCode),
    )
    message: Sentence
    what_to_do: Advice
    retryable: bool = Field(description="Whether starting again later, with nothing else changed, may succeed.")
