"""GraphQL over HTTP: responses, errors and their codes, media types, and subscriptions as event streams."""

import json
from collections.abc import Callable

import httpx

from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import CANCEL, DASHBOARD, HISTORY, PROGRESS, START, STATUS
from tests.organization import ORGANIZATION
from tests.server import Server, read_events

GRAPHQL_JSON = "application/graphql-response+json"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)


async def test_a_sync_is_started_watched_and_cancelled(server: Server, cliniko: Cliniko):
    """The mutations return the sync, and the log can be read in parts."""
    cliniko.gate.hold("patients")
    started = (await server.ask(START, id=ORGANIZATION))["data"]["startSync"]
    assert (started["message"], started["created"]) == ("Sync started", True)
    again = (await server.ask(START, id=ORGANIZATION))["data"]["startSync"]
    assert (again["message"], again["created"]) == ("Sync already in progress", False)
    sync_id = started["sync"]["id"]
    assert again["sync"]["id"] == sync_id
    await cliniko.gate.reached()
    parts = "newest: log(limit: 1) { seq } some: log(after: 1, limit: 2) { id seq }"
    asked = f"query ($id: ID!) {{ syncStatus(syncId: $id) {{ {parts} }} }}"
    log = (await server.ask(asked, id=sync_id))["data"]["syncStatus"]
    assert [line["id"] for line in log["some"]] == [f"{sync_id}:2", f"{sync_id}:3"]
    assert log["newest"][0]["seq"] > 3
    cancelled = (await server.ask(CANCEL, id=sync_id))["data"]["cancelSync"]
    assert (cancelled["message"], cancelled["status"]) == ("Sync cancelled", "CANCELLED")
    assert cancelled["sync"]["failure"]["code"] == "CANCELLED"
    again = (await server.ask(CANCEL, id=sync_id))["data"]["cancelSync"]
    assert (again["message"], again["status"]) == ("Sync already cancelled", "CANCELLED")


async def test_an_unconnected_organization_gets_a_failed_sync(bare_server: Server):
    """The sync fails with a code and a sentence with advice."""
    started = (await bare_server.ask(START, id="org_new"))["data"]["startSync"]["sync"]
    await bare_server.until_ended(started["id"])
    failed = (await bare_server.ask(STATUS, id=started["id"]))["data"]["syncStatus"]
    assert failed["status"] == "FAILED"
    assert (failed["failure"]["code"], failed["failure"]["step"]) == ("CONNECTION_MISSING", "CHECKING_CONFIG")
    assert "routiq-gql connect org_new" in failed["failure"]["whatToDo"]
    assert failed["errors"] == [failed["failure"]["message"]]


async def test_every_error_carries_a_code(bare_server: Server):
    """Programs branch on `extensions.code`; people read the message."""
    for query, variables, code, is_executed in [
        (STATUS, {"id": "sync_nobody_20241222_143022"}, "SYNC_NOT_FOUND", True),
        (CANCEL, {"id": "sync_nobody_20241222_143022"}, "SYNC_NOT_FOUND", True),
        (DASHBOARD, {"id": "<b>"}, "BAD_USER_INPUT", True),
        (HISTORY, {"id": "org_1", "limit": 0}, "BAD_USER_INPUT", True),
        (HISTORY, {"id": "org_1", "after": "not a cursor"}, "BAD_USER_INPUT", True),
        (STATUS, {}, "BAD_USER_INPUT", None),
        ("{ nothing }", {}, "BAD_USER_INPUT", False),
        ("{", {}, "BAD_USER_INPUT", False),
    ]:
        answer = await bare_server.ask(query, **variables)
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
        assert answer["errors"][0]["message"]
        if is_executed is not None:
            assert ("data" in answer) == is_executed


async def test_a_body_that_is_no_request_is_refused_in_json(bare_server: Server):
    """Any malformed body gets JSON with a reason and never a 500."""
    for body in ["3", "null", '"text"', "true", "[]", "{", "", '{"query": 3}', '{"query": "{a}", "variables": 3}']:
        answer = await bare_server.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_other_ways_to_ask(bare_server: Server):
    """GET accepts queries only; other methods are refused, with the list of allowed methods."""
    asked = {"query": "{ __typename }"}
    assert (await bare_server.http.get("/graphql", params=asked)).json() == {"data": {"__typename": "Query"}}
    mutation = await bare_server.http.get(
        "/graphql", params={"query": 'mutation { cancelSync(syncId: "x") { syncId } }'}
    )
    assert (mutation.status_code, mutation.headers["allow"]) == (405, "GET, POST")
    assert "POST only" in mutation.json()["errors"][0]["message"]
    deleted = await bare_server.http.delete("/graphql")
    assert (deleted.status_code, deleted.headers["allow"]) == (405, "GET, POST")


async def test_a_subscription_needs_a_transport_that_stays_open(bare_server: Server):
    """A subscription sent like a query is refused, with the list of transports."""
    asked = {"query": 'subscription { dashboardUpdated(organizationId: "org_1") { id } }'}
    for answer in (
        await bare_server.http.get("/graphql", params=asked),
        await bare_server.http.post("/graphql", json=asked),
    ):
        assert answer.status_code == 400
        message = answer.json()["errors"][0]["message"]
        assert all(way in message for way in ("graphql-transport-ws", "text/event-stream", "multipart/mixed"))


async def test_only_json_is_taken(bare_server: Server):
    """A form of another site's page, which browsers send without a preflight, is refused."""
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await bare_server.http.post(
            "/graphql", content='{"query": "{ __typename }"}', headers={"Content-Type": media_type}
        )
        assert answer.status_code == 415
        assert "application/json" in answer.json()["errors"][0]["message"]


async def test_the_answer_has_the_form_that_the_client_prefers(bare_server: Server):
    """A client that accepts several media types gets its preferred type."""
    for accept, media_type in [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        (GRAPHQL_JSON, GRAPHQL_JSON),
        (f"{GRAPHQL_JSON}, application/json", GRAPHQL_JSON),
        (f"application/json, {GRAPHQL_JSON}", "application/json"),
        (f"{GRAPHQL_JSON};q=0.5, application/json", "application/json"),
        (URQL, GRAPHQL_JSON),
        ("text/event-stream", "text/event-stream"),
        ("text/event-stream, application/json;q=0.9", "text/event-stream"),
        ("application/json, text/event-stream", "application/json"),
        ("text/event-stream;q=0, application/json", "application/json"),
    ]:
        answer = await bare_server.http.post("/graphql", json={"query": "{ __typename }"}, headers={"Accept": accept})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(media_type)


async def test_the_newer_media_type_has_honest_status_codes(bare_server: Server):
    """An invalid request gets 400 with the newer media type, and 200 for clients that only accept JSON."""
    for accept, status in ((GRAPHQL_JSON, 400), ("application/json", 200)):
        answer = await bare_server.http.post("/graphql", json={"query": "{ nothing }"}, headers={"Accept": accept})
        assert answer.status_code == status
        assert "data" not in answer.json()


async def test_graphiql_is_for_browsers_only(
    bare_server: Server, settings: Settings, new_database_url: Callable[[], str]
):
    """Browsers get a page, programs an error; a disabled page is shown to none."""
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    page = await bare_server.http.get("/graphql", headers=browser)
    assert page.headers["content-type"].startswith("text/html")
    program = await bare_server.http.get("/graphql")
    assert (program.status_code, program.headers["content-type"]) == (400, "application/json")
    async with Server(settings.model_copy(update={"graphiql": False, "database_url": new_database_url()})) as other:
        assert (await other.http.get("/graphql", headers=browser)).status_code == 400


def _subscription(sync_id: str) -> dict[str, object]:
    return {"query": PROGRESS, "variables": {"id": sync_id}}


async def test_a_subscription_as_an_event_stream(server: Server, cliniko: Cliniko):
    """Each state is an event, the last event says that it is complete, and line ends match urql's parser."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    asked = server.http.stream("POST", "/graphql", json=_subscription(sync_id), headers={"Accept": "text/event-stream"})
    async with asked as answer:
        cliniko.gate.open()
        text = (await answer.aread()).decode()
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert "\r" not in text
    events = [block.split("\n") for block in text.strip().split("\n\n") if not block.startswith(":")]
    assert {lines[0] for lines in events[:-1]} == {"event: next"}
    assert events[-1][0] == "event: complete"
    states = [json.loads(lines[1].removeprefix("data: "))["data"]["syncProgress"] for lines in events[:-1]]
    assert states[-1]["status"] == "COMPLETED"
    assert [state["version"] for state in states] == sorted({state["version"] for state in states})


async def test_an_event_stream_ends_with_the_client_and_with_the_server(server: Server, cliniko: Cliniko):
    """A disconnected client leaves no watcher; a stopping server ends the stream cleanly."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    headers = {"Accept": "text/event-stream"}
    for is_stopped in (False, True):
        async with server.http.stream("POST", "/graphql", json=_subscription(sync_id), headers=headers) as answer:
            async for _event in read_events(answer):
                if not is_stopped:
                    break
                await server.stop()
        await server.without_watchers()
    await server.start()


async def test_a_subscription_as_multipart(server: Server):
    """Apollo's transport without websockets: parts with a payload, and a closing boundary."""
    sync_id = await server.start_sync()
    accept = 'multipart/mixed;subscriptionSpec="1.0", application/json'
    answer = await server.http.post("/graphql", json=_subscription(sync_id), headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("multipart/mixed")
    assert answer.text.endswith("--graphql--\r\n")
    bodies = [json.loads(line) for line in answer.text.split("\r\n") if line.startswith("{")]
    states = [body["payload"]["data"]["syncProgress"]["status"] for body in bodies if "payload" in body]
    assert states[-1] == "COMPLETED"


async def test_a_subscription_to_nothing_is_an_error(bare_server: Server):
    """An unknown sync ends the stream at once, with the code."""
    answer = await bare_server.http.post(
        "/graphql", json=_subscription("sync_nobody_20241222_143022"), headers={"Accept": "text/event-stream"}
    )
    first = next(line for line in answer.text.split("\n") if line.startswith("data: "))
    errors = json.loads(first.removeprefix("data: "))["errors"]
    assert errors[0]["extensions"]["code"] == "SYNC_NOT_FOUND"
    assert "event: complete" in answer.text


async def test_nothing_is_stored_on_the_way(bare_server: Server):
    """Responses change all the time, so no cache may store them."""
    answer: httpx.Response = await bare_server.http.post("/graphql", json={"query": "{ __typename }"})
    assert answer.headers["cache-control"] == "no-store"
