"""Responses to requests without a readable or permitted operation: JSON with ``errors``, and a status that says why."""

from cross_web import HTTPException
from graphql import GraphQLError
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from routiq_gql.api.errors import OUTCOMES, code_of, headers_of, sentence_for_client
from routiq_gql.api.graphql.errors import coded_error
from routiq_gql.api.json_text import JsonResponse
from routiq_gql.errors import RoutiqError

NEEDS_A_STREAM = (
    "A subscription needs a response that stays open: a websocket with the protocol graphql-transport-ws at this "
    "address, or POST with “Accept: text/event-stream” or “Accept: multipart/mixed;subscriptionSpec=1.0”."
)


def status_and_reason(error: HTTPException) -> tuple[int, str]:
    """Status and sentence of a refusal by Strawberry, with better texts for some."""
    cause = error.__cause__
    if isinstance(cause, InvalidOperationTypeError):
        if cause.operation_type is OperationType.SUBSCRIPTION:
            return 400, NEEDS_A_STREAM
        return 405, "Mutations are accepted by POST only."
    if error.reason == "Unsupported content type":
        return 415, "Send the request as JSON, with “Content-Type: application/json”."
    return error.status_code, error.reason


def error_response(error: RoutiqError) -> JsonResponse:
    """The response to a request that was refused before the execution, such as an unauthenticated request."""
    outcome = OUTCOMES[code_of(error)]
    message = sentence_for_client(error, path="/graphql")
    content = {"errors": [{"message": message, "extensions": {"code": outcome.graphql_code}}]}
    return JsonResponse(content, status_code=outcome.http_status, headers=headers_of(error))


def refusal(status: int, reason: str) -> JsonResponse:
    """The response with this status and sentence."""
    error = coded_error(GraphQLError(reason))
    return JsonResponse(
        {"errors": [error.formatted]}, status_code=status, headers={"Allow": "GET, POST"} if status == 405 else None
    )
