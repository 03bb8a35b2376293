"""The schema as a contract: committed, described, and with the same names as the sync itself."""

from pathlib import Path

import pytest
from graphql import GraphQLError, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, build_schema

from routiq_gql.api.graphql import enums, schema_text
from routiq_gql.api.graphql.scalars import parse_time
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import PatientSort
from routiq_gql.sync import model, problems
from routiq_gql.sync.actors import ActorKind
from routiq_gql.webhooks.model import DeliveryState, EventType
from routiq_gql.webhooks.problems import Refusal
from tests.schema_page import PAGE, schema_page

COMMITTED = Path(__file__).parents[3] / "schema.graphql"


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(schema_text())


def test_the_committed_schema_is_not_stale():
    """The committed schema.graphql equals the code's schema; `make schema` updates it."""
    assert COMMITTED.read_text(encoding="utf-8") == schema_text()
    assert schema_text().endswith("}\n")


def test_the_page_of_the_schema_is_not_stale():
    """The reference that people read is that of the committed schema; `make schema` updates both."""
    assert PAGE.read_text(encoding="utf-8") == schema_page(COMMITTED.read_text(encoding="utf-8"))


def test_everything_is_described(schema: GraphQLSchema):
    """Every type, field, argument and enum value has a description."""
    silent = []
    for name, kind in schema.type_map.items():
        if name.startswith("__") or name in {"ID", "String", "Int", "Float", "Boolean"}:
            continue
        silent += [] if kind.description else [name]
        for field_name, field in getattr(kind, "fields", {}).items():
            silent += [] if field.description else [f"{name}.{field_name}"]
            silent += [f"{name}.{field_name}({key})" for key, arg in field.args.items() if not arg.description]
        silent += [f"{name}.{key}" for key, value in getattr(kind, "values", {}).items() if not value.description]
    assert silent == []


def test_every_field_that_may_be_null_says_when(schema: GraphQLSchema):
    """A program's author reads in the description when a value is missing."""
    fields = {
        f"{type_.name}.{name}": field
        for type_ in schema.type_map.values()
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__")
        for name, field in type_.fields.items()
        if not isinstance(field.type, GraphQLNonNull)
    }
    assert [place for place, field in fields.items() if "null" not in (field.description or "").lower()] == []


@pytest.mark.parametrize(
    ("shown", "known"),
    [
        (enums.SyncState, model.SyncState),
        (enums.SyncMode, model.SyncMode),
        (enums.SyncStep, model.SyncStep),
        (enums.LogLevel, model.LogLevel),
        (enums.SyncFailureCode, model.FailureCode),
        (enums.StartSyncProblemCode, problems.StartProblemCode),
        (enums.CancelSyncProblemCode, problems.CancelProblemCode),
        (enums.SyncActorKind, ActorKind),
        (enums.PatientList, PatientList),
        (enums.PatientSort, PatientSort),
        (enums.WebhookEvent, EventType),
        (enums.WebhookDeliveryState, DeliveryState),
        (enums.WebhookProblemCode, Refusal),
    ],
)
def test_enums_have_the_names_of_the_sync(shown, known):
    """All values of the sync have an equal enum value, and there are no others."""
    assert [value.name for value in shown] == [value.name for value in known]


@pytest.mark.parametrize(
    ("type_name", "field", "expected"),
    [
        ("Query", "syncStatus", "SyncStatus"),
        ("Query", "dashboard", "Dashboard!"),
        ("Query", "history", "SyncHistory!"),
        ("Mutation", "startSync", "StartSyncPayload!"),
        ("Mutation", "cancelSync", "CancelSyncPayload!"),
        ("Subscription", "syncProgress", "SyncStatus!"),
        ("Subscription", "syncLog", "SyncLogEntry!"),
        ("Subscription", "dashboardUpdated", "Dashboard!"),
        ("SyncStatus", "log", "[SyncLogEntry!]!"),
        ("SyncStatus", "completedAt", "DateTime"),
        ("SyncStatus", "mode", "SyncMode!"),
        ("SyncStatus", "estimatedCompletionRange", "CompletionRange"),
        ("SyncStatus", "receipt", "SyncReceipt"),
        ("SyncReceipt", "agrees", "Boolean"),
        ("SyncReceipt", "lists", "[ListReceipt!]!"),
        ("ListReceipt", "inCliniko", "Int"),
        ("ListReceipt", "agrees", "Boolean"),
        ("UnreadableRow", "id", "ID"),
        ("Dashboard", "nextSync", "NextSync"),
        ("SyncHistory", "averageSyncDurationSeconds", "Float"),
        ("Query", "patients", "PatientConnection!"),
        ("Query", "patient", "Patient"),
        ("Query", "patientLists", "[PatientListSummary!]!"),
        ("Query", "webhooks", "[Webhook!]!"),
        ("Query", "webhook", "Webhook"),
        ("Mutation", "registerWebhook", "RegisterWebhookPayload!"),
        ("RegisterWebhookPayload", "secret", "String"),
        ("Webhook", "deliveries", "WebhookDeliveryConnection!"),
        ("Query", "node", "Node"),
        ("Query", "nodes", "[Node]!"),
        ("PatientConnection", "edges", "[PatientEdge!]!"),
        ("Patient", "lastAppointment", "PatientAppointment"),
        ("Patient", "why", "PatientReason!"),
    ],
)
def test_fields_have_their_designed_types(schema: GraphQLSchema, type_name: str, field: str, expected: str):
    """Names and nullability are fixed, as clients rely on them."""
    assert str(schema.type_map[type_name].fields[field].type) == expected


def test_arguments_have_their_designed_defaults(schema: GraphQLSchema):
    """An omitted argument has the documented default."""
    text = schema_text()
    for written in (
        "limit: Int! = 10",
        "limit: Int! = 100",
        "mode: SyncMode! = AUTO",
        "after: Int\n",
        "after: String\n",
    ):
        assert written in text
    assert '@specifiedBy(url: "https://scalars.graphql.org/andimarek/date-time")' in text


def test_times_are_read_with_any_offset_and_never_without():
    """A time without an offset is refused, as it is ambiguous."""
    assert parse_time("2024-12-22T15:30:22.123+01:00") == parse_time("2024-12-22T14:30:22.123Z")
    for wrong in ("2024-12-22T14:30:22", "yesterday", 5, None):
        with pytest.raises(GraphQLError):
            parse_time(wrong)
