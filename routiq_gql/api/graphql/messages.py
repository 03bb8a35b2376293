"""The form of a client's websocket messages: names the wrong member, in a text that fits a close frame.

Only the form is checked here. The execution checks the operation, and its errors are results.
Source: graphql-ws, PROTOCOL.md.
"""

from collections.abc import Mapping

from routiq_gql.api.graphql.trusted.requests import names_its_document

MAX_ID_CHARACTERS = 1_000
"""Characters of an operation's id, which every frame of the operation repeats."""

_TYPES = ("connection_init", "ping", "pong", "subscribe", "complete")
_TEXT_OR_NULL = ("operationName",)
_OBJECT_OR_NULL = ("variables", "extensions")


def problem_of(message: object) -> str | None:
    """The error of a message, as the reason of a close frame; ``None`` if its form is right."""
    problem = _problem_of(message)
    return f"Invalid message: {problem}" if problem is not None else None


def _problem_of(message: object) -> str | None:
    if not isinstance(message, Mapping):
        return "it must be a JSON object"
    kind, payload = message.get("type"), message.get("payload")
    if not isinstance(kind, str) or kind not in _TYPES:
        return f"“type” must be {', '.join(_TYPES[:-1])} or {_TYPES[-1]}"
    if kind in {"subscribe", "complete"}:
        return _problem_of_id(message.get("id")) or (_problem_of_request(payload) if kind == "subscribe" else None)
    return None if isinstance(payload, dict | None) else "“payload” must be an object or null"


def _problem_of_id(operation_id: object) -> str | None:
    if not isinstance(operation_id, str) or not operation_id:
        return "“id” must be a non-empty string"
    if len(operation_id) > MAX_ID_CHARACTERS:
        return f"“id” may have at most {MAX_ID_CHARACTERS:,} characters"
    if any("\ud800" <= letter <= "\udfff" for letter in operation_id):
        return "“id” must not hold half a surrogate pair"
    return None


def _problem_of_request(payload: object) -> str | None:
    if not isinstance(payload, dict):
        return "“payload” must be an object"
    if not isinstance(payload.get("query"), str) and not names_its_document(payload):
        return "“payload.query” must be a string"
    for name in _TEXT_OR_NULL:
        if not isinstance(payload.get(name), str | None):
            return f"“payload.{name}” must be a string or null"
    for name in _OBJECT_OR_NULL:
        if not isinstance(payload.get(name), dict | None):
            return f"“payload.{name}” must be an object or null"
    return None
