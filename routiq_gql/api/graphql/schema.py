"""Builds the schema. ``schema.graphql`` at the top of the project is the committed ``schema_text()``."""

from datetime import datetime
from functools import partial
from typing import Any

import strawberry
from graphql import GraphQLError, build_schema, lexicographic_sort_schema, print_schema
from strawberry.extensions import DisableIntrospection
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StreamResult
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from routiq_gql.api.graphql.admitting import OperationAdmission
from routiq_gql.api.graphql.error_codes import ErrorCode
from routiq_gql.api.graphql.errors import CodedErrors
from routiq_gql.api.graphql.executor import LimitedExecutor
from routiq_gql.api.graphql.limits import DEFAULT_MAX_COST
from routiq_gql.api.graphql.operations import Mutation, Query, Subscription
from routiq_gql.api.graphql.scalars import DATE_TIME
from routiq_gql.api.graphql.tracing import OperationSpans

SINGLE_RESULTS = frozenset({OperationType.QUERY, OperationType.MUTATION})
"""Operations with a single result. Strawberry would execute a subscription as well, and fail."""


class Schema(strawberry.Schema):
    """Leaves logging to ``CodedErrors``; Strawberry would log the text of queries and exceptions.

    On every transport an empty operation name counts as missing. Source: GraphQL over HTTP, "Request Parameters".
    """

    async def execute(self, *args: Any, **kwargs: Any) -> ExecutionResult:
        allowed = kwargs.get("allowed_operation_types")
        kwargs["allowed_operation_types"] = SINGLE_RESULTS if allowed is None else SINGLE_RESULTS.intersection(allowed)
        kwargs["operation_name"] = kwargs.get("operation_name") or None
        return await super().execute(*args, **kwargs)

    async def stream(self, *args: Any, **kwargs: Any) -> StreamResult:
        kwargs["operation_name"] = kwargs.get("operation_name") or None
        return await super().stream(*args, **kwargs)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        del errors, execution_context


def make_schema(*, introspection: bool = True, max_cost: int = DEFAULT_MAX_COST, traces: bool = False) -> Schema:
    """The schema; without ``introspection``, clients can neither ask for its types nor guess them from errors.

    Args:
        max_cost: The highest cost of an operation; see ``cost.py``.
        traces: Make a span of each operation.
    """
    return Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[ErrorCode],
        extensions=[
            *([OperationSpans] if traces else []),
            partial(CodedErrors, hide_suggestions=not introspection),
            partial(OperationAdmission, max_cost=max_cost),
            *([] if introspection else [DisableIntrospection]),
        ],
        execution_context_class=LimitedExecutor,
        config=StrawberryConfig(scalar_map={datetime: DATE_TIME}),
    )


def schema_text() -> str:
    """The schema in GraphQL's schema language, sorted, with a final line break."""
    # Strawberry's sorting breaks the printing of enum defaults.
    return print_schema(lexicographic_sort_schema(build_schema(make_schema().as_str()))).strip() + "\n"
