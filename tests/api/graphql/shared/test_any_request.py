"""Requests that are open at the same time share an operation if they are alike in everything that decides a result."""

from collections import defaultdict
from dataclasses import fields, replace
from itertools import product

from routiq_gql.api.auth.credentials import Credentials
from routiq_gql.api.auth.session import Session
from routiq_gql.api.graphql.schema import make_schema
from routiq_gql.api.graphql.shared.operations import SharedOperations
from routiq_gql.live.subscriptions import Subscriptions
from routiq_gql.security.viewer import NO_RIGHTS, Right, Viewer
from routiq_gql.sync.actors import ActorKind
from tests.api.graphql.shared.clients import context_with

TWO = """subscription Short($id: ID!) { syncProgress(syncId: $id) { id } }
    subscription Long($id: ID!, $log: Boolean) {
      syncProgress(syncId: $id) { id log(limit: 1) @include(if: $log) { seq } } }"""
DOCUMENTS = (TWO, TWO.replace("{ id }", "{ version }"))
NAMES = ("Short", "Long")
VARIABLES = ({"id": "1"}, {"id": "2"}, {"id": 1}, {"id": "1", "log": None}, {"id": "1", "log": True})
VIEWER = Viewer("org_1", frozenset({Right.START}), "anna", "10.0.0.1")
OTHERS = {
    "organization_id": ("org_2", None),
    "rights": (NO_RIGHTS, frozenset({Right.PATIENTS})),
    "subject": ("bert", None),
    "address": ("10.0.0.2", None),
    "sync_id": ("sync_1", "sync_2"),
    "has_lapsed": (True,),
    "kind": (ActorKind.SCHEDULE,),
}
DECIDES_NOTHING = {"subject", "address", "kind"}
VIEWERS = [VIEWER, *(replace(VIEWER, **{name: value}) for name, values in OTHERS.items() for value in values)]


def seen_by(viewer: Viewer) -> tuple[object, ...]:
    """The values of a viewer that may decide a result."""
    return tuple(getattr(viewer, one.name) for one in fields(Viewer) if one.name not in DECIDES_NOTHING)


def test_only_requests_that_are_alike_share_an_operation():
    """Another operation of a document, a variable, an organization, a right: each has a result of its own."""
    assert OTHERS.keys() == {one.name for one in fields(Viewer)}
    operations = SharedOperations(make_schema(introspection=True), str)
    asked = defaultdict(set)
    for document, name, variables, viewer in product(DOCUMENTS, NAMES, VARIABLES, VIEWERS):
        context = replace(context_with(Subscriptions(9)), session=Session(Credentials(viewer)))
        for given in (variables, dict(reversed(variables.items()))):
            operation = operations.operation_of(context, document, name, given)
            assert operation is not None
            machinery = operation.machinery
            assert (machinery.document, machinery.operation_name, machinery.variables) == (document, name, variables)
            assert seen_by(operation._context.viewer) == seen_by(viewer)
            asked[id(operation)].add((document, name, repr(variables), seen_by(viewer)))
    assert all(len(alike) == 1 for alike in asked.values())
    assert len(asked) == len(operations) == len(set.union(*asked.values()))
