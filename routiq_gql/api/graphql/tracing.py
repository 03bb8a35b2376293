"""A Strawberry extension: the span of each operation that is executed, on every transport. Added when traces are on.

A subscription has a span until it has started. Those that share an operation get theirs from their transports, and a
query that is answered from memory has only the span of its HTTP request.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from routiq_gql.api.graphql.context import Context
from routiq_gql.organizations.dashboard import Dashboard
from routiq_gql.sync.model import SyncSnapshot

if TYPE_CHECKING:
    from routiq_gql.tracing.spans import OperationSpan


class OperationSpans(SchemaExtension):
    """Outside of all other extensions, so that it sees the codes of errors."""

    _span: "OperationSpan | None" = None

    def on_operation(self) -> Iterator[None]:
        execution = self.execution_context
        context: Context = execution.context
        if context.shared is None:
            self._span = context.begin_span(execution.operation_extensions)
        try:
            yield
        finally:
            self._end()

    def on_execute(self) -> Iterator[None]:
        if self._span is None:
            yield
            return
        with self._span.current():
            yield
        if self.execution_context.operation_type is OperationType.SUBSCRIPTION and not self._errors:
            self._end()  # it has started

    @property
    def _errors(self) -> Sequence[GraphQLError]:
        execution = self.execution_context
        return getattr(execution.result, "errors", None) or execution.pre_execution_errors or ()

    def _end(self) -> None:
        if self._span is None:
            return
        execution, kind = self.execution_context, None
        with suppress(RuntimeError):  # there is no such operation
            kind = execution.operation_type.value
        self._span.end(kind, execution.operation_name, code_in(self._errors))


def code_in(errors: Sequence[GraphQLError]) -> str | None:
    """The code of the first error; ``None`` without errors."""
    if not errors:
        return None
    code = (errors[0].extensions or {}).get("code")
    return code if isinstance(code, str) else "BAD_USER_INPUT"  # of a document that was refused before


def span_of(value: object) -> str | None:
    """The span of the sync that a subscription follows: of that sync, or of the running sync of a dashboard."""
    sync = value.current_sync if isinstance(value, Dashboard) else value
    return sync.trace_span if isinstance(sync, SyncSnapshot) else None
