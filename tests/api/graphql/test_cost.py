"""The cost of operations: too expensive operations are refused before any part is executed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from graphql import (
    GraphQLInt,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    get_operation_ast,
    is_composite_type,
    parse,
    print_ast,
    validate,
)
from sqlalchemy import event, text, update

from routiq_gql.api.graphql.cost import ID_LISTS, LIMIT_ARGUMENTS, LIST_LENGTHS, operation_cost
from routiq_gql.api.graphql.limits import DEFAULT_MAX_COST
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.history import average_duration, counts_by_status
from routiq_gql.database.syncs import NewLine, end_sync, insert_sync
from routiq_gql.database.tables import SYNC
from routiq_gql.paging import LARGEST_SIZE
from routiq_gql.settings import Settings
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import LogLevel, SyncMode, SyncState, SyncStep
from tests.built_schema import built_schema
from tests.graphql_documents import DELIVERIES
from tests.server import Server, open_socket

ROOT = Path(__file__).parent.parent.parent.parent
SCHEMA: GraphQLSchema = built_schema()
HISTORY_LOGS = 'history(organizationId: "org_1"{limit}) {{ recentSyncs {{ log{log} {{ id }} }} }}'
WITH_DEFAULTS = "{ " + HISTORY_LOGS.format(limit="", log="") + " }"


def cost_of(document: str, name: str | None = None, **variables: Any) -> int:
    parsed = parse(document)
    operation = get_operation_ast(parsed, name)
    assert isinstance(operation, OperationDefinitionNode)
    return operation_cost(SCHEMA, parsed, operation, variables)


def _bomb(levels: int) -> str:
    """Fragments that each spread the next twice: 2 to the power of ``levels`` paths."""
    spread = "fragment f{0} on Query {{ ...f{1} ...f{1} {2} }}"
    fragments = [
        spread.format(level, level + 1, f'h{level}: history(organizationId: "x", limit: 1) {{ nextCursor }}')
        for level in range(levels)
    ]
    return " ".join(["{ ...f0 }", *fragments, f"fragment f{levels} on Query {{ __typename }}"])


COSTS = {
    "{ __typename }": 0,
    '{ dashboard(organizationId: "x") { lastSync { id } } }': 0,
    '{ syncStatus(syncId: "x") { log { id } } }': 100,
    '{ syncStatus(syncId: "x") { log(limit: 7, after: 3) { id } } }': 7,
    '{ history(organizationId: "x") { totalSyncs } }': 10,
    '{ history(organizationId: "x") { recentSyncs { id failure { code } } } }': 10,
    WITH_DEFAULTS: 1_010,
    '{ history(organizationId: "x", limit: 3) { recentSyncs { log(limit: 4) { id } } } }': 3 + 3 * 4,
    "{ historyConnection(organizationId: 1, last: 3) { nodes { logConnection(first: 4) { totalCount } } } }": 15,
    '{ historyConnection(organizationId: "x") { nodes { logConnection { nodes { id } } } } }': 10 + 10 * 50,
    '{ a: history(organizationId: "x", limit: 3) { nextCursor } b: history(organizationId: "x") { nextCursor } }': 13,
    # Under two names inside a list.
    '{ history(organizationId: "x", limit: 2) { recentSyncs { a: log(limit: 5) { id } b: log(limit: 6) { id } } } }': (
        2 + 2 * 11
    ),
    # Merged by the executor, so executed once.
    '{ syncStatus(syncId: "x") { log { id } log { seq } ...f } } fragment f on SyncStatus { log { time } }': 100,
    # A fragment counts where it is spread.
    """{ dashboard(organizationId: "x") { currentSync { ...f } lastSync { ...f } lastSuccessfulSync { ... { ...f } } } }
    fragment f on SyncStatus { log(limit: 5) { id } }""": 15,
    """{ history(organizationId: "x", limit: 4) { recentSyncs { ...f } } }
    fragment f on SyncStatus { ... on SyncStatus { log(limit: 5) { id } } }""": 24,
    # A receipt has a part for each of six lists, and a limited number of unreadable rows.
    '{ history(organizationId: "x") { recentSyncs { receipt { agrees lists { list } } } } }': 10 + 10 * 6,
    '{ history(organizationId: "x") { recentSyncs { receipt { unreadableRows { id } } } } }': 10 + 10 * 20,
    '{ syncStatus(syncId: "x") { a: receipt { lists { list } } b: receipt { unreadableRows(limit: 3) { id } } } }': 9,
    # Skipped fields are not executed.
    '{ syncStatus(syncId: "x") { log @include(if: false) { id } version } }': 0,
    '{ syncStatus(syncId: "x") { ... @skip(if: true) { log { id } } version } }': 0,
    # Values that the resolver refuses neither lower the sum nor leave it.
    '{ a: history(organizationId: "x", limit: -500) { nextCursor } b: history(organizationId: 1) { nextCursor } }': 11,
    '{ history(organizationId: "x", limit: 0) { recentSyncs { log { id } } } }': 101,
    '{ history(organizationId: "x", limit: 2147483647) { recentSyncs { log(limit: 2147483647) { id } } } }': (
        2_147_483_647 + 2_147_483_647**2
    ),
    "subscription { dashboardUpdated(organizationId: 1) { currentSync { log { id } } lastSync { log { id } } } }": 200,
    # A connection costs its part of the list, 50 by default, and all parts inside of it as often.
    '{ patients(organizationId: "x") { totalCount } }': 50,
    '{ patients(organizationId: "x", first: 3) { nodes { why { appointments { startsAt } } } } }': 3 + 3 * 2,
    '{ patients(organizationId: "x", last: 7) { edges { node { id } } practitioners { id } } }': 7,
    '{ patientLists(organizationId: "x") { totalCount } }': 9,
    '{ webhooks(organizationId: "x") { deliveries(first: 3) { nodes { id } } } }': 10 + 10 * 3,
    '{ nodes(ids: ["a", "b", "c"]) { id ... on SyncStatus { log(limit: 5) { id } } } }': 3 + 3 * 5,
    '{ node(id: "a") { id } }': 0,
    '{ history(organizationId: "o", limit: 100) { recentSyncs { steps { step } receipt { lists { list } } } } }': 1_500,
    'mutation { startSync(organizationId: "x") { sync { log(limit: 9) { id } } } }': 9,
}


@pytest.mark.parametrize("document", COSTS)
def test_the_cost_is_the_number_of_objects_that_limits_allow(document: str):
    """Each field with a limit costs that limit times the limits around it, and all costs are summed."""
    assert validate(SCHEMA, parse(document)) == []
    assert cost_of(document) == COSTS[document]


def test_variables_and_their_defaults_count():
    """The cost of a document depends on its variables."""
    document = """query ($limit: Int! = 2, $lines: Int! = 3, $log: Boolean! = true) {
      history(organizationId: "x", limit: $limit) { recentSyncs { log(limit: $lines) @include(if: $log) { id } } } }"""
    assert cost_of(document) == 2 + 6
    assert cost_of(document, limit=50) == 50 + 150
    assert cost_of(document, limit=50, lines=100) == 50 + 5_000
    assert cost_of(document, limit=50, lines=100, log=False) == 50
    nullable = "query ($n: Int) { history(organizationId: 1, limit: $n) { recentSyncs { id } } }"
    assert cost_of(nullable) == 10, "a variable that is left out leaves the field its own default"
    assert cost_of(nullable, n=None) == 1, "null is refused by the field, which is then not resolved"
    assert cost_of(nullable, n="many") == 0, "such variables end the operation before it is executed"


def test_only_the_operation_that_is_executed_counts():
    """An expensive operation beside the executed one costs nothing."""
    document = f"query Cheap {{ __typename }} query Dear {{ a: {HISTORY_LOGS.format(limit='', log='')} }}"
    assert (cost_of(document, "Cheap"), cost_of(document, "Dear")) == (0, 1_010)


def test_every_limit_in_the_schema_counts():
    """A new field with a limit counts automatically; an argument with another name needs a decision."""
    numbers = {
        (type_.name, name, argument)
        for type_ in SCHEMA.type_map.values()
        for name, field in getattr(type_, "fields", {}).items()
        for argument, definition in getattr(field, "args", {}).items()
        if definition.type in {GraphQLInt, GraphQLNonNull(GraphQLInt)} or str(definition.type).rstrip("!") == "Int"
    }
    limits = {(kind, name) for kind, name, argument in numbers if argument in LIMIT_ARGUMENTS}
    queries = {("Query", "history"), ("Query", "organizations")}
    queries |= {("Query", "historyConnection"), ("Query", "patients"), ("Query", "syncChanges")}
    logs = {("SyncStatus", "log"), ("SyncStatus", "logConnection")}
    assert limits == {*queries, *logs, ("SyncReceipt", "unreadableRows"), ("Webhook", "deliveries")}
    others = {(kind, name, argument) for kind, name, argument in numbers if argument not in LIMIT_ARGUMENTS}
    places = {("SyncStatus", "log", "after"), ("Subscription", "syncLog", "after"), ("Query", "patients", "skip")}
    assert others == places, "is one of these a limit?"


def test_every_list_of_objects_in_the_schema_counts():
    """A list of objects has a limit, is limited by the field around it, or has a fixed length that counts."""
    lists = {
        f"{type_.name}.{name}"
        for type_ in SCHEMA.type_map.values()
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__")
        for name, field in type_.fields.items()
        if "[" in str(field.type) and is_composite_type(get_named_type(field.type))
        if (LIMIT_ARGUMENTS | ID_LISTS).isdisjoint(field.args)
    }
    in_a_page = {"SyncHistory.recentSyncs", "OrganizationList.organizations"}
    connections = ("Patient", "PatientChange", "Sync", "SyncLog", "WebhookDelivery")
    in_a_page |= {f"{rows}Connection.{name}" for rows in connections for name in ("edges", "nodes")}
    in_a_page |= {"SyncHistory.liveUpdates", "SyncConnection.liveUpdates"}  # at most an entry for each sync
    in_memory = {"PatientConnection.practitioners"}  # all of a clinic, which a page has read anyway
    assert lists == {*in_a_page, *in_memory, *LIST_LENGTHS}


def test_every_page_without_a_size_costs_its_documented_length():
    """A connection without `first` and `last` costs as many objects as its description says."""
    documented = {
        f"{type_.name}.{name}": int(re.search(r"(\d+) without", field.args["first"].description)[1])
        for type_ in SCHEMA.type_map.values()
        for name, field in getattr(type_, "fields", {}).items()
        if "first" in getattr(field, "args", {})
    }
    assert set(documented.values()) == {10, 50}
    required = {"Query.syncChanges": "(syncId: 1)", "SyncStatus.logConnection": ""}
    required["Webhook.deliveries"] = ""
    around = {"Query": "{{ {} }}", "SyncStatus": "{{ syncStatus(syncId: 1) {{ {} }} }}"}
    around["Webhook"] = "{{ webhook(organizationId: 1, webhookId: 1) {{ {} }} }}"
    for place, length in documented.items():
        kind, name = place.split(".")
        field = f"{name}{required.get(place, '(organizationId: 1)')} {{ pageInfo {{ endCursor }} }}"
        assert cost_of(around[kind].format(field)) == length


async def test_a_history_with_the_log_of_each_sync_needs_no_sizes(bare_server: Server):
    """Without any size, `historyConnection` has ten syncs with fifty lines each: what its cost says, and allowed."""
    await fill(bare_server.runtime.database, "org_1", 12, 65)
    query = '{ historyConnection(organizationId: "org_1") { nodes { logConnection { nodes { id } } } } }'
    syncs = (await bare_server.ask(query))["data"]["historyConnection"]["nodes"]
    assert len(syncs) + sum(len(sync["logConnection"]["nodes"]) for sync in syncs) == cost_of(query) == 510


def test_fragments_in_fragments_are_measured_at_once():
    """A document of many nested fragments takes no time to measure."""
    began = perf_counter()
    assert cost_of(_bomb(40)) == 40
    nested = "{ syncStatus(syncId: 1) { ...f0 } } " + " ".join(
        f"fragment f{n} on SyncStatus {{ a{n}: log(limit: 1) {{ id }} ...f{n + 1} ... {{ ...f{n + 1} }} }}"
        for n in range(60)
    )
    assert cost_of(nested + " fragment f60 on SyncStatus { id }") == 60
    assert perf_counter() - began < 30  # a measure that follows every spread would take years


SHIPPED = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*.html")),
    *sorted((ROOT / "examples" / "react" / "src").glob("*.graphql")),
    *sorted((ROOT / "examples" / "clients").glob("*.*[!k]")),
    *sorted((ROOT / "examples" / "clients").glob("*/*.graphql")),
    *sorted((ROOT / "examples" / "clients" / "relay" / "src").glob("*.ts")),
]


def _definitions(source: str, kinds: str) -> list[str]:
    """The GraphQL operations or fragments in a text of any language."""
    found = []
    for match in re.finditer(rf"\b(?:{kinds})\b\s*[\w ]*(?:\((?:[^()]|\([^()]*\))*\))?\s*\{{", source):
        end, depth = match.end(), 1
        while depth and end < len(source):
            depth += {"{": 1, "}": -1}.get(source[end], 0)
            end += 1
        definition = re.sub(r"\$\{\w+\}", "", source[match.start() : end]).replace('\\"', '"')
        with_fields = re.search(r"\{\s*[\w.]", definition)
        if with_fields:
            found.append(definition)
    return found


def test_the_largest_page_of_deliveries_with_all_their_attempts_is_allowed():
    """Who looks for the fault of a receiver reads every attempt of a page at once."""
    assert cost_of(DELIVERIES, id="org_1", webhook="wh_1", first=LARGEST_SIZE) <= DEFAULT_MAX_COST


def test_every_document_that_is_shipped_is_allowed():
    """All operations of the page, the examples, the README and the docs stay within the limit, with any variables."""
    measured = {}
    for path in SHIPPED:
        source = path.read_text()
        fragments = " ".join(_definitions(source, "fragment"))
        for operation in _definitions(source, "query|mutation|subscription"):
            try:
                document = parse(f"{operation} {fragments}")
            except ValueError:
                continue
            except Exception as error:
                if "Syntax Error" in str(error):  # prose, or another language's "query"
                    continue
                raise
            (asked,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
            variables = {
                node.variable.name.value: {"Int": 100, "Boolean": True}.get(
                    kind.rstrip("!"), ["x"] if "[" in kind else "x"
                )
                for node in asked.variable_definitions or ()
                if node.default_value is None and (kind := print_ast(node.type)).endswith("!")
            }
            measured[path.name, operation[:40]] = operation_cost(SCHEMA, document, asked, variables)
    assert len(measured) >= 20
    assert {path for path, _ in measured} >= {"sync_dashboard.html", "operations.graphql", "README.md", "clients.md"}
    assert max(measured.values()) >= 100
    assert {name: cost for name, cost in measured.items() if cost > DEFAULT_MAX_COST} == {}


@contextmanager
def statements_of(database: Database) -> Iterator[list[str]]:
    """Every statement that is executed in the block, but for the server's look for due webhooks each second."""
    executed: list[str] = []
    engine = database._engine.sync_engine

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM webhooks" not in statement:
            executed.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def fill(database: Database, organization: str, syncs: int, lines: int) -> list[str]:
    """Ended syncs with a log, oldest first; every sync has a line less than the previous sync."""
    made = []
    for number in range(syncs):
        count = max(lines - number, 0)
        async with database.writing() as connection:
            row = await insert_sync(connection, organization, first_values(SyncMode.FULL, utc_now()))
            assert row is not None
            log = [NewLine(LogLevel.INFO.value, SyncStep.STORING.value, f"{row.sync_id} {n}") for n in range(count)]
            await end_sync(connection, row.key, {"status": SyncState.COMPLETED.value}, log)
        made.append(row.sync_id)
    return made


@pytest.fixture
async def filled(bare_server: Server) -> Server:
    """A server with ten ended syncs of ``org_1``."""
    await fill(bare_server.runtime.database, "org_1", 10, 12)
    return bare_server


TOO_DEAR = "{ a: " + HISTORY_LOGS.format(limit="", log="") + " b: " + HISTORY_LOGS.format(limit="", log="") + " }"
REFUSED = "costs 2,020; at most 1,600 is allowed"


async def test_too_dear_an_operation_is_refused_over_every_transport(filled: Server):
    """The refusal names the cost and the limit; no statement was executed for it."""
    with statements_of(filled.runtime.database) as executed:
        for answer in (
            await filled.http.post("/graphql", json={"query": TOO_DEAR}),
            await filled.http.get("/graphql", params={"query": TOO_DEAR}),
        ):
            assert "data" not in answer.json()
            (error,) = answer.json()["errors"]
            assert REFUSED in error["message"]
            assert error["extensions"]["code"] == "BAD_USER_INPUT"
        answer = await filled.http.post("/graphql", json={"query": TOO_DEAR}, headers={"Accept": "text/event-stream"})
        assert REFUSED in answer.text
        assert "BAD_USER_INPUT" in answer.text
        async with open_socket(filled) as socket:
            await socket.subscribe(TOO_DEAR)
            refused = await socket.receive()
            assert refused["type"] == "error"
            assert REFUSED in refused["payload"][0]["message"]
            await socket.subscribe("{ __typename }")
            assert await socket.results() == [{"data": {"__typename": "Query"}}]
    assert executed == []
    assert "errors" not in await filled.ask(WITH_DEFAULTS)


async def test_a_subscription_is_refused_by_the_cost_of_one_event(settings: Settings):
    """A subscription is measured once, by the cost of an event with its variables."""
    watched = """subscription ($lines: Int! = 100) { dashboardUpdated(organizationId: "org_1") {
      lastSync { log(limit: $lines) { seq } } lastSuccessfulSync { log(limit: $lines) { seq } } } }"""
    async with Server(settings.model_copy(update={"max_operation_cost": 100})) as server:
        await fill(server.runtime.database, "org_1", 1, 3)
        async with open_socket(server) as socket:
            await socket.subscribe(watched)
            refused = await socket.receive()
            assert "costs 200; at most 100 is allowed" in refused["payload"][0]["message"]
            await socket.subscribe(watched, lines=50)
            seen = await socket.receive()
            assert [line["seq"] for line in seen["payload"]["data"]["dashboardUpdated"]["lastSync"]["log"]] == [1, 2, 3]
        for accept in ("text/event-stream", "multipart/mixed;subscriptionSpec=1.0"):
            answer = await server.http.post("/graphql", json={"query": watched}, headers={"Accept": accept})
            assert "costs 200; at most 100 is allowed" in answer.text


async def test_a_remembered_document_is_measured_anew(filled: Server):
    """A cached document is allowed with few lines, refused with many, and allowed again."""
    document = "query ($n: Int!) { history(organizationId: 1, limit: 20) { recentSyncs { log(limit: $n) { seq } } } }"
    for lines, is_allowed in ((1, True), (100, False), (2, True), (100, False)):
        answer = await filled.ask(document, n=lines)
        assert ("errors" not in answer) == is_allowed


async def test_limits_out_of_range_are_refused_by_the_field(filled: Server):
    """A negative limit gives no room to other fields, and is refused by itself."""
    answer = await filled.ask('{ history(organizationId: "org_1", limit: -5) { totalSyncs } }')
    assert answer["errors"][0]["message"] == "“limit” must be from 1 to 100."
    with_negative = TOO_DEAR.replace("{ a:", '{ c: history(organizationId: "x", limit: -2000) { nextCursor } a:', 1)
    answer = await filled.ask(with_negative)
    assert "costs 2,021" in answer["errors"][0]["message"]
    answer = await filled.ask('{ history(organizationId: "org_1", limit: 2147483647) { totalSyncs } }')
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.both_databases
async def test_logs_inside_a_list_are_read_in_one_statement(filled: Server):
    """The logs of a page of ten syncs are read in a single statement, and each sync gets its lines."""
    query = """{ history(organizationId: "org_1") { recentSyncs {
      syncId log(limit: 3) { seq message } behind: log(after: 2, limit: 2) { seq } } } }"""
    with statements_of(filled.runtime.database) as executed:
        answer = await filled.ask(query)
    syncs = answer["data"]["history"]["recentSyncs"]
    assert len(syncs) == 10
    for number, sync in enumerate(reversed(syncs)):
        count = 12 - number
        assert [line["seq"] for line in sync["log"]] == list(range(1, count + 1))[-3:]
        assert all(line["message"].startswith(f"{sync['syncId']} ") for line in sync["log"])
        assert [line["seq"] for line in sync["behind"]] == [3, 4][: max(count - 2, 0)]
    assert len([one for one in executed if "sync_log.message" in one]) == 1


@pytest.mark.both_databases
async def test_the_logs_of_a_dashboard_are_read_in_one_statement(filled: Server):
    """The logs of a dashboard's syncs take a single statement, in a query and in each event of a subscription."""
    fields = "lastSync { syncId log(limit: 2) { seq } } lastSuccessfulSync { log(limit: 2) { seq } } currentSync { id }"
    with statements_of(filled.runtime.database) as executed:
        answer = await filled.ask(f'{{ dashboard(organizationId: "org_1") {{ {fields} }} }}')
        assert [line["seq"] for line in answer["data"]["dashboard"]["lastSync"]["log"]] == [2, 3]
        assert len([one for one in executed if "sync_log.message" in one]) == 1
        executed.clear()
        async with open_socket(filled) as socket:
            await socket.subscribe(f'subscription {{ dashboardUpdated(organizationId: "org_1") {{ {fields} }} }}')
            assert (await socket.receive())["payload"]["data"]["dashboardUpdated"]["lastSync"]["log"]
        assert len([one for one in executed if "sync_log.message" in one]) == 1


@pytest.mark.both_databases
async def test_a_log_is_read_anew_for_every_operation_on_a_socket(filled: Server):
    """A line written between two equal queries on a socket is in the second response."""
    (sync_id,) = await fill(filled.runtime.database, "org_2", 1, 1)
    query = f'{{ syncStatus(syncId: "{sync_id}") {{ log {{ message }} }} }}'
    async with open_socket(filled) as socket:
        await socket.subscribe(query)
        ((before,),) = [await socket.results()]
        async with filled.runtime.database.writing() as connection:
            await connection.execute(text("UPDATE sync_log SET message = 'changed'"))
        await socket.subscribe(query)
        ((after,),) = [await socket.results()]
    assert before != after == {"data": {"syncStatus": {"log": [{"message": "changed"}]}}}


@pytest.mark.both_databases
async def test_the_average_is_computed_by_the_database_to_the_millisecond(filled: Server):
    """The history's totals are computed in the database, and the average is exact."""
    database = filled.runtime.database
    durations = [timedelta(days=number, milliseconds=1 + 7 * number) for number in range(9)] + [timedelta(seconds=-5)]
    async with database.writing() as connection:
        keys = (await connection.execute(SYNC.select().order_by(SYNC.c.key))).all()
        for row, duration in zip(keys, durations, strict=True):
            ends = row.started_at + duration
            await connection.execute(update(SYNC).where(SYNC.c.key == row.key).values(completed_at=ends))
    expected = sum(durations[:9], timedelta()) / 10  # a clock that was set back makes no negative time
    with statements_of(database) as executed:
        async with database.reading() as connection:
            average = await average_duration(connection, "org_1", SyncState.COMPLETED)
            assert await average_duration(connection, "org_none", SyncState.COMPLETED) is None
            assert await counts_by_status(connection, "org_1") == {"completed": 10}
    assert average is not None
    assert abs(average - expected) < timedelta(milliseconds=0.001)
    assert any("avg(" in statement for statement in executed)
    shown = (await filled.ask('{ history(organizationId: "org_1") { averageSyncDurationSeconds } }'))["data"]["history"]
    assert shown["averageSyncDurationSeconds"] == round(expected.total_seconds(), 3)


@pytest.mark.sqlite_only
async def test_totals_are_computed_from_an_index(filled: Server):
    """Counts and the average of forty thousand syncs take milliseconds."""
    database = filled.runtime.database
    with statements_of(database) as executed:
        async with database.reading() as connection:
            await average_duration(connection, "org_1", SyncState.COMPLETED)
            await counts_by_status(connection, "org_1")
            asked = [one for one in executed if one.startswith("SELECT")]
            for statement in asked:
                values = ("org_1", SyncState.COMPLETED.value)[: statement.count("?")]
                plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)).all()
                assert "COVERING INDEX ix_syncs_totals" in plan[0][-1], str(plan)
