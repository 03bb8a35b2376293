"""The part of an HTTP response in a shared operation: of an event stream, or of a multipart response."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from graphql import GraphQLError
from strawberry.http import GraphQLRequestData
from strawberry.http.streaming import HTTPStreamTransport

from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.shared.operation import SharedOperation
from routiq_gql.api.graphql.shared.operations import SharedOperations
from routiq_gql.api.graphql.shared.payload import Payload

Encode = Callable[[object], str]


class StreamSubscription:
    """A subscription by HTTP. While a piece is being sent, only the newest payload waits for its turn."""

    def __init__(self) -> None:
        self._shared: SharedOperation | None = None
        self._newest: Payload | None = None
        self._errors: list[GraphQLError] | None = None
        self._is_alone = False
        self._is_finished = False
        self._changed = asyncio.Event()

    async def begin(
        self, operations: SharedOperations, context: Context, request: GraphQLRequestData
    ) -> bool | list[GraphQLError]:
        """Join the operation of a request, and wait until it has begun.

        Returns:
            False if the request can't be shared, and the errors if the operation is refused.
        """
        self._shared = operations.join(context, self, request.query or "", request.operation_name, request.variables)
        if self._shared is None:
            return False
        try:
            await self._changed.wait()
        except BaseException:
            self._shared.leave(self)
            raise
        return self._errors or not self._is_alone

    async def pieces(self, transport: HTTPStreamTransport, encode: Encode) -> AsyncGenerator[bytes, None]:
        """The response's body, as the transport encodes it. Leaves the operation when it is closed."""

        def piece(_key: str, result: bytes) -> bytes:
            return transport.encode_next({"data": None}, _already_encoded(result)).encode()

        try:
            if transport.send_initial_heartbeat:
                yield transport.heartbeat_message(encode).encode()
            while not self._is_alone:
                await self._changed.wait()
                self._changed.clear()
                newest, self._newest = self._newest, None
                if newest is not None:
                    yield newest.form(transport.protocol, piece)
                if self._is_finished:
                    yield transport.encode_complete().encode()
                    return
        finally:
            if self._shared is not None:
                self._shared.leave(self)

    def show(self, payload: Payload) -> None:
        self._newest = payload
        self._changed.set()

    def finish(self) -> None:
        self._is_finished = True
        self._changed.set()

    def refuse(self, errors: list[GraphQLError]) -> None:
        self._errors = errors
        self._changed.set()

    def execute_alone(self) -> None:
        self._is_alone = True
        self._changed.set()


def _already_encoded(result: bytes) -> Encode:
    """An encoder for ``encode_next`` of a transport, which is given the result, alone or as the member ``payload``."""

    def encode(value: object) -> str:
        text = result.decode()
        return f'{{"payload":{text}}}' if isinstance(value, dict) and "payload" in value else text

    return encode
