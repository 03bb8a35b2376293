"""Which selections are compiled, and how repeated fields, fragments and conditions are merged."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse

from routiq_gql.api.graphql.overview import Dashboard
from routiq_gql.api.graphql.projection import NotProjected, compile_selection, deciding_variables
from routiq_gql.api.graphql.schema import make_schema
from routiq_gql.api.graphql.types import SyncStatus
from routiq_gql.organizations import dashboard as dashboards
from tests.api.graphql.projection.drawn_values import drawn
from tests.api.graphql.projection.rendering import Operation, encoded
from tests.cli.test_progress import SNAPSHOT
from tests.graphql_documents import PROGRESS, UPDATES

SCHEMA = make_schema()._schema
STATUS = SyncStatus.of(SNAPSHOT)
LOG = "log(limit: 2) { seq }"


def _shown(selection: str, more: str = "", declared: str = "", **variables: bool) -> Any:
    """The object that both ways render for a selection of ``syncProgress``."""
    text = f'subscription Progress {declared} {{ syncProgress(syncId: "1") {{ {selection} }} }} {more}'
    operation = Operation(SCHEMA, text, variables)
    assert operation.projection is not None
    assert operation.projection(STATUS) == encoded(operation.executed(STATUS))
    return json.loads(operation.projection(STATUS))["data"]["syncProgress"]


def _is_compiled(text: str, **variables: Any) -> bool:
    return Operation(SCHEMA, text, variables).projection is not None


def test_aliases_and_the_order_of_fields():
    """Fields come in the order of the request, under the requested names."""
    shown = _shown("number: version id __typename again: version kind: __typename")
    assert list(shown.items()) == [
        ("number", 7),
        ("id", STATUS.id),
        ("__typename", "SyncStatus"),
        ("again", 7),
        ("kind", "SyncStatus"),
    ]


def test_repeated_fields_are_merged():
    """A field that is requested twice appears once, with all that was requested of it."""
    shown = _shown("id version ...P id", "fragment P on SyncStatus { status version }")
    assert list(shown) == ["id", "version", "status"]
    operation = Operation(
        SCHEMA,
        """subscription { dashboardUpdated(organizationId: "1") { patientStats { activePatients } id ...More } }
        fragment More on Dashboard { patientStats { lastSyncTime activePatients } ...Again }
        fragment Again on Dashboard { patientStats { __typename } }""",
    )
    dashboard = Dashboard.of(drawn(Random(0), dashboards.Dashboard))
    assert operation.projection is not None
    rendered = operation.projection(dashboard)
    assert rendered == encoded(operation.executed(dashboard))
    stats = json.loads(rendered)["data"]["dashboardUpdated"]["patientStats"]
    assert list(stats) == ["activePatients", "lastSyncTime", "__typename"]


def test_conditions():
    """A skipped field is absent, whether a literal, a variable or its default says so."""
    assert _shown("id version @skip(if: true) status @include(if: false)") == {"id": STATUS.id}
    declared = "($a: Boolean!, $b: Boolean = true)"
    selection = "id @skip(if: $a) @include(if: $b) ... @include(if: $a) { version } ...P @skip(if: $b)"
    fragment = "fragment P on SyncStatus { status }"
    assert _shown(selection, fragment, declared, a=False) == {"id": STATUS.id}
    assert _shown(selection, fragment, declared, a=True) == {"version": 7}
    assert _shown(selection, fragment, declared, a=True, b=False) == {"version": 7, "status": "FETCHING_PATIENTS"}
    assert _shown("id @skip(if: true)") == {}


def test_a_fragment_is_collected_again_after_it_was_skipped():
    """A fragment counts where it is included, also after a place where it is skipped."""
    shown = _shown("...P @skip(if: true) id ...P", "fragment P on SyncStatus { version }")
    assert list(shown) == ["id", "version"]


@pytest.mark.timeout(20)
def test_fragments_that_are_spread_many_times_are_collected_once():
    """A short request that repeats its parts over and over occupies the server no longer than any other request."""
    chain = " ".join(f"fragment F{n} on SyncStatus {{ ...F{n + 1} ... {{ ...F{n + 1} }} }}" for n in range(60))
    assert _shown("...F0", f"{chain} fragment F60 on SyncStatus {{ id }}") == {"id": STATUS.id}


def test_texts_are_escaped_as_in_every_other_response():
    """Quotes, control characters and letters beyond ASCII arrive unchanged."""
    text = 'ÆØ “…” "\\ \x00\x7f\u2028 % %s \ud800'
    operation = Operation(SCHEMA, 'subscription { syncProgress(syncId: "1") { currentStep } }')
    assert operation.projection is not None
    status = replace(STATUS)
    status.current_step = text
    rendered = operation.projection(status)
    assert rendered == encoded(operation.executed(status))
    assert json.loads(rendered)["data"]["syncProgress"]["currentStep"] == text


def test_only_plain_fields_are_compiled():
    """A selection with a field that is read from the database stays with the ordinary way, wherever the field is."""
    plain = 'subscription { syncProgress(syncId: "1") { id %s } }'
    assert _is_compiled(plain % "failure { code }")
    for part in (LOG, f"... {{ {LOG} }}", f"... @include(if: true) {{ {LOG} }}", "receipt { unreadableRows { id } }"):
        assert not _is_compiled(plain % part), part
    assert not _is_compiled(
        plain % "...P" + f"fragment P on SyncStatus {{ ...Q }} fragment Q on SyncStatus {{ {LOG} }}"
    )
    deep = 'subscription { dashboardUpdated(organizationId: "1") { currentSync { id } lastSync { %s } } }'
    assert _is_compiled(deep % "version")
    assert not _is_compiled(deep % LOG)
    assert _is_compiled(plain % f"{LOG.replace(')', ') @skip(if: true)')}"), "a skipped field does not matter"


def test_the_usual_subscriptions_of_clients_are_compiled():
    """The subscriptions of our pages and of the documentation are rendered the quick way."""
    assert _is_compiled(UPDATES, id="1")
    assert not _is_compiled(PROGRESS, id="1"), "it requests unreadable rows, which have a resolver"
    assert _is_compiled(PROGRESS.replace("unreadableRows { list id reason }", ""), id="1")


def test_queries_of_a_single_field_are_compiled():
    """A query for a sync or a dashboard is rendered the quick way; a query for two of them is not."""
    assert _is_compiled('{ syncStatus(syncId: "1") { id } }')
    assert _is_compiled('{ dashboard(organizationId: "1") { id } }')
    assert not _is_compiled('{ a: syncStatus(syncId: "1") { id } b: syncStatus(syncId: "2") { id } }')
    assert not _is_compiled('{ syncStatus(syncId: "1") { id } __typename }')
    assert not _is_compiled("{ __schema { queryType { name } } }")
    nothing = Operation(SCHEMA, '{ syncStatus(syncId: "1") { id } }').projection
    assert nothing is not None
    assert nothing(None) == b'{"data":{"syncStatus":null}}'


def test_an_unset_condition_is_left_to_the_executor():
    """Without a value for a condition nothing is compiled, as the executor reports the error."""
    document = parse('subscription ($a: Boolean) { syncProgress(syncId: "1") { id @skip(if: $a) } }')
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert compile_selection(SCHEMA, operation, {}, {}) is None
    assert compile_selection(SCHEMA, operation, {}, {"a": None}) is None
    assert compile_selection(SCHEMA, operation, {}, {"a": True}) is not None


def test_a_directive_of_another_kind_is_left_to_the_executor():
    """A directive that the server does not know by heart may change a value, so nothing is compiled."""
    (operation,) = parse('subscription { syncProgress(syncId: "1") { id @shout(if: true) } }').definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert compile_selection(SCHEMA, operation, {}, {}) is None


def test_an_object_of_another_class_is_left_to_the_executor():
    """Only the objects that the server itself makes are rendered the quick way."""
    operation = Operation(SCHEMA, 'subscription { syncProgress(syncId: "1") { id failure { __typename } } }')
    assert operation.projection is not None
    for other in (SNAPSHOT, None, {"id": "1"}, ValueError("no")):
        with pytest.raises(NotProjected):
            operation.projection(other)
    status = replace(STATUS)
    status.failure = SNAPSHOT  # type: ignore[assignment]
    with pytest.raises(NotProjected):
        operation.projection(status)


def test_the_variables_that_decide_the_selection():
    """Watchers of different syncs share a compiled selection: the sync's id does not decide it."""
    definitions = parse(
        """subscription ($id: ID!, $a: Boolean!, $b: Boolean!, $c: Boolean!, $unused: Int) {
          syncProgress(syncId: $id) { id @skip(if: $a) ...P failure { ... @include(if: $b) { code } } } }
        fragment P on SyncStatus { version @skip(if: true) receipt { ...Q @include(if: $c) } ...P }
        fragment Q on SyncReceipt { requests }"""
    ).definitions
    (operation,) = [one for one in definitions if isinstance(one, OperationDefinitionNode)]
    fragments = {one.name.value: one for one in definitions if isinstance(one, FragmentDefinitionNode)}
    assert deciding_variables(operation, fragments) == {"a", "b", "c"}


def test_compiling_takes_less_than_a_millisecond():
    """Compiling costs about as much processor time as an event of the ordinary way."""
    (operation,) = parse(PROGRESS.replace("unreadableRows { list id reason }", "")).definitions
    assert isinstance(operation, OperationDefinitionNode)
    costs = []
    for _ in range(20):
        begin = time.thread_time()
        assert compile_selection(SCHEMA, operation, {}, {"id": "1"}) is not None
        costs.append(time.thread_time() - begin)
    assert min(costs) < 0.001


def test_a_projection_costs_a_fraction_of_an_execution():
    """A watcher whose sync no other watcher shares costs a fraction of an execution, with the same clock for both."""
    operation = Operation(SCHEMA, PROGRESS.replace("unreadableRows { list id reason }", ""), {"id": "1"})
    project = operation.projection
    assert project is not None
    status = SyncStatus.of(replace(SNAPSHOT, completed_at=datetime(2026, 3, 2, 10, tzinfo=UTC)))

    def cost(render: Any, times: int) -> float:
        begin = time.thread_time()
        for _ in range(times):
            render()
        return (time.thread_time() - begin) / times

    rounds = [
        (cost(lambda: project(status), 100), cost(lambda: encoded(operation.executed(status)), 20)) for _ in range(5)
    ]
    assert min(quick for quick, _ in rounds) * 5 < min(slow for _, slow in rounds)
