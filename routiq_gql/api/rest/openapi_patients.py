"""The patient routes in the OpenAPI document."""

from pydantic.json_schema import JsonSchemaValue

from routiq_gql.api.rest.openapi_parts import (
    BUSY,
    ORGANIZATION,
    number,
    operation,
    problem,
    query,
    ref,
    text,
)
from routiq_gql.api.rest.patient_files import FORMATS
from routiq_gql.api.rest.patient_requests import DEFAULT_LIST, DEFAULT_SORT, LISTS, SORTS
from routiq_gql.paging import DEFAULT_SIZE
from routiq_gql.patients.requests import LARGEST_SIZE, LONGEST_SEARCH

NOT_ALLOWED = {
    "400": problem("A parameter is unknown here, or occurs several times."),
    "403": problem("The organization is not the caller's, or the caller may not read patients."),
    "422": problem("A value does not have its documented form or range, or the organization has no lists yet."),
}

_LIST_PARAMETERS = [
    ORGANIZATION,
    query("list", text("The list.", enum=[*LISTS], default=DEFAULT_LIST.key)),
    query(
        "search",
        text(
            "Only patients for whom each word of it is a part of a name, the e-mail address or a phone number. Case, "
            "accents, apostrophes, hyphens, and the country code or leading 0 of a number make no difference.",
            maxLength=LONGEST_SEARCH,
            pattern=r"^[^\u0000-\u001F\u007F-\u009F]*$",  # no control characters
        ),
    ),
    query(
        "practitioner_id",
        text(
            "Only patients whose last or next appointment is with this practitioner: the id in Cliniko.",
            pattern="^[1-9][0-9]{0,18}$",
        ),
    ),
    query(
        "sort",
        text("The order. Patients without that appointment come last.", enum=[*SORTS], default=DEFAULT_SORT.value),
    ),
    query("as_of", text("The patients as of this earlier sync, if it is kept. The newest sync without it.")),
]
_PAGE_PARAMETERS = [
    query("first", number("Patients on a page.", minimum=1, maximum=LARGEST_SIZE, default=DEFAULT_SIZE)),
    query("after", text("`next_cursor` of the previous page. It stays on the sync of that page.")),
    query(
        "last", number("Patients on the page before `before`, in place of `first`.", minimum=1, maximum=LARGEST_SIZE)
    ),
    query("before", text("`previous_cursor` of the following page, with `last`.")),
]

PATIENT_PATHS: JsonSchemaValue = {
    "/api/v1/patients/{organization_id}": {
        "get": operation(
            "getPatients",
            "A list of patients, and why each is in it",
            [*_LIST_PARAMETERS, *_PAGE_PARAMETERS],
            "PatientPage",
            problems=NOT_ALLOWED,
        )
    },
    "/api/v1/patients/{organization_id}/export": {
        "get": {
            "operationId": "exportPatients",
            "summary": "A whole list of patients as a file",
            "description": "All of it is from one sync. CSV is for spreadsheets: UTF-8 with a byte order mark, times "
            "of the clinic, an apostrophe before what would be executed. JSON lines have a Patient on each line. "
            "If the response can't be completed, its connection breaks: it never ends as if it were whole.",
            "parameters": [
                *_LIST_PARAMETERS,
                query("format", text("The form of the file.", enum=[*FORMATS], default="csv")),
            ],
            "responses": {
                "200": {
                    "description": "The patients in order.",
                    "headers": {
                        "X-Total-Count": {
                            "schema": number("Patients in the file."),
                            "description": "Patients in the file.",
                        }
                    },
                    "content": {
                        "text/csv": {"schema": {"type": "string"}},
                        "application/jsonl": {"schema": ref("Patient")},
                    },
                },
                **BUSY,
                **NOT_ALLOWED,
            },
        }
    },
}
