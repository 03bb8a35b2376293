"""The parts of which the OpenAPI document is made: schemas, parameters, operations and responses."""

from pydantic.json_schema import JsonSchemaValue

from routiq_gql.api.json_objects import schemas_of
from routiq_gql.api.rest.objects import OBJECTS
from routiq_gql.api.rest.organizations import ORGANIZATION_OBJECTS
from routiq_gql.api.rest.patient_objects import PATIENT_OBJECTS
from routiq_gql.api.rest.webhook_objects import WEBHOOK_OBJECTS

SCHEMAS = schemas_of((*OBJECTS, *ORGANIZATION_OBJECTS, *PATIENT_OBJECTS, *WEBHOOK_OBJECTS))


def ref(name: str) -> JsonSchemaValue:
    return {"$ref": f"#/components/schemas/{name}"}


def number(description: str, **more: object) -> JsonSchemaValue:
    return {"type": "integer", "minimum": 0, "description": description, **more}


def text(description: str, **more: object) -> JsonSchemaValue:
    return {"type": "string", "description": description, **more}


def path(name: str) -> JsonSchemaValue:
    schema = SCHEMAS["SyncStatus"]["properties"][name]
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": schema["description"]}


def query(name: str, schema: JsonSchemaValue) -> JsonSchemaValue:
    return {"name": name, "in": "query", "schema": schema, "description": schema["description"]}


def problem(description: str) -> JsonSchemaValue:
    return {"description": description, "content": {"application/problem+json": {"schema": ref("Problem")}}}


def operation(
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


ORGANIZATION = path("organization_id")
SYNC = path("sync_id")

NOT_FOUND = {"404": problem("There is no such sync, or it is another organization's.")}
WRONG_ORGANIZATION = {
    "403": problem("The organization is not the caller's."),
    "422": problem("A value does not have its documented form or range."),
}
UNAUTHENTICATED = {
    "401": problem("The token is missing or not accepted.")
    | {"headers": {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "`Bearer`."}}}
}
_RETRY_AFTER = {"Retry-After": {"schema": number("Seconds to wait."), "description": "Seconds to wait."}}
BUSY = {
    "429": problem("The organization reached its limit of operations in execution; try again soon.")
    | {"headers": _RETRY_AFTER},
    "503": problem("It took too long and was stopped, or the database can't be used; try again later."),
}
TOO_MANY_STREAMS = {
    "429": problem("The organization reached its limit of open streams; try again later.") | {"headers": _RETRY_AFTER}
}
TOO_MANY_STARTS = {
    "429": problem("The organization reached its limit of syncs started in a minute or of operations in execution.")
    | {"headers": _RETRY_AFTER}
}
