"""The OpenAPI 3.1 description of the REST routes, written by hand as data; the JSON objects are declared beside it.

A test compares it with the routes that exist.
"""

from pydantic.json_schema import JsonSchemaValue

from routiq_gql import __version__
from routiq_gql.api.json_objects import schemas_of
from routiq_gql.api.rest.objects import OBJECTS
from routiq_gql.api.rest.organizations import ORGANIZATION_OBJECTS
from routiq_gql.organizations.summaries import LONGEST_SEARCH
from routiq_gql.sync.model import SyncMode

SCHEMAS = schemas_of((*OBJECTS, *ORGANIZATION_OBJECTS))


def ref(name: str) -> JsonSchemaValue:
    return {"$ref": f"#/components/schemas/{name}"}


def number(description: str, **more: object) -> JsonSchemaValue:
    return {"type": "integer", "minimum": 0, "description": description, **more}


def text(description: str, **more: object) -> JsonSchemaValue:
    return {"type": "string", "description": description, **more}


def _path(name: str) -> JsonSchemaValue:
    schema = SCHEMAS["SyncStatus"]["properties"][name]
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": schema["description"]}


def _query(name: str, schema: JsonSchemaValue) -> JsonSchemaValue:
    return {"name": name, "in": "query", "schema": schema, "description": schema["description"]}


def _problem(description: str) -> JsonSchemaValue:
    return {"description": description, "content": {"application/problem+json": {"schema": ref("Problem")}}}


def _operation(
    name: str, summary: str, parameters: list[JsonSchemaValue], answer: str, *, problems: JsonSchemaValue
) -> JsonSchemaValue:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {
                "description": SCHEMAS[answer]["description"],
                "content": {"application/json": {"schema": ref(answer)}},
            },
            **BUSY,
            **problems,
        },
    }


_ORGANIZATION = _path("organization_id")
_SYNC = _path("sync_id")

NOT_FOUND = {"404": _problem("There is no such sync, or it is another organization's.")}
WRONG_ORGANIZATION = {
    "403": _problem("The organization is not the caller's."),
    "422": _problem("A value does not have its documented form or range."),
}
UNAUTHENTICATED = {
    "401": _problem("The token is missing or not accepted.")
    | {"headers": {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "`Bearer`."}}}
}
_RETRY_AFTER = {"Retry-After": {"schema": number("Seconds to wait."), "description": "Seconds to wait."}}
BUSY = {
    "429": _problem("The organization reached its limit of operations in execution; try again soon.")
    | {"headers": _RETRY_AFTER},
    "503": _problem("It took too long and was stopped, or the database can't be used; try again later."),
}
TOO_MANY_STREAMS = {
    "429": _problem("The organization reached its limit of open streams; try again later.") | {"headers": _RETRY_AFTER}
}
TOO_MANY_STARTS = {
    "429": _problem("The organization reached its limit of syncs started in a minute or of operations in execution.")
    | {"headers": _RETRY_AFTER}
}
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
        "post": _operation(
            "startSync",
            "Start a sync, or get the running one",
            [
                _ORGANIZATION,
                _query(
                    "mode",
                    text(
                        "How much to read. auto: the server chooses. full: everything. incremental: only what "
                        "changed, where that is possible. A running sync keeps its mode.",
                        enum=[mode.value for mode in SyncMode],
                        default=SyncMode.AUTO.value,
                    ),
                ),
            ],
            "Started",
            problems=WRONG_ORGANIZATION | TOO_MANY_STARTS,
        )
    },
    "/api/v1/sync/status/{sync_id}": {
        "get": _operation("getSyncStatus", "One sync now", [_SYNC], "SyncStatus", problems=NOT_FOUND)
    },
    "/api/v1/sync/dashboard/{organization_id}": {
        "get": _operation(
            "getDashboard",
            "An overview of one organization",
            [_ORGANIZATION],
            "Dashboard",
            problems=WRONG_ORGANIZATION,
        )
    },
    "/api/v1/sync/history/{organization_id}": {
        "get": _operation(
            "getHistory",
            "Earlier syncs, newest first",
            [
                _ORGANIZATION,
                _query("limit", number("Syncs on a page.", minimum=1, maximum=100, default=10)),
                _query("after", text("`next_cursor` of the previous page.")),
                _query(
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
        "get": _operation(
            "getOrganizations",
            "The organizations that the caller may see",
            [
                _query("limit", number("Organizations on a page.", minimum=1, maximum=100, default=50)),
                _query("after", text("`next_cursor` of the previous page.")),
                _query(
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
        "delete": _operation("cancelSync", "End a running sync", [_SYNC], "Cancelled", problems=NOT_FOUND)
    },
    "/api/v1/sync/log/{sync_id}": {
        "get": {
            "operationId": "getSyncLog",
            "summary": "The whole log of one sync",
            "description": "As JSON, or as text with one line per entry: time, level, step and message with two spaces "
            "between them. Of a running sync: the lines that exist now.",
            "parameters": [
                _SYNC,
                _query("format", text("The form of the answer.", enum=["json", "text"], default="json")),
                _query("after", number("Only lines after the one with this number.", maximum=999_999_999, default=0)),
                _query("download", number("1: a browser saves the answer as a file.", maximum=1, default=0)),
                _query("token", STREAM_TOKEN),
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
                _SYNC,
                _query("after", AFTER_EVENT),
                _query("lastEventId", RESUMED),
                _query("token", STREAM_TOKEN),
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
                "422": _problem("`after` is not an event id."),
                **UNAUTHENTICATED,
                **TOO_MANY_STREAMS,
            },
        }
    },
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


def _secured(operation: JsonSchemaValue) -> JsonSchemaValue:
    """The operation with authentication: it requires a token, and responds with 401 and 403."""
    ways: list[JsonSchemaValue] = [{"bearer": []}]
    if any(parameter["name"] == "token" for parameter in operation["parameters"]):
        ways.append({"streamToken": []})
    forbidden = {"403": WRONG_ORGANIZATION["403"]}
    return operation | {"responses": {**operation["responses"], **UNAUTHENTICATED, **forbidden}, "security": ways}
