"""GraphQL errors as clients read them: each has ``extensions.code``, and internal errors only show a reference.

An extension, since Strawberry's exception handlers don't cover subscriptions.
"""

from collections.abc import Mapping

from graphql import FieldNode, GraphQLError, StringValueNode, VariableNode
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import MaskErrors
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from routiq_gql.api.errors import OUTCOMES, code_of, graphql_sentence, internal_sentence, log_fault
from routiq_gql.errors import RoutiqError
from routiq_gql.security.viewer import SYNC_ID

REQUEST_ERRORS = (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)
"""Errors that Strawberry raises for a request without an operation to execute."""

MAX_MESSAGE_CHARACTERS = 1_000
"""The most characters of a message. Longer messages repeat a value of the client, and are cut."""


class CodedErrors(MaskErrors):
    """Adds codes to the errors of every result and every event, before it is sent.

    Args:
        hide_suggestions: Remove GraphQL's suggestions for unknown names.
    """

    def __init__(self, *, hide_suggestions: bool = False) -> None:
        super().__init__()
        self._hide_suggestions = hide_suggestions

    def _process_errors(self, errors: list[GraphQLError]) -> list[GraphQLError]:
        return [self._shown(error) for error in errors]

    def _shown(self, error: GraphQLError) -> GraphQLError:
        cause = _cause(error)
        if cause is None:
            coded = coded_error(error)
            return _without_suggestion(coded) if self._hide_suggestions else coded
        return _error_of_cause(error, cause, self._sync_id(error))

    def _sync_id(self, error: GraphQLError) -> str | None:
        """The ``syncId`` argument of the failed field, if it has one."""
        for node in error.nodes or ():
            for argument in (node.arguments or ()) if isinstance(node, FieldNode) else ():
                if argument.name.value != "syncId":
                    continue
                value: object = None
                if isinstance(argument.value, StringValueNode):
                    value = argument.value.value
                elif isinstance(argument.value, VariableNode):
                    value = (self.execution_context.variables or {}).get(argument.value.name.value)
                if isinstance(value, str) and SYNC_ID.fullmatch(value):
                    return value
        return None


def error_of(cause: BaseException) -> GraphQLError:
    """The error that a client reads about ``cause``, outside of any field."""
    return _error_of_cause(GraphQLError(str(cause)), cause)


def _error_of_cause(error: GraphQLError, cause: BaseException, sync_id: str | None = None) -> GraphQLError:
    outcome = OUTCOMES[code_of(cause)]
    if outcome.is_shown and isinstance(cause, RoutiqError):
        return _copy(error, graphql_sentence(cause), {"code": outcome.graphql_code})
    known = {"sync_id": sync_id} if sync_id else {}
    reference = log_fault(cause, field=".".join(map(str, error.path or ())), **known)
    shown = {"code": outcome.graphql_code, "reference": reference} | ({"syncId": sync_id} if sync_id else {})
    return _copy(error, internal_sentence(reference), shown)


def coded_error(error: GraphQLError) -> GraphQLError:
    """An error of the request: syntax, validation or variables. Its message is shown unchanged, for developers."""
    message = error.message
    if isinstance(error.original_error, CannotGetOperationTypeError):
        message = error.original_error.as_http_error_reason()
    elif isinstance(error.original_error, MissingQueryError):
        message = "There is no query in the request."
    return _copy(error, message, {**(error.extensions or {}), "code": OUTCOMES["BAD_REQUEST"].graphql_code})


def _without_suggestion(error: GraphQLError) -> GraphQLError:
    return _copy(error, error.message.partition(" Did you mean ")[0], error.extensions or {})


def _cause(error: GraphQLError) -> BaseException | None:
    """The exception behind ``error``; ``None`` if GraphQL refused the request."""
    cause: BaseException | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return None if isinstance(cause, REQUEST_ERRORS) else cause


def _copy(error: GraphQLError, message: str, extensions: Mapping[str, object]) -> GraphQLError:
    return GraphQLError(
        _readable(message),
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=dict(extensions),
    )


def _readable(message: str) -> str:
    """The message, cut if it is too long, and with ``?`` for lone surrogates."""
    shown = message if len(message) <= MAX_MESSAGE_CHARACTERS else f"{message[: MAX_MESSAGE_CHARACTERS - 1]}…"
    return shown.encode("utf-8", "replace").decode()
