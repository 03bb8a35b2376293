"""The examples in the schema's descriptions: every value with a form has one, and each is true."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from zoneinfo import available_timezones

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLSchema,
    get_named_type,
    is_composite_type,
    is_required_argument,
)

from routiq_gql.api.graphql.scalars import parse_time
from routiq_gql.api.graphql.schema import schema_text
from routiq_gql.cliniko import shard_of
from routiq_gql.clock import format_time, utc_now
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.syncs import NewLine, append_lines
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.patients.change_model import ChangedField
from routiq_gql.settings import Settings
from routiq_gql.sync.model import LogLevel, SyncStep
from tests.built_schema import built_schema
from tests.cursor_keys import CURSOR_KEYS
from tests.emulated_cliniko import Cliniko
from tests.patients.clinics import DAY, ListedClinic, Person, Visit
from tests.server import Server, open_socket
from tests.webhooks.stored import stored_webhook

SCHEMA: GraphQLSchema = built_schema()

TEXTS = {
    "account", "counting", "currentStep", "description", "disabledReason", "email", "error", "errors", "firstName",
    "lastError", "lastName", "message", "name", "phone",
    "preferredFirstName", "reason", "role", "search", "sentence", "title", "type", "whatToDo",
}  # fmt: skip
"""Fields and arguments with a text for people, or one that people wrote: they have no form."""
SECRETS = {"apiKey", "secret", "token"}
"""People would copy an example, and scanners would report it."""

PARENTS = {"Dashboard": "Query.dashboard", "SyncStatus": "Query.syncStatus", "Webhook": "Query.webhook"}
"""A root field that returns an object whose fields have arguments with examples."""

LISTS = {one.value[0] for one in MirrorList}
CHANGED_FIELDS = {re.sub("_(.)", lambda found: found[1].upper(), one.key) for one in ChangedField}
PROOFS: dict[str, Callable[[str], object]] = {
    "ClinikoConnection.shard": lambda example: shard_of(f"{EMULATED_API_KEY.partition('-')[0]}-{example}") == example,
    "PatientChange.fields": CHANGED_FIELDS.__contains__,
    "PatientConnection.timeZone": available_timezones().__contains__,
    "UnreadableRow.list": LISTS.__contains__,
    "WebhookDelivery.eventId": re.compile("evt_[0-9a-f]{32}").fullmatch,
}
"""The fields with an example that is no id and no argument, and the proof of it."""

CHOSEN = {"events": "[SYNC_COMPLETED]"}
"""A value for each required argument without an example."""

Described = GraphQLField | GraphQLArgument


def described() -> Iterator[tuple[str, Described]]:
    """Every field and argument, by its coordinate in the schema."""
    for type_ in SCHEMA.type_map.values():
        for name, field in getattr(type_, "fields", {}).items() if type_.name[:2] != "__" else ():
            yield f"{type_.name}.{name}", field
            for argument, definition in field.args.items():
                yield f"{type_.name}.{name}({argument}:)", definition


def examples_of(one: Described) -> list[str]:
    found = re.search(r"for example ((?:(?: or )?`[^`]+`)+)", one.description or "")
    return re.findall(r"`([^`]+)`", found[1]) if found else []


def test_every_value_with_a_form_has_an_example():
    """An id, a cursor, or another text that programs read has an example; a new text needs a decision."""
    plain = {place for place, one in described() if get_named_type(one.type).name in {"ID", "String"}}
    without = {place for place, one in described() if place in plain and not examples_of(one)}
    names = {place: re.sub(r".*[.(]|:\)$", "", place) for place in plain}
    assert {place for place in without if names[place] not in TEXTS | SECRETS} == {"ListReceipt.list"}, "it has all"
    assert {names[place] for place in without if names[place] in TEXTS | SECRETS} == TEXTS | SECRETS
    assert not re.search(r"such as `|e\.g\.", schema_text()), "an example begins with “for example”"


@pytest.fixture
async def imagined(bare_server: Server, cliniko: Cliniko) -> Server:
    """A server with the clinic of the examples: connected, and two syncs whose changes are kept."""
    clinic = ListedClinic(bare_server.runtime.database, "org_123")
    people = [Person(id_, visits=(Visit(id_, utc_now() - DAY),)) for id_ in (4710, 4711, 4712)]
    await clinic.sync(people, utc_now(), sync_id="sync_org_123_20241221_143022")
    changed = [replace(one, phone="0400 000 001") for one in people]
    await clinic.sync(changed, utc_now(), sync_id="sync_org_123_20241222_143022", last_log_seq=13)
    assert clinic.keys == [1, 2], "the cursors of the examples name the second sync"
    async with bare_server.runtime.database.writing() as connection:
        lines = [NewLine(LogLevel.INFO.value, SyncStep.STORING.value, f"line {number}") for number in range(1, 14)]
        await append_lines(connection, clinic.keys[-1], 0, lines, utc_now())
    await bare_server.connect_organization(cliniko.base_url, EMULATED_API_KEY, "org_123")
    await stored_webhook(bare_server.runtime.database, "org_123")
    return bare_server


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The keys that made the cursors of lists of patients."""
    return settings.model_copy(update={"encryption_keys": CURSOR_KEYS._configured})


def operations(roots: str) -> Iterator[tuple[str, set[str]]]:
    """An operation for each argument with an example, below these roots, and the examples in it."""
    for place, field in described():
        kind, _, name = place.partition(".")
        if (
            "(" in place
            or not any(map(examples_of, field.args.values()))
            or PARENTS.get(kind, kind).split(".")[0] != roots
        ):
            continue
        required = [key for key, one in field.args.items() if is_required_argument(one)]
        if not SECRETS.isdisjoint(required):
            continue
        optional = [[key] for key, one in field.args.items() if key not in required and examples_of(one)]
        for added in optional or [[]]:
            given = {key: examples_of(field.args[key]) for key in [*required, *added]}
            asked = _asked(name, field, given)
            if kind in PARENTS:
                around = PARENTS[kind].partition(".")[2]
                parent = SCHEMA.query_type.fields[around]
                asked = _asked(around, parent, {key: examples_of(one) for key, one in parent.args.items()}, asked)
            yield f"{roots.lower()} {{ {asked} }}", {one for some in given.values() for one in some}


def _asked(name: str, field: GraphQLField, given: dict[str, list[str]], inner: str = "__typename") -> str:
    values = {
        key: json.dumps(some if "[" in str(field.args[key].type) else some[0]) if some else CHOSEN[key]
        for key, some in given.items()
    }
    arguments = ", ".join(f"{key}: {value}" for key, value in values.items())
    return f"{name}({arguments})" + (f" {{ {inner} }}" if is_composite_type(get_named_type(field.type)) else "")


async def test_every_example_is_accepted_or_true(imagined: Server):
    """A server that has the clinic of the examples accepts each; each id leads to an object of its type."""
    proven: set[str] = set()
    for operation, used in operations("Query"):
        answer = await imagined.ask(operation)
        assert "errors" not in answer, (operation, answer)
        assert None not in answer["data"].values(), operation
        proven |= used
    async with open_socket(imagined) as socket:
        for number, (operation, used) in enumerate(operations("Subscription")):
            await socket.subscribe(operation, str(number))
            while (frame := await socket.receive())["id"] != str(number):
                pass
            assert frame["type"] == "next", (operation, frame)
            assert "errors" not in frame["payload"], (operation, frame)
            proven |= used
            await socket.send({"id": str(number), "type": "complete"})
    for type_ in SCHEMA.get_possible_types(SCHEMA.type_map["Node"]):
        (example,) = examples_of(type_.fields["id"])
        answer = await imagined.ask("query ($id: ID!) { node(id: $id) { __typename id } }", id=example)
        assert answer["data"]["node"] == {"__typename": type_.name, "id": example}
        proven.add(example)
    for operation, used in sorted(operations("Mutation"), key=lambda one: "removeWebhook" in one[0]):
        answer = await imagined.ask(operation)
        assert "errors" not in answer, (operation, answer)
        proven |= used
    unproven = {(place, one) for place, field in described() for one in examples_of(field) if one not in proven}
    assert all(PROOFS[place](example) for place, example in unproven)
    assert {place for place, _ in unproven} == set(PROOFS)


def test_the_example_of_a_time_is_written_as_the_server_writes_it():
    """The scalar's example is read, and written again, without a change."""
    found = re.search(r"for example `(.+?)`", SCHEMA.type_map["DateTime"].description)[1]
    assert format_time(parse_time(found)) == found


def test_all_lists_of_a_receipt_are_described():
    """The description of a list in a receipt has the name of every list that a sync reads, and no other."""
    named = re.findall(r"`(\w+)`", SCHEMA.type_map["ListReceipt"].fields["list"].description)
    assert sorted(named) == sorted(LISTS)
