"""Empty or null parameters, which many clients send for unused features."""

import json
from typing import Any

from tests.server import Server, open_socket

QUERY = "{ __typename }"
TYPE_NAME = {"data": {"__typename": "Query"}}
TWO = "query A { __typename } query B { __typename }"
NONE: list[dict[str, Any]] = [{"operationName": ""}, {"operationName": None}, {}]
TRANSPORTS = ("application/json", "text/event-stream", "multipart/mixed;subscriptionSpec=1.0")


async def _posted(server: Server, request: dict[str, Any], accept: str) -> Any:
    """The single result, in any transport's form."""
    text = (await server.http.post("/graphql", json=request, headers={"Accept": accept})).text
    lines = [line.removeprefix("data: ") for line in text.split("\n")]
    result = next(found for line in lines if line.startswith("{") and (found := json.loads(line)))
    return result.get("payload", result)


async def _subscribed(server: Server, request: dict[str, Any]) -> Any:
    async with open_socket(server) as socket:
        await socket.send({"id": "1", "type": "subscribe", "payload": request})
        return (await socket.receive())["payload"]


async def test_an_empty_operation_name_means_none(bare_server: Server):
    """An empty operation name executes the only operation, in a body, an address, a stream and on a websocket."""
    for document in (QUERY, f"query Named {QUERY}"):
        for name in NONE:
            request = {"query": document, **name}
            assert [await _posted(bare_server, request, accept) for accept in TRANSPORTS[:2]] == [TYPE_NAME, TYPE_NAME]
            assert await _subscribed(bare_server, request) == TYPE_NAME
    for parameters in ({"operationName": ""}, {}):
        answer = await bare_server.http.get("/graphql", params={"query": QUERY, **parameters})
        assert (answer.status_code, answer.json()) == (200, TYPE_NAME)


async def test_a_subscription_with_an_empty_name_is_opened(bare_server: Server):
    """Streams and websockets accept the same empty parameters."""
    document = 'subscription { dashboardUpdated(organizationId: "org_1") { id } }'
    for name in NONE:
        request = {"query": document, **name}
        for accept in TRANSPORTS[1:]:
            options = {"json": request, "headers": {"Accept": accept}}
            async with bare_server.http.stream("POST", "/graphql", **options) as answer:
                async for line in answer.aiter_lines():
                    if '"dashboardUpdated"' in line:
                        break
                    assert '"errors"' not in line
        assert (await _subscribed(bare_server, request))["data"]["dashboardUpdated"]["id"] == "org_1"


async def test_several_operations_still_need_a_name(bare_server: Server):
    """With several operations, an empty name is an error with the same message as a missing name."""
    messages = set()
    for name in NONE:
        request = {"query": TWO, **name}
        for accept in TRANSPORTS[:2]:
            messages.add((await _posted(bare_server, request, accept))["errors"][0]["message"])
        messages.add((await _subscribed(bare_server, request))[0]["message"])
    assert messages == {"The document has several operations. Name one of them in operationName."}
    for name in ("B", " "):  # a name is used unchanged
        result = await _posted(bare_server, {"query": TWO, "operationName": name}, "application/json")
        assert (result == TYPE_NAME) is (name == "B")


async def test_empty_parameters_of_an_address_are_none(bare_server: Server):
    """A form or a link with empty fields equals a request without them."""
    for name in ("variables", "extensions"):
        answer = await bare_server.http.get("/graphql", params={"query": QUERY, name: ""})
        assert (answer.status_code, answer.json()) == (200, TYPE_NAME)
        for wrong in ("x", "[]", '"text"'):
            answer = await bare_server.http.get("/graphql", params={"query": QUERY, name: wrong})
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_USER_INPUT")
