"""A shared operation executes for all subscribers alike, whatever becomes of the session of the first."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
import time_machine

from routiq_gql.api.auth.credentials import Credentials
from routiq_gql.api.auth.session import Session
from routiq_gql.api.graphql.schema import make_schema
from routiq_gql.api.graphql.shared.operations import SharedOperations
from routiq_gql.clock import utc_now
from routiq_gql.live.subscriptions import Subscriptions
from routiq_gql.security.viewer import Right, Viewer
from tests.api.auth.test_session import AGES, LOOKS, Authority
from tests.api.graphql.shared.clients import context_with
from tests.graphql_documents import PROGRESS

LIFETIME = timedelta(minutes=1)
RIGHTS = frozenset({Right.START, Right.CANCEL})


@pytest.fixture(scope="module")
def schema() -> Any:
    return make_schema(introspection=True)


@pytest.mark.parametrize(("look", "age"), [*product(LOOKS, AGES)])
def test_the_viewer_of_an_operation_stays_as_it_began(schema: Any, look: str, age: str):
    """The first subscriber's token expires, is revoked, or gets other rights: the others still see what they saw."""
    viewer, authority, began = Viewer("org_1", RIGHTS, "anna"), Authority(RIGHTS), utc_now()
    session = Session(Credentials(viewer, began + LIFETIME), authority, timedelta(minutes=10))
    operations = SharedOperations(schema, lambda value: str(value))
    context = replace(context_with(Subscriptions(9)), session=session)
    operation = operations.operation_of(context, PROGRESS, None, {"id": "sync_1"})
    assert operation is not None
    executing = operation._context
    assert executing.reader == executing.viewer == viewer
    authority._look = LOOKS[look]
    since = AGES[age]
    with time_machine.travel(began if since is None else began + LIFETIME + since, tick=False):
        session._look()
        assert executing.reader == executing.viewer == viewer
