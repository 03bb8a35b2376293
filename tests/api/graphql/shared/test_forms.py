"""Each client of a shared payload gets it in the form of its own transport, whoever has read it before."""

import json
from itertools import permutations
from types import SimpleNamespace
from typing import Any

from strawberry.http.streaming import HTTPStreamTransport

from routiq_gql.api.graphql.shared.payload import Payload
from routiq_gql.api.graphql.shared.socket import SocketSubscription
from routiq_gql.api.graphql.shared.stream import StreamSubscription
from routiq_gql.api.graphql.transports import EventStreamTransport, MultipartTransport
from routiq_gql.serving.frames import text_frame

RESULT = {"data": {"syncProgress": {"version": 7, "currentStep": "Zoë"}}}
TRANSPORTS: tuple[type[HTTPStreamTransport], ...] = (EventStreamTransport, MultipartTransport)
IDS = ("1", "2", *(one.__name__ for one in (*TRANSPORTS, StreamSubscription)))
"""Of operations of sockets; a client may choose any text."""


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


async def _by_stream(payload: Payload, transport: type[HTTPStreamTransport]) -> bytes:
    """What a client gets over this transport."""
    client = StreamSubscription(transport(), _json)
    assert client.show(payload)
    pieces = [await anext(client) for _ in range(2 if transport.send_initial_heartbeat else 1)]
    return pieces[-1]


def _by_socket(payload: Payload, number: str) -> bytes:
    written: list[bytes] = []
    message: Any = {"id": number, "type": "subscribe", "payload": {"query": ""}}
    writer: Any = SimpleNamespace(write_frame=lambda frame: not written.append(frame))
    unused: Any = None
    assert SocketSubscription(unused, message, writer, unused).show(payload)
    return b"".join(written)


async def test_every_client_gets_the_form_of_its_transport():
    """In any order of event streams, multipart responses and sockets, each gets what it would get alone."""
    alone = {
        **{one: one().encode_next(RESULT, _json).encode() for one in TRANSPORTS},  # type: ignore[arg-type]
        **{one: text_frame(_json({"id": one, "type": "next", "payload": RESULT}).encode()) for one in IDS},
    }
    for order in permutations(alone, 3):
        payload = Payload(_json(RESULT).encode())
        for one in (*order, *order):
            got = _by_socket(payload, one) if isinstance(one, str) else await _by_stream(payload, one)
            assert got == alone[one], (order, one)
