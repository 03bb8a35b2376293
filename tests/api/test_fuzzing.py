"""Odd input to a real server, on every route, operation and transport and on both databases.

Each input is accepted or refused in a form that a client can read. Nothing hangs, no error is logged, and afterwards
the server responds as before. Findings become cases in ``test_malformed_input.py``.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.sync.client import ClientConnection, connect

from tests.api import malformed_input
from tests.api.malformed_input import ORGANIZATION, RawRequest, sent
from tests.cli.programs import PATIENCE_SECONDS, Program
from tests.conftest import ENCRYPTION_KEYS
from tests.postgres import Databases

CLOSE_CODES = {1003, 1007, 4400, 4401, 4408, 4409, 4429}
"""Allowed closes after odd frames; 1007 is for text that is not UTF-8."""
STATUSES = {200, 204, 400, 401, 403, 404, 405, 409, 413, 415, 421, 422, 429}
"""Allowed statuses after odd requests."""

QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
LONG = settings(QUICK, max_examples=2_000, derandomize=False, phases=tuple(Phase))


class Target:
    """A running server, and a client for ordinary requests.

    Attributes:
        known: Good values of arguments by name.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.url = program.url()
        self.known = {"organizationId": ORGANIZATION, "apiKey": "not a key", "url": "https://example.com/hooks"}
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS, verify=False)  # no TLS here

    def prepare(self) -> None:
        """Make two ended syncs, for ids and a cursor."""
        for _ in range(2):
            sync_id = self.http.post(f"/api/v1/sync/start/{ORGANIZATION}").json()["sync_id"]
            self.http.delete(f"/api/v1/sync/cancel/{sync_id}").raise_for_status()
            self.known["syncId"] = sync_id
        webhook = {"url": "https://example.com/hooks", "events": ["sync.completed"]}
        made = self.http.post(f"/api/v1/webhooks/{ORGANIZATION}", json=webhook).json()
        self.known["webhookId"] = made["webhook"]["id"]
        self.known["after"] = self.http.get(f"/api/v1/sync/history/{ORGANIZATION}?limit=1").json()["next_cursor"]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[ExitStack, dict[str, Target]]]:
    """A server per database, started when first needed."""
    with ExitStack() as stack:
        yield stack, {}


@pytest.fixture
def server(
    database_kind: str,
    servers: tuple[ExitStack, dict[str, Target]],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Target]:
    """A server with two syncs; after the test it still responds and has logged no error."""
    stack, running = servers
    if database_kind not in running:
        settings = {"ROUTIQ_STARTS_PER_MINUTE": "1000"}
        if database_kind == "postgres":
            databases: Databases = request.getfixturevalue("postgres")
            url = databases.create(request.getfixturevalue("postgres_template"))
            stack.callback(databases.drop, url)
            settings |= {"ROUTIQ_DATABASE_URL": url, "ROUTIQ_ENCRYPTION_KEYS": ENCRYPTION_KEYS}
        folder: Path = tmp_path_factory.mktemp(database_kind)
        program = stack.enter_context(Program("serve", "--port", "0", folder=folder, settings=settings))
        running[database_kind] = target = Target(program)
        stack.callback(target.http.close)
        target.prepare()
    target = running[database_kind]
    yield target
    assert target.program.process.poll() is None, "it has ended"
    assert target.http.get(f"/api/v1/sync/status/{target.known['syncId']}").status_code == 200
    complaints = target.program.complaints
    assert "request_failed" not in complaints, complaints
    assert "Traceback" not in complaints, complaints
    assert "[error " not in complaints, complaints


def test_every_field_with_arguments_is_tried():
    """The fields with odd values come from the schema, nested fields included."""
    names = {str(place) for place in malformed_input.PLACES}
    assert {"query syncStatus", "query syncStatus.log", "mutation connectCliniko", "subscription syncLog"} <= names
    assert "/api/v1/sync/stream/{sync_id}" in malformed_input.TEMPLATES


def _check_request(server: Target, request: RawRequest) -> None:
    with sent(server.url, request) as answer:
        assert answer.status in STATUSES, answer.status
        media_type = answer.getheader("content-type", "").partition(";")[0]
        if media_type == "text/event-stream" or media_type.startswith("multipart/"):
            _check_stream(answer)
            return
        body = answer.read()
    if media_type in {"application/json", "application/problem+json", "application/graphql-response+json"} and body:
        _check_json(body.decode())
    else:
        body.decode()


def _check_json(text: str) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    answer = json.loads(text, parse_constant=refuse)
    text.encode()
    assert '"code":"INTERNAL"' not in text.replace(" ", "").replace('"failure":{"code":"INTERNAL"', ""), text
    for error in answer.get("errors", ()) if isinstance(answer, dict) else ():
        if isinstance(error, dict):
            assert len(error["message"]) < 2_000
            error["message"].encode()


def _check_stream(answer: HTTPResponse) -> None:
    """The first events of a stream, up to the first result."""
    while line := answer.readline().decode():
        name, _, value = line.strip().partition(":")
        if name == "data" and value.strip():
            _check_json(value)
            return
        if line.startswith("{") and line.strip() != "{}":
            _check_json(line)
            return
        if line.startswith("event: complete"):
            return


def _socket(server: Target) -> ClientConnection:
    url = server.url.replace("http", "ws") + "/graphql"
    return connect(url, subprotocols=["graphql-transport-ws"], open_timeout=PATIENCE_SECONDS, max_size=None)


SILENT_SECONDS = 1.0
"""How long a subscription to changes may take to refuse its arguments. Accepted ones send nothing until a change."""


def _check_operations(server: Target, requests: Iterator[str]) -> None:
    """Each as a separate operation on a websocket, which is reopened after a close."""
    numbered = enumerate(requests)
    waiting = next(numbered, None)
    while waiting is not None:
        closed = None
        with _socket(server) as socket:
            try:
                socket.send('{"type":"connection_init"}')
                assert json.loads(socket.recv(PATIENCE_SECONDS))["type"] == "connection_ack"
                while waiting is not None:
                    number, request = waiting
                    waiting = next(numbered, None)
                    socket.send(f'{{"type":"subscribe","id":"{number}","payload":{request}}}')
                    patience = SILENT_SECONDS if "patientsChanged" in request else PATIENCE_SECONDS
                    try:
                        while (frame := json.loads(text := str(socket.recv(patience))))["id"] != str(number):
                            pass
                    except TimeoutError:
                        if patience is PATIENCE_SECONDS:
                            raise
                        frame = {"type": "next"}
                    else:
                        _check_json(text)
                    if frame["type"] == "next":
                        socket.send(f'{{"type":"complete","id":"{number}"}}')
            except ConnectionClosed as end:
                closed = end.rcvd or Close(1006, "it was closed without a close frame")
        assert closed is None or (closed.code, closed.reason[:20]) == (4400, "Invalid message: it ")


def _check_frames(server: Target, frames: list[str | bytes | tuple[bytes, ...]], *, greets: bool) -> None:
    with _socket(server) as socket:
        closed = None
        try:
            if greets:
                socket.send(json.dumps({"type": "connection_init"}))
            for frame in frames:
                if isinstance(frame, tuple):
                    socket.send(iter(frame), text=True)
                    if b"".join(frame).decode("utf-8", "replace").encode() != b"".join(frame):
                        break  # the server closes at once, and further frames may hide its close frame
                else:
                    socket.send(frame)
            socket.send(json.dumps({"type": "ping", "payload": {"last": True}}))
            while json.loads(text := str(socket.recv(PATIENCE_SECONDS))) != {"type": "pong", "payload": {"last": True}}:
                _check_json(text)
        except ConnectionClosed as end:
            closed = end
    if closed is not None:
        assert closed.rcvd is not None, "it was closed without a close frame"
        assert closed.rcvd.code in CLOSE_CODES
        assert closed.rcvd.reason


@pytest.mark.timeout(300)  # 3,600 requests
@pytest.mark.both_databases
def test_every_argument_takes_any_value(server: Target):
    """Each argument of each query and mutation, with each odd value, gets data or a client's error."""
    # Thousands of requests: this client takes a fifth of the processor time of httpx.
    with closing(HTTPConnection(server.url.removeprefix("http://"), timeout=PATIENCE_SECONDS)) as client:
        for body in malformed_input.each_odd_argument(server.known, "query", "mutation"):
            client.request("POST", "/graphql", body.encode(), {"Content-Type": "application/json"})
            answer = client.getresponse()
            assert answer.status in {200, 400}, body[:500]
            _check_json(answer.read().decode())


@pytest.mark.both_databases
def test_every_subscription_takes_any_value(server: Target):
    """Subscriptions on a websocket behave the same; it stays open unless the frame is no valid JSON."""
    _check_operations(server, malformed_input.each_odd_argument(server.known, "subscription"))


@pytest.mark.both_databases
def test_every_address_takes_any_part(server: Target):
    """Each route with each odd part in its path, parameters and headers gets a readable response."""
    for request in malformed_input.each_odd_address():
        _check_request(server, request)


@pytest.mark.both_databases
@QUICK
@given(data=st.data())
def test_any_request_is_answered(server: Target, data: st.DataObject):
    """Any address, header and body gets a response without a server error."""
    _check_request(server, data.draw(malformed_input.requests(server.known)))


@pytest.mark.both_databases
@QUICK
@given(data=st.data(), greets=st.sampled_from([True, True, True, False]))
def test_any_frames_are_answered_or_end_the_socket(server: Target, data: st.DataObject, greets: bool):
    """After any frames a ping gets a pong, or the socket is closed with a code of the protocol."""
    _check_frames(server, data.draw(st.lists(malformed_input.frames(server.known), max_size=5)), greets=greets)


@pytest.mark.soak
@pytest.mark.both_databases
@LONG
@given(data=st.data())
def test_many_requests_are_answered(server: Target, data: st.DataObject):
    """The same for minutes, with other input each time."""
    _check_request(server, data.draw(malformed_input.requests(server.known)))


@pytest.mark.soak
@pytest.mark.both_databases
@LONG
@given(data=st.data(), greets=st.sampled_from([True, True, True, False]))
def test_many_frames_are_answered_or_end_the_socket(server: Target, data: st.DataObject, greets: bool):
    """The same for minutes, with other input each time."""
    _check_frames(server, data.draw(st.lists(malformed_input.frames(server.known), max_size=5)), greets=greets)
