"""Subscribers of shared operations that stand for clients, and the context of such an operation."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from graphql import GraphQLError

from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.shared.operation import SharedOperation
from routiq_gql.api.graphql.shared.payload import Payload
from routiq_gql.live.subscriptions import Subscriptions


class Client:
    """A subscriber that checks the order of calls.

    Args:
        operation: The operation that is open at the moment.
        shown: The part of a result that is recorded.

    Attributes:
        seen: What was shown: parts of results, and codes of errors.
        ends: The last call, in words.
    """

    def __init__(self, operation: Callable[[], SharedOperation[Any] | None], shown: Callable[[Any], Any]) -> None:
        self._operation = operation
        self._shown = shown
        self._was_refused = False
        self.is_stalled = False
        self.has_left = False
        self.span = None
        self.seen: list[Any] = []
        self.ends: list[str] = []

    def show(self, payload: Payload) -> bool:
        assert not self.has_left
        assert not self.ends
        if self.is_stalled:
            self._was_refused = True
            return False
        result = json.loads(payload.json)
        self.seen.append(
            result["errors"][0]["extensions"]["code"] if "errors" in result else self._shown(result["data"])
        )
        return True

    def finish(self) -> None:
        self.ends.append("complete")

    def refuse(self, errors: list[GraphQLError]) -> None:
        self.ends.append(f"refused {(errors[0].extensions or {})['code']}")

    def execute_alone(self) -> None:
        self.ends.append("alone")

    def read_again(self) -> None:
        """Stop being stalled, and say so if something was to be shown meanwhile."""
        self.is_stalled = False
        operation = self._operation()
        if self._was_refused and not self.has_left and operation is not None:
            self._was_refused = False
            operation.on_ready(self)

    def leave(self) -> None:
        """Unsubscribe, if the operation is open."""
        operation = self._operation()
        if operation is not None and not self.has_left and not self.ends:
            self.has_left = True
            operation.leave(self)


def context_with(subscriptions: Subscriptions) -> Context:
    """A context of executions that use nothing but these parts."""

    @asynccontextmanager
    async def watching(_bucket: str) -> AsyncIterator[None]:
        yield

    syncs: Any = SimpleNamespace(subscriptions=subscriptions)
    admission: Any = SimpleNamespace(watching=watching)
    unused: Any = None
    return Context(syncs, unused, unused, unused, unused, unused, None, connection_params={}, admission=admission)
