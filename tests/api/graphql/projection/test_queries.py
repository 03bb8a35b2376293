"""A query for a sync or a dashboard is rendered as the executor renders it."""

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import ExecutionResult, OperationDefinitionNode, parse
from graphql.execution import Executor, execute_root_selection_set
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from routiq_gql.api.graphql.overview import Dashboard
from routiq_gql.api.graphql.projection import compile_selection
from routiq_gql.api.graphql.schema import make_schema
from routiq_gql.api.graphql.types import SyncStatus
from routiq_gql.organizations import dashboard as dashboards
from routiq_gql.sync import model
from tests.api.graphql.projection.drawn_documents import whole_subscription
from tests.api.graphql.projection.drawn_values import drawn
from tests.api.graphql.projection.rendering import encoded

SCHEMA = make_schema()._schema
ROOTS = {"syncStatus": "syncProgress", "dashboard": "dashboardUpdated"}
"""Each query, and the subscription to the same type."""


@pytest.mark.parametrize("root", ROOTS)
async def test_a_query_is_rendered_as_the_executor_renders_it(root: str):
    """A page that asks once gets the same text as a page that follows the changes."""
    text = whole_subscription(SCHEMA, ROOTS[root]).replace(ROOTS[root], root).replace("subscription", "query", 1)
    document = parse(text)
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    project = compile_selection(SCHEMA, operation, {}, {"id": "1"})
    assert project is not None
    for seed in range(10):
        sync = drawn(Random(seed), model.SyncSnapshot)
        dashboard = drawn(Random(seed), dashboards.Dashboard)
        result = await _executed(document, sync, dashboard)
        assert result.errors is None
        value = SyncStatus.of(sync) if root == "syncStatus" else Dashboard.of(dashboard)
        assert project(value) == encoded(result)


async def _executed(document: Any, sync: model.SyncSnapshot, dashboard: dashboards.Dashboard) -> ExecutionResult:
    async def status(*_: Any) -> model.SyncSnapshot:
        return sync

    async def overview(*_: Any) -> dashboards.Dashboard:
        return dashboard

    context = SimpleNamespace(viewer=None, syncs=SimpleNamespace(status=status, dashboard=overview))
    executor = StrawberryGraphQLCoreExecutionContext.build(
        SCHEMA, document, context_value=context, raw_variable_values={"id": "1"}
    )
    assert isinstance(executor, Executor)
    result: Any = execute_root_selection_set(executor)
    return await result  # type: ignore[no-any-return]
