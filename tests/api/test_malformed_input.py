"""Odd input, case by case and on both databases, gets a client's error with a sentence.

``test_fuzzing.py`` searches for more; its findings become cases here.
"""

import asyncio
import base64
import json
from contextlib import suppress
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed

from routiq_gql.api.graphql.errors import MAX_MESSAGE_CHARACTERS
from routiq_gql.api.graphql.messages import MAX_ID_CHARACTERS
from routiq_gql.sync import watching
from tests.api.malformed_input import DIGITS, LONG, quoted
from tests.graphql_documents import CANCEL, DASHBOARD, HISTORY, LOG, PROGRESS, STATUS, UPDATES
from tests.server import Server, open_socket
from tests.waiting import LIMIT_SECONDS

QUERY = "{ __typename }"
UNKNOWN = "sync_nobody_20241222_143022"
STARTING = "mutation ($id: ID!, $mode: SyncMode!) { startSync(organizationId: $id, mode: $mode) { created } }"

ODD_IDS = [
    "",
    "\x00",
    f"{UNKNOWN}\x00",
    f"{UNKNOWN}\n",
    "\ud800",
    "sync_\udfff_20241222_143022",
    "sync_org_٢٠٢٤",
    "SYNC_nobody_20241222_143022",
    "sync_",
    "sync_" + "x" * 97,
    "<b>",
    DIGITS,
    LONG,
]


async def _posted(server: Server, body: str | bytes, **headers: str) -> httpx.Response:
    return await server.http.post("/graphql", content=body, headers={"Content-Type": "application/json", **headers})


def _errors(answer: httpx.Response) -> list[dict[str, Any]]:
    errors: list[dict[str, Any]] = json.loads(answer.content.decode())["errors"]
    assert {error["extensions"]["code"] for error in errors} <= {"BAD_USER_INPUT", "SYNC_NOT_FOUND"}, errors
    return errors


@pytest.fixture
async def quiet_server(bare_server: Server) -> Any:
    """A server that logs no error during the test."""
    with capture_logs() as logs:
        yield bare_server
    assert [line for line in logs if line["log_level"] in {"error", "critical"}] == []


@pytest.mark.both_databases
async def test_an_id_of_a_wrong_form_is_unknown(quiet_server: Server, monkeypatch: pytest.MonkeyPatch):
    """A malformed id gets the same response as an unknown id, on every route and transport, without a query."""
    server = quiet_server
    documents = (STATUS, CANCEL, PROGRESS, LOG)
    expected_rest = (await server.http.get(f"/api/v1/sync/status/{UNKNOWN}")).content
    expected = [await _answers(server, document, UNKNOWN) for document in documents]
    looked_up = []
    monkeypatch.setattr(watching, "sync_by_id", lambda _connection, sync_id, *_, **__: looked_up.append(sync_id))
    for sync_id in ODD_IDS:
        for method, route in (("GET", "status"), ("GET", "stream"), ("DELETE", "cancel")) if sync_id else ():
            answer = await server.http.request(method, f"/api/v1/sync/{route}/{quoted(sync_id)}")
            assert (answer.status_code, answer.content) == (404, expected_rest), sync_id
        assert [await _answers(server, document, sync_id) for document in documents] == expected, sync_id
    assert not looked_up


async def _answers(server: Server, document: str, sync_id: str) -> list[Any]:
    """The same operation over HTTP and over a websocket."""
    accept = "text/event-stream" if document.startswith("subscription") else "application/json"
    body = json.dumps({"query": document, "variables": {"id": sync_id}})
    over_http = await _posted(server, body, Accept=accept)
    async with open_socket(server) as socket:
        await socket.send(f'{{"type":"subscribe","id":"1","payload":{body}}}')
        return [over_http.status_code, over_http.content, await socket.receive()]


ODD_CURSORS = [
    "\x00",
    "\ud800",
    "٣",
    LONG,
    DIGITS,
    "W10",
    "bnVsbA",
    "====",
    base64.urlsafe_b64encode(b"[" * 20_000).decode(),
    base64.urlsafe_b64encode(b'["0001-01-01T00:00:00+23:59", "sync_x_20241222_143022"]').decode(),
    base64.urlsafe_b64encode(b'["9999-12-31T23:59:59-23:59", "sync_x_20241222_143022"]').decode(),
    base64.urlsafe_b64encode(b'["2024-12-22T00:00:00+00:00", "sync_x\\u0000"]').decode(),
    base64.urlsafe_b64encode(b'["2024-12-22T00:00:00+00:00", "\\ud800"]').decode(),
    base64.urlsafe_b64encode(DIGITS.encode()).decode(),
]


@pytest.mark.both_databases
async def test_a_cursor_of_a_wrong_form_is_bad_input(quiet_server: Server):
    """The error for any malformed cursor says where to get a valid one."""
    for cursor in ODD_CURSORS:
        rest = await quiet_server.http.get(f"/api/v1/sync/history/org_1?after={quoted(cursor)}")
        assert (rest.status_code, rest.json()["code"]) == (422, "BAD_USER_INPUT"), cursor[:80]
        body = json.dumps({"query": HISTORY, "variables": {"id": "org_1", "after": cursor}})
        (error,) = _errors(await _posted(quiet_server, body))
        assert error["message"] == rest.json()["detail"]


UNREADABLE = [
    (b"{", "is not JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
    (b"", "is not JSON"),
    (b"\xff\xfe{\x00}\x00", "is not UTF-8"),
    (b'{"query": "\xed\xa0\x80"}', "is not UTF-8"),
    (b'{"query": "\x00"}', "is not JSON: Invalid control character"),
    (b'{"variables": {"a": NaN}}', "is not JSON: NaN"),
    (b'{"variables": {"a": -Infinity}}', "is not JSON: -Infinity"),
    (b'{"variables": {"a": 1e400}}', "too large"),
    (b'{"variables": {"a": %s}}' % DIGITS.encode(), "more than 300 digits"),
    (b'{"variables": {"a": -0.%s}}' % DIGITS.encode(), "more than 300 digits"),
    (b'{"extensions": %s}' % DIGITS.encode(), "more than 300 digits"),
    (DIGITS.encode(), "more than 300 digits"),
    (b'{"variables": %s}' % (b'{"a":' * 101 + b"1" + b"}" * 101), "more deeply than 100 levels"),
    (b"[" * 100_000, "more deeply than 100 levels"),
]


async def test_json_that_cant_be_read_is_a_bad_request(quiet_server: Server):
    """A malformed body gets 400 and a websocket frame 4400; both name the error and repeat no input."""
    for json_text, reason in UNREADABLE:
        answer = await _posted(quiet_server, json_text)
        (error,) = _errors(answer)
        assert answer.status_code == 400
        assert error["message"].startswith("The request body ")
        assert reason in error["message"]
        with suppress(UnicodeDecodeError):
            frame = json_text.decode()
            for init in (True, False):
                async with open_socket(quiet_server, init=init) as socket:
                    await socket.send(frame)
                    code, said = await socket.closed()
                assert (code, str(said)[:20]) == (4400, "Invalid message: it ")
                assert reason[:60] in str(said)


async def test_a_parameter_that_is_not_json_is_named(quiet_server: Server):
    """The response to a GET request names the unreadable parameter."""
    for name in ("variables", "extensions"):
        for value in ("{", DIGITS, "NaN", "[" * 5_000, "\ufeff{}", "x"):
            answer = await quiet_server.http.get("/graphql", params={"query": QUERY, name: value})
            (error,) = _errors(answer)
            assert answer.status_code == 400
            assert error["message"].startswith(f"The parameter “{name}” ")


async def test_a_byte_order_mark_does_no_harm(bare_server: Server):
    """A byte order mark, which some editors add, does no harm."""
    answer = await _posted(bare_server, b"\xef\xbb\xbf" + json.dumps({"query": QUERY}).encode())
    assert answer.json() == {"data": {"__typename": "Query"}}


TOO_LONG_NUMBERS = [
    f'{{ history(organizationId: "org_1", limit: {DIGITS}) {{ totalSyncs }} }}',
    f'{{ history(organizationId: "org_1", limit: -{DIGITS}) {{ totalSyncs }} }}',
    f'query ($limit: Int! = {DIGITS}) {{ history(organizationId: "org_1", limit: $limit) {{ totalSyncs }} }}',
    f"{{ syncStatus(syncId: {DIGITS}) {{ id }} }}",
    f"{{ __typename @include(if: {DIGITS}.0) }}",
    f'subscription {{ syncLog(syncId: "{UNKNOWN}", after: {DIGITS}) {{ seq }} }}',
]


async def test_a_number_too_long_in_a_document_is_the_operations_error(quiet_server: Server):
    """The response names its line; on a websocket only the operation ends."""
    for document in TOO_LONG_NUMBERS:
        expected = "The document has a number of more than 300 digits (line 1)."
        accept = "text/event-stream" if document.startswith("subscription") else "application/json"
        answer = await _posted(quiet_server, json.dumps({"query": document}), Accept=accept)
        assert expected in answer.text
        assert "INTERNAL" not in answer.text
        async with open_socket(quiet_server) as socket:
            await socket.subscribe(document)
            frame = await socket.receive()
            assert (frame["type"], frame["payload"][0]["message"]) == ("error", expected)
            await socket.subscribe(QUERY)
            assert await socket.results() == [{"data": {"__typename": "Query"}}]


async def test_digits_in_a_text_are_no_number(bare_server: Server):
    """A long id of digits in quotes is an unknown id."""
    answer = await bare_server.ask(f'{{ syncStatus(syncId: "{DIGITS}") {{ id }} }}')
    assert answer["errors"][0]["extensions"]["code"] == "SYNC_NOT_FOUND"


HALF_CHARACTERS = [
    {"query": STARTING, "variables": {"id": "org_1", "mode": "\ud800"}},
    {"query": STARTING, "variables": {"id": "org_1", "mode": "FULL\udfff"}},
    {"query": STARTING, "variables": {"id": "\ud83d", "mode": "FULL"}},
    {"query": f"query A {QUERY} query B {QUERY}", "operationName": "\ud800"},
    {"query": "{ \ud800 }"},
    {"query": '{ syncStatus(syncId: "\ud800") { id } }'},
    {"query": '{ syncStatus(syncId: "\\ud800") { id } }'},
    {"query": DASHBOARD, "variables": {"\ud800": 1}},
    {"query": "query ($id: ID!) { x }", "variables": {"id": {"\ud800": "\udfff"}}},
]


async def test_half_a_character_is_a_clients_error(quiet_server: Server):
    """Text that JavaScript cut in the middle of an emoji is a client's error in a decodable response."""
    for request_ in HALF_CHARACTERS:
        for accept in ("application/json", "application/graphql-response+json", "text/event-stream"):
            answer = await _posted(quiet_server, json.dumps(request_), Accept=accept)
            assert answer.status_code in {200, 400}
            text = answer.content.decode()
            assert "INTERNAL" not in text
            json.dumps(json.loads(text.partition("data: ")[2].partition("\n")[0] or text), ensure_ascii=False).encode()
        async with open_socket(quiet_server) as socket:
            await socket.send({"type": "subscribe", "id": "1", "payload": request_})
            frame = await socket.receive()
            assert frame["id"] == "1"
            json.dumps(frame, ensure_ascii=False).encode()
            errors = frame["payload"] if frame["type"] == "error" else frame["payload"]["errors"]
            assert errors[0]["extensions"]["code"] in {"BAD_USER_INPUT", "SYNC_NOT_FOUND"}


async def test_a_message_repeats_little_of_what_was_sent(quiet_server: Server):
    """An error about a long value is short, over HTTP and on a websocket."""
    requests: list[dict[str, Any]] = [
        {"query": f'{{ history(organizationId: "org_1", limit: "{LONG}") {{ totalSyncs }} }}'},
        {"query": f"query A {QUERY} query B {QUERY}", "operationName": "x" * 200_000},
        {"query": f"{{ {LONG[:50_000]} }}"},
        {"query": STARTING, "variables": {"id": "org_1", "mode": "x" * 200_000}},
    ]
    for request in requests:
        answer = await _posted(quiet_server, json.dumps(request))
        for error in _errors(answer):
            assert len(error["message"]) <= MAX_MESSAGE_CHARACTERS
        async with open_socket(quiet_server) as socket:
            await socket.send({"type": "subscribe", "id": "1", "payload": request})
            assert len(json.dumps(await socket.receive())) < 4 * MAX_MESSAGE_CHARACTERS


SUBSCRIBE = {"type": "subscribe", "id": "1"}
WRONG_MEMBERS: list[tuple[Any, str]] = [
    (3, "it must be a JSON object"),
    ([], "it must be a JSON object"),
    ({}, "“type” must be connection_init, ping, pong, subscribe or complete"),
    ({"type": 3}, "“type” must be connection_init, ping, pong, subscribe or complete"),
    ({"type": "\ud800"}, "“type” must be connection_init, ping, pong, subscribe or complete"),
    ({"type": ["ping"]}, "“type” must be connection_init, ping, pong, subscribe or complete"),
    ({"type": "next", "id": "1", "payload": {}}, "“type” must be connection_init, ping, pong, subscribe or complete"),
    ({"type": "connection_init", "payload": 3}, "“payload” must be an object or null"),
    ({"type": "ping", "payload": "x"}, "“payload” must be an object or null"),
    ({"type": "pong", "payload": []}, "“payload” must be an object or null"),
    ({"type": "complete"}, "“id” must be a non-empty string"),
    ({"type": "complete", "id": 1}, "“id” must be a non-empty string"),
    ({"type": "subscribe", "id": True, "payload": {"query": QUERY}}, "“id” must be a non-empty string"),
    ({"type": "subscribe", "id": "", "payload": {"query": QUERY}}, "“id” must be a non-empty string"),
    ({"type": "subscribe", "id": "\ud800", "payload": {"query": QUERY}}, "“id” must not hold half a surrogate pair"),
    ({"type": "complete", "id": "x" * (MAX_ID_CHARACTERS + 1)}, "“id” may have at most 1,000 characters"),
    (SUBSCRIBE, "“payload” must be an object"),
    ({**SUBSCRIBE, "payload": QUERY}, "“payload” must be an object"),
    ({**SUBSCRIBE, "payload": {}}, "“payload.query” must be a string"),
    ({**SUBSCRIBE, "payload": {"query": [QUERY]}}, "“payload.query” must be a string"),
    (
        {**SUBSCRIBE, "payload": {"query": QUERY, "operationName": 1}},
        "“payload.operationName” must be a string or null",
    ),
    ({**SUBSCRIBE, "payload": {"query": QUERY, "variables": []}}, "“payload.variables” must be an object or null"),
    ({**SUBSCRIBE, "payload": {"query": QUERY, "extensions": 0}}, "“payload.extensions” must be an object or null"),
]


async def test_4400_names_the_member_that_is_wrong(quiet_server: Server):
    """The close frame names the wrong member, before and after connection_init."""
    for message, problem in WRONG_MEMBERS:
        for init in (True, False):
            async with open_socket(quiet_server, init=init) as socket:
                await socket.send(json.dumps(message))
                assert await socket.closed() == (4400, f"Invalid message: {problem}")


async def test_a_ping_may_hold_anything_that_is_json(quiet_server: Server):
    """The pong has the ping's payload unchanged."""
    payload = {
        "half": "\ud800",
        "nul": "\x00",
        "large": 10**299,
        "small": -1e308,
        "deep": json.loads("[" * 97 + "]" * 97),
    }
    async with open_socket(quiet_server) as socket:
        await socket.send({"type": "ping", "payload": payload})
        assert await socket.receive() == {"type": "pong", "payload": payload}


@pytest.mark.parametrize("greets", [True, False])
async def test_text_that_is_not_utf8_ends_the_socket_with_1007(quiet_server: Server, greets: bool):
    """Invalid UTF-8 closes the socket, even within a message or before a send, and is not logged as an error."""
    pieces = [b'{"type":"ping","payload":{"a":"', b"\xed\xa0\x80", b'"}}']
    async with open_socket(quiet_server, init=False) as socket:
        if greets:
            await socket.send({"type": "connection_init"})
            await socket.subscribe(UPDATES, id="org_1")
        with suppress(ConnectionClosed):
            await socket.connection.send(iter(pieces), text=True)
        async with asyncio.timeout(LIMIT_SECONDS):
            with suppress(ConnectionClosed):
                while True:
                    await socket.connection.recv()
        assert await socket.closed() == (1007, "Text messages must be UTF-8")


ODD_HEADERS = [
    {"Accept": ";" * 60_000},
    {"Accept": "application/json; charset*=x''%FF; charset*1*=%"},
    {"Accept": "text/event-stream;q=nan, application/json;q=1e999"},
    {"Accept": "*/*;q=" + DIGITS},
    {"Content-Type": "application/json" + ";a*0=b" * 5_000},
    {"Content-Type": "application/json; charset*=x''%FF; charset*1*=%"},
    {"Content-Type": "application/json; charset=no-such-charset"},
    {"Content-Type": 'APPLICATION/JSON ; boundary="'},
]


async def test_odd_media_types_do_no_harm(quiet_server: Server):
    """Unused parameters of a media type are ignored."""
    for headers in ODD_HEADERS:
        answer = await _posted(quiet_server, json.dumps({"query": QUERY}), **headers)
        assert "__typename" in answer.text
        assert answer.status_code == 200


NOT_JSON = ["", ";", "=", "a*=b''c", "application", "text/plain; x=application/json"]


async def test_a_body_that_is_not_announced_as_json_is_415(quiet_server: Server):
    """The response names the required media type."""
    for media_type in NOT_JSON:
        answer = await _posted(quiet_server, json.dumps({"query": QUERY}), **{"Content-Type": media_type})
        assert answer.status_code == 415
        assert "application/json" in _errors(answer)[0]["message"]


ODD_TOKEN_HEADERS = ["[" * 5_000, f'{{"alg": "HS256", "kid": {DIGITS}}}', '{"alg":"HS256","kid":[]}', "[]", "\x00"]


async def test_an_odd_stream_token_is_not_accepted(quiet_server: Server):
    """A stream token with any odd header is an invalid token."""
    for header in ODD_TOKEN_HEADERS:
        token = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=") + ".e30.e30"
        answer = await quiet_server.http.get(f"/api/v1/sync/stream/{UNKNOWN}", params={"token": token})
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
