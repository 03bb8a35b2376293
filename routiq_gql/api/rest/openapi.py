"""The OpenAPI 3.1 description of the REST routes, written by hand as data; the JSON objects are declared beside it.

A test compares it with the routes that exist.
"""

from pydantic.json_schema import JsonSchemaValue

from routiq_gql import __version__
from routiq_gql.api.rest.openapi_parts import (
    BUSY,
    NOT_FOUND,
    ORGANIZATION,
    SCHEMAS,
    SYNC,
    TOO_MANY_STARTS,
    TOO_MANY_STREAMS,
    UNAUTHENTICATED,
    WRONG_ORGANIZATION,
    number,
    operation,
    problem,
    query,
    ref,
    text,
)
from routiq_gql.api.rest.openapi_patients import PATIENT_PATHS
from routiq_gql.api.rest.openapi_webhooks import WEBHOOK_PATHS
from routiq_gql.organizations.summaries import LONGEST_SEARCH
from routiq_gql.sync.model import SyncMode

EVENT: JsonSchemaValue = {
    "type": "object",
    "description": "One event. `data` is a SyncStatus as JSON, or with `event: log` a line of the log. "
    "An `event: heartbeat` has no id; ignore its data.",
    "properties": {
        "id": {"type": "string", "pattern": r"^\d+\.\d+$", "description": "The id to resume after."},
        "event": {
            "enum": ["message", "log", "heartbeat"],
            "description": "`message`, also when absent: the state of the sync. `heartbeat`: the stream was silent.",
        },
        "data": {"type": "string", "contentMediaType": "application/json", "description": "A SyncStatus or LogLine."},
        "retry": {"type": "integer", "description": "Milliseconds to wait before a reconnect."},
    },
}
STREAM_TOKEN = text("A token of GraphQL's `createStreamToken`, for clients that can't send a header.")
RESUMED = text(
    "An event id, from clients that can't send Last-Event-ID. The header wins; `after` counts without either.",
    examples=["12.5"],
)
AFTER_EVENT = text("An event id to resume after, like the header Last-Event-ID.", examples=["12.5"])

SECURITY: JsonSchemaValue = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of one organization."},
    "streamToken": {"type": "apiKey", "in": "query", "name": "token", "description": STREAM_TOKEN["description"]},
}

PATHS: JsonSchemaValue = {
    "/api/v1/sync/start/{organization_id}": {
        "post": operation(
            "startSync",
            "Start a sync, or get the running one",
            [
                ORGANIZATION,
                query(
                    "mode",
                    text(
                        "How much to read. auto: the server chooses. full: everything. incremental: only what "
                        "changed, where that is possible. A running sync keeps its mode.",
                        enum=[mode.value for mode in SyncMode if mode is not SyncMode.TIME_ONLY],
                        default=SyncMode.AUTO.value,
                    ),
                ),
            ],
            "Started",
            problems=WRONG_ORGANIZATION | TOO_MANY_STARTS,
        )
    },
    "/api/v1/sync/status/{sync_id}": {
        "get": operation("getSyncStatus", "One sync now", [SYNC], "SyncStatus", problems=NOT_FOUND)
    },
    "/api/v1/sync/dashboard/{organization_id}": {
        "get": operation(
            "getDashboard",
            "An overview of one organization",
            [ORGANIZATION],
            "Dashboard",
            problems=WRONG_ORGANIZATION,
        )
    },
    "/api/v1/sync/history/{organization_id}": {
        "get": operation(
            "getHistory",
            "Earlier syncs, newest first",
            [
                ORGANIZATION,
                query("limit", number("Syncs on a page.", minimum=1, maximum=100, default=10)),
                query("after", text("`next_cursor` of the previous page.")),
                query(
                    "status",
                    text(
                        "Only syncs with this final status; failed includes cancelled ones. Totals still cover all.",
                        enum=["completed", "failed", "cancelled"],
                    ),
                ),
            ],
            "History",
            problems=WRONG_ORGANIZATION,
        )
    },
    "/api/v1/sync/organizations": {
        "get": operation(
            "getOrganizations",
            "The organizations that the caller may see",
            [
                query("limit", number("Organizations on a page.", minimum=1, maximum=100, default=50)),
                query("after", text("`next_cursor` of the previous page.")),
                query(
                    "search",
                    text(
                        "Only organizations whose name or id contains this text, whatever the case.",
                        maxLength=LONGEST_SEARCH,
                        pattern=r"^[^\u0000-\u001F\u007F-\u009F]*$",  # no control characters
                    ),
                ),
            ],
            "OrganizationList",
            problems={"422": WRONG_ORGANIZATION["422"]},
        )
    },
    "/api/v1/sync/cancel/{sync_id}": {
        "delete": operation("cancelSync", "End a running sync", [SYNC], "Cancelled", problems=NOT_FOUND)
    },
    "/api/v1/sync/log/{sync_id}": {
        "get": {
            "operationId": "getSyncLog",
            "summary": "The whole log of one sync",
            "description": "As JSON, or as text with one line per entry: time, level, step and message with two spaces "
            "between them. Of a running sync: the lines that exist now.",
            "parameters": [
                SYNC,
                query("format", text("The form of the answer.", enum=["json", "text"], default="json")),
                query("after", number("Only lines after the one with this number.", maximum=999_999_999, default=0)),
                query("download", number("1: a browser saves the answer as a file.", maximum=1, default=0)),
                query("token", STREAM_TOKEN),
            ],
            "responses": {
                "200": {
                    "description": "The lines in ascending order.",
                    "content": {
                        "application/json": {"schema": ref("SyncLog")},
                        "text/plain": {"schema": {"type": "string"}},
                    },
                },
                **BUSY,
                **NOT_FOUND,
                "422": WRONG_ORGANIZATION["422"],
                **UNAUTHENTICATED,
            },
        }
    },
    "/api/v1/sync/stream/{sync_id}": {
        "get": {
            "operationId": "streamSync",
            "summary": "Follow one sync to its end",
            "description": "Unnamed events carry a SyncStatus, `event: log` a LogLine. The receipt is null in "
            "all but the last SyncStatus. Ids have the form "
            "`<version>.<seq>`; a reconnect with Last-Event-ID resumes after it. The server closes the stream after "
            "the end.",
            "parameters": [
                SYNC,
                query("after", AFTER_EVENT),
                query("lastEventId", RESUMED),
                query("token", STREAM_TOKEN),
                {
                    "name": "Last-Event-ID",
                    "in": "header",
                    "schema": AFTER_EVENT,
                    "description": AFTER_EVENT["description"],
                },
            ],
            "responses": {
                "200": {
                    "description": "Server-sent events. Unnamed ones carry a SyncStatus, `log` ones a line of the log.",
                    "content": {"text/event-stream": {"schema": EVENT}},
                },
                "204": {"description": "The sync has ended, and the caller has received its final state."},
                "404": NOT_FOUND["404"],
                "422": problem("`after` is not an event id."),
                **UNAUTHENTICATED,
                **TOO_MANY_STREAMS,
            },
        }
    },
    **PATIENT_PATHS,
    **WEBHOOK_PATHS,
}


def openapi_document(*, with_tokens: bool) -> JsonSchemaValue:
    """The whole document; ``with_tokens`` for a server that requires tokens."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Routiq sync API",
            "version": __version__,
            "description": "Syncs a clinic from Cliniko and reports every step. The same over GraphQL: /graphql.",
        },
        "paths": {path: {method: _secured(one) for method, one in methods.items()} for path, methods in PATHS.items()}
        if with_tokens
        else PATHS,
        "components": {"schemas": SCHEMAS} | ({"securitySchemes": SECURITY} if with_tokens else {}),
    }


def _secured(described: JsonSchemaValue) -> JsonSchemaValue:
    """The operation with authentication: it requires a token, and responds with 401 and 403."""
    ways: list[JsonSchemaValue] = [{"bearer": []}]
    if any(parameter["name"] == "token" for parameter in described["parameters"]):
        ways.append({"streamToken": []})
    forbidden = {"403": WRONG_ORGANIZATION["403"]}
    responses = {**forbidden, **described["responses"], **UNAUTHENTICATED}
    return described | {"responses": responses, "security": ways}
