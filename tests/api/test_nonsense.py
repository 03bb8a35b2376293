"""Random frames and bodies at a real server: each is answered or refused, nothing hangs, and no fault is logged."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.api.graphql.documents import LOG, PROGRESS, STATUS, UPDATES
from tests.cli.programs import PATIENCE_SECONDS, Program

CLOSE_CODES = {1007, 4400, 4401, 4408, 4409, 4429}
"""Those with which the server may answer nonsense; 1007 is for text that is no UTF-8."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
QUERIES = st.sampled_from(["{ __typename }", "{", "", STATUS, PROGRESS, LOG, UPDATES]) | st.text(max_size=60)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "query": QUERIES | JSON,
        "variables": st.fixed_dictionaries({}, optional={"id": JSON, "after": JSON}) | JSON,
        "operationName": st.text(max_size=5) | JSON,
        "extensions": JSON,
    },
)
TYPES = ["connection_init", "subscribe", "complete", "ping", "pong", "next", "connection_terminate"]
MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES) | JSON},
    optional={"id": st.sampled_from(["1", "2", ""]) | JSON, "payload": REQUESTS | JSON},
)
FRAMES = st.lists((MESSAGES | JSON).map(json.dumps) | st.text(max_size=40) | st.binary(max_size=40), max_size=6)

SOME = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Program]:
    """A server on a database of its own; what it logs is looked at in the end."""
    with Program("serve", "--port", "0", folder=tmp_path) as program:
        program.url()
        yield program
        assert program.process.poll() is None, "it has ended"
        assert "[error " not in program.complaints


@SOME
@given(frames=FRAMES, greets=st.booleans())
def test_any_frames_are_answered_or_end_the_socket(server: Program, frames: list[str | bytes], greets: bool):
    """After whatever was sent a ping is answered, or the socket is closed with one of the protocol's codes."""
    url = server.url().replace("http", "ws") + "/graphql"
    with connect(url, subprotocols=["graphql-transport-ws"], open_timeout=PATIENCE_SECONDS) as socket:
        closed = None
        try:
            if greets:
                socket.send(json.dumps({"type": "connection_init"}))
            for frame in frames:
                socket.send(frame)
            socket.send(json.dumps({"type": "ping", "payload": {"last": True}}))
            while json.loads(socket.recv(PATIENCE_SECONDS)) != {"type": "pong", "payload": {"last": True}}:
                pass
        except ConnectionClosed as end:
            closed = end
    if closed is not None:
        assert closed.rcvd is not None, "it was closed without a goodbye"
        assert closed.rcvd.code in CLOSE_CODES


@SOME
@given(
    body=st.binary(max_size=200) | (REQUESTS | JSON).map(lambda value: json.dumps(value).encode()),
    media_type=st.sampled_from(["application/json", "application/json; charset=utf-16", "text/plain", ""]),
    accept=st.sampled_from(["*/*", "application/graphql-response+json", "text/html", "nonsense"]),
    method=st.sampled_from(["POST", "GET", "PUT", "DELETE"]),
)
@example(body=b"\xff\xfe", media_type="application/json", accept="*/*", method="POST")
@example(body=b"[" * 100_000, media_type="application/json", accept="*/*", method="POST")
def test_any_body_is_answered_in_json(server: Program, body: bytes, media_type: str, accept: str, method: str):
    """With a status that tells whose fault it is, which is never the server's."""
    headers = {"Content-Type": media_type, "Accept": accept}
    answer = httpx.request(method, server.url() + "/graphql", content=body, headers=headers, timeout=PATIENCE_SECONDS)
    if method == "GET" and accept == "text/html":
        assert answer.headers["content-type"].startswith("text/html")
        return
    assert answer.status_code in {200, 400, 405, 415}, answer.text
    assert set(answer.json()) <= {"data", "errors", "extensions"}
    for error in answer.json().get("errors", ()):
        assert error["extensions"]["code"] != "INTERNAL"


@SOME
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PATCH"]),
    route=st.sampled_from(["start", "status", "dashboard", "history", "cancel", "stream", "nothing"]),
    place=st.text(st.characters(codec="utf-8", exclude_characters="/?#"), min_size=1, max_size=80),
    query=st.dictionaries(st.sampled_from(["limit", "after", "status"]), st.text(max_size=10), max_size=2),
)
def test_any_path_is_answered(server: Program, method: str, route: str, place: str, query: dict[str, str]):
    """Ids of any form, in every route, with any parameters."""
    url = f"{server.url()}/api/v1/sync/{route}/{quote(place, safe='')}"
    answer = httpx.request(method, url, params=query, timeout=PATIENCE_SECONDS)
    assert answer.status_code in {200, 204, 404, 405, 422}, answer.text
