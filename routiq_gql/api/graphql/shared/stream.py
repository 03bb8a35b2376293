"""The part of an HTTP response in a shared operation: of an event stream, or of a multipart response."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from graphql import GraphQLError
from strawberry.http import GraphQLRequestData
from strawberry.http.streaming import HTTPStreamTransport

from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.shared.operations import AnyOperation, SharedOperations
from routiq_gql.api.graphql.shared.payload import Payload

if TYPE_CHECKING:
    from routiq_gql.tracing.spans import OperationSpan

Encode = Callable[[object], str]


class StreamSubscription:
    """A subscription by HTTP, and the pieces of its response.

    Close it, even if it never began.
    """

    def __init__(self, transport: HTTPStreamTransport, encode: Encode) -> None:
        self._transport = transport
        self._encode = encode
        self._shared: AnyOperation | None = None
        self.span: OperationSpan | None = None
        self._newest: Payload | None = None
        self._errors: list[GraphQLError] | None = None
        self._last: str | None = None
        self._is_late = False
        self._is_over = False
        self._changed = asyncio.Event()
        self._first = transport.heartbeat_message(encode) if transport.send_initial_heartbeat else None

    async def begin(
        self, operations: SharedOperations, context: Context, request: GraphQLRequestData
    ) -> bool | list[GraphQLError]:
        """Join the operation of a request, and wait until it has begun.

        Returns:
            False if the request can't be shared, and the errors if the operation is refused.
        """
        self._shared = operations.operation_of(context, request.query or "", request.operation_name, request.variables)
        if self._shared is None:
            return False
        self.span = context.begin_span(request.extensions)
        self._shared.join(self)
        try:
            await self._changed.wait()
        except BaseException:
            await self.aclose()
            raise
        return self._errors or not self._is_over

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next piece of the response, as the transport encodes it."""
        if self._first is not None:
            first, self._first = self._first, None
            return first.encode()
        while self._newest is None:
            if self._last is not None:
                last, self._last, self._is_over = self._last, None, True
                return last.encode()
            if self._is_over:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        newest, self._newest = self._newest, None
        if self._is_late and self._shared is not None:
            self._is_late = False
            self._shared.on_ready(self)
        return newest.form(type(self._transport), self._piece)

    async def aclose(self) -> None:
        """Leave the operation."""
        if self._shared is not None:
            self._shared.leave(self)

    def _piece(self, result: bytes) -> bytes:
        return self._transport.encode_next({"data": None}, _already_encoded(result)).encode()

    def show(self, payload: Payload) -> bool:
        if self._newest is not None:
            self._is_late = True
            return False
        self._newest = payload
        self._changed.set()
        return True

    def finish(self) -> None:
        self._last = self._transport.encode_complete()
        self._changed.set()

    def refuse(self, errors: list[GraphQLError]) -> None:
        self._errors = errors
        self._changed.set()

    def execute_alone(self) -> None:
        self._is_over = True
        self._changed.set()


def _already_encoded(result: bytes) -> Encode:
    """An encoder for ``encode_next`` of a transport, which is given the result, alone or as the member ``payload``."""

    def encode(value: object) -> str:
        text = result.decode()
        return f'{{"payload":{text}}}' if isinstance(value, dict) and "payload" in value else text

    return encode
