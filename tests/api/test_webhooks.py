"""Webhooks over GraphQL and REST: the same values, a secret that is shown once, and refusals that say what to do."""

import json
import re
from typing import Any

import httpx

from routiq_gql.api.body import MAX_BODY_BYTES
from routiq_gql.webhooks.registrations import MOST_WEBHOOKS
from tests.graphql_documents import (
    CHANGE_WEBHOOK,
    DELIVERIES,
    REGISTER_WEBHOOK,
    REMOVE_WEBHOOK,
    REPEAT_DELIVERY,
    ROTATE_WEBHOOK,
    TEST_WEBHOOK,
    WEBHOOK,
    WEBHOOKS,
)
from tests.organization import ORGANIZATION
from tests.server import Server
from tests.webhooks.stored import DELIVERY_ID, WEBHOOK_ID, stored_webhook

ORG = "org_1"
ROUTE = f"/api/v1/webhooks/{ORG}"
URL = "https://example.com/hooks/routiq"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{32,}")


def _as_rest(value: Any, key: str = "") -> Any:
    """A GraphQL result in REST's form: snake_case keys, events as they are sent, states in lower case."""
    if isinstance(value, dict):
        named = {re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name): inner for name, inner in value.items()}
        return {name: _as_rest(inner, name) for name, inner in named.items()}
    if isinstance(value, list):
        return [_as_rest(inner, key) for inner in value]
    if key in {"event", "events"}:
        return value.lower().replace("_", ".", 1)
    return value.lower() if key == "state" else value


async def _ask(server: Server, document: str, **variables: Any) -> Any:
    answer = await server.ask(document, id=ORG, **variables)
    assert "errors" not in answer, answer
    (result,) = answer["data"].values()
    return result


async def _rest(server: Server, method: str, path: str = "", **options: Any) -> Any:
    answer = await server.http.request(method, ROUTE + path, **options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def test_graphql_and_rest_register_show_and_change_the_same(bare_server: Server):
    """A webhook of one API is the same in the other, from its registration to its removal."""
    made = await _ask(bare_server, REGISTER_WEBHOOK, url=URL, events=["SYNC_FAILED", "SYNC_COMPLETED"])
    assert made["message"].startswith("Webhook registered. ")
    assert (made["organizationId"], made["problem"]) == (ORG, None)
    assert SECRET.fullmatch(made["secret"])
    webhook = made["webhook"]
    assert (webhook["events"], webhook["isDisabled"]) == (["SYNC_COMPLETED", "SYNC_FAILED"], False)
    body = {"url": f"{URL}/2", "events": ["patient.became_active"], "includes_names": True, "description": "CRM"}
    other = await _rest(bare_server, "POST", json=body)
    assert other["webhook"].items() >= body.items()
    assert SECRET.fullmatch(other["secret"])
    assert other["secret"] != made["secret"]

    shown, listed = await _ask(bare_server, WEBHOOKS), await _rest(bare_server, "GET")
    assert listed["organization_id"] == ORG
    assert _as_rest(shown) == listed["webhooks"] == [_as_rest(webhook), other["webhook"]]
    assert "whsec_" not in json.dumps([shown, listed]), "a secret is shown once"
    one = f"/{webhook['id']}"
    assert await _rest(bare_server, "GET", one) == _as_rest(webhook)
    assert await _ask(bare_server, WEBHOOK, webhook=webhook["id"]) == webhook

    changed = await _ask(bare_server, CHANGE_WEBHOOK, webhook=webhook["id"], note="To the CRM", enabled=False)
    assert changed["webhook"]["description"] == "To the CRM"
    assert (changed["webhook"]["isDisabled"], changed["webhook"]["url"]) == (True, URL), "the address stays"
    assert changed["webhook"]["disabledReason"]
    again = await _rest(bare_server, "PATCH", one, json={"is_enabled": True, "description": None})
    assert again == _as_rest(webhook), "enabled, without a note, as before"
    removed = await _rest(bare_server, "DELETE", one)
    assert removed == {"message": "Webhook removed", "organization_id": ORG, "webhook_id": webhook["id"]}
    assert (await _ask(bare_server, REMOVE_WEBHOOK, webhook=other["webhook"]["id"]))["message"] == "Webhook removed"
    assert await _ask(bare_server, WEBHOOKS) == []
    assert await _ask(bare_server, WEBHOOK, webhook=webhook["id"]) is None


async def test_a_webhook_before_the_connection_says_that_no_events_come(server: Server):
    """A webhook may be made before its organization is connected; the answer says so, since the id may be wrong."""
    hint = "is not connected to Cliniko, so it has no events yet. Check the id, or connect it: routiq-gql connect "
    body = {"url": URL, "events": ["sync.failed"]}
    for organization, expected in (
        ("org_nope", f"Webhook registered. org_nope {hint}org_nope"),
        (ORGANIZATION, "Webhook registered"),
    ):
        made = await server.ask(REGISTER_WEBHOOK, id=organization, url=URL, events=["SYNC_FAILED"])
        assert made["data"]["registerWebhook"]["message"] == expected
        assert made["data"]["registerWebhook"]["problem"] is None
        answer = await server.http.post(f"/api/v1/webhooks/{organization}", json=body)
        assert (answer.status_code, answer.json()["message"]) == (200, expected)


async def test_a_secret_is_rotated_by_both_apis(bare_server: Server):
    """Each rotation shows another secret, and says until when the earlier one signs too."""
    made = await _ask(bare_server, REGISTER_WEBHOOK, url=URL, events=["SYNC_COMPLETED"])
    name = made["webhook"]["id"]
    assert made["webhook"]["earlierSecretUntil"] is None
    rotated = await _ask(bare_server, ROTATE_WEBHOOK, webhook=name)
    again = await _rest(bare_server, "POST", f"/{name}/secret")
    assert len({made["secret"], rotated["secret"], again["secret"]}) == 3
    assert (rotated["message"], again["message"]) == ("Secret rotated", "Secret rotated")
    assert made["webhook"]["createdAt"] < rotated["webhook"]["earlierSecretUntil"]
    assert rotated["webhook"]["earlierSecretUntil"] <= again["webhook"]["earlier_secret_until"]


async def test_deliveries_are_listed_in_pages_and_by_their_state(bare_server: Server):
    """Both APIs list the same deliveries, newest first, and each page once."""
    await stored_webhook(bare_server.runtime.database, ORG, disabled_at=None)
    tests = [(await _ask(bare_server, TEST_WEBHOOK, webhook=WEBHOOK_ID))["delivery"] for _ in range(3)]
    assert [one["event"] for one in tests] == ["WEBHOOK_TEST"] * 3
    page = (await _ask(bare_server, DELIVERIES, webhook=WEBHOOK_ID, first=2))["deliveries"]
    assert [one["id"] for one in page["nodes"]] == [tests[2]["id"], tests[1]["id"]]
    assert page["pageInfo"]["hasNextPage"] is True
    rest = await _rest(bare_server, "GET", f"/{WEBHOOK_ID}/deliveries?limit=2")
    assert rest == {
        "webhook_id": WEBHOOK_ID,
        "deliveries": _as_rest(page["nodes"]),
        "next_cursor": page["edges"][-1]["cursor"],
    }
    cursor = rest["next_cursor"]
    following = (await _ask(bare_server, DELIVERIES, webhook=WEBHOOK_ID, after=cursor))["deliveries"]
    assert [one["id"] for one in following["nodes"]] == [tests[0]["id"], DELIVERY_ID]
    assert following["pageInfo"]["hasNextPage"] is False
    rest = await _rest(bare_server, "GET", f"/{WEBHOOK_ID}/deliveries?after={cursor}&state=failed")
    assert ([one["id"] for one in rest["deliveries"]], rest["next_cursor"]) == ([DELIVERY_ID], None)
    failed = (await _ask(bare_server, DELIVERIES, webhook=WEBHOOK_ID, state="FAILED"))["deliveries"]["nodes"]
    assert rest["deliveries"] == _as_rest(failed)
    assert (await _rest(bare_server, "GET", f"/{WEBHOOK_ID}"))["pending_count"] == 3
    nodes = await bare_server.ask(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=[DELIVERY_ID, WEBHOOK_ID, "dlv_" + "0" * 32]
    )
    assert nodes["data"]["nodes"] == [
        {"__typename": "WebhookDelivery", "id": DELIVERY_ID},
        {"__typename": "Webhook", "id": WEBHOOK_ID},
        None,
    ]


async def test_a_delivery_is_repeated_as_the_same_event(bare_server: Server):
    """A failed delivery waits again under its event id; one that waits already is a problem that says so."""
    await stored_webhook(bare_server.runtime.database, ORG)
    again = await _ask(bare_server, REPEAT_DELIVERY, delivery=DELIVERY_ID)
    assert (again["problem"], again["delivery"]["state"], again["delivery"]["attempts"]) == (None, "PENDING", 0)
    page = (await _ask(bare_server, DELIVERIES, webhook=WEBHOOK_ID))["deliveries"]["nodes"]
    assert page == [again["delivery"]], "the same delivery, with the same event"
    twice = await _ask(bare_server, REPEAT_DELIVERY, delivery=DELIVERY_ID)
    assert (twice["problem"]["code"], twice["delivery"]) == ("ALREADY_PENDING", None)
    refused = await bare_server.http.post(f"{ROUTE}/deliveries/{DELIVERY_ID}/repeat")
    assert (refused.status_code, refused.json()["code"]) == (409, "WEBHOOK_REFUSED")
    problem = twice["problem"]
    assert refused.json()["detail"] == f"{problem['message']} {problem['whatToDo']}"


async def test_a_disabled_webhook_is_neither_tested_nor_sent_to(bare_server: Server):
    """A test of a disabled webhook and a repetition to it are problems that say to enable it."""
    await stored_webhook(bare_server.runtime.database, ORG)
    await _ask(bare_server, CHANGE_WEBHOOK, webhook=WEBHOOK_ID, enabled=False)
    for document, names in ((TEST_WEBHOOK, {"webhook": WEBHOOK_ID}), (REPEAT_DELIVERY, {"delivery": DELIVERY_ID})):
        refused = await _ask(bare_server, document, **names)
        assert (refused["problem"]["code"], refused["delivery"]) == ("WEBHOOK_DISABLED", None)
        assert refused["message"] == refused["problem"]["message"]


async def test_an_organization_has_a_limited_number_of_webhooks(bare_server: Server):
    """Beyond the limit a registration is a problem, and another organization is not affected."""
    body = {"url": URL, "events": ["sync.completed"]}
    for _ in range(MOST_WEBHOOKS):
        await _rest(bare_server, "POST", json=body)
    refused = await bare_server.http.post(ROUTE, json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "WEBHOOK_REFUSED")
    payload = await _ask(bare_server, REGISTER_WEBHOOK, url=URL, events=["SYNC_COMPLETED"])
    assert (payload["problem"]["code"], payload["webhook"], payload["secret"]) == ("LIMIT_REACHED", None, None)
    assert len(await _ask(bare_server, WEBHOOKS)) == MOST_WEBHOOKS
    assert (await bare_server.http.post("/api/v1/webhooks/org_2", json=body)).status_code == 200


GOOD = {"url": URL, "events": ["sync.completed"]}


WRONG: list[dict[str, object]] = [
    {"events": ["sync.completed"]},
    {"url": URL},
    *({"url": URL, "events": events} for events in ([], "sync.completed", ["webhook.test"], [None], [[]])),
    *({"url": url, "events": ["sync.completed"]} for url in (5, "http://example.com", "https://u:p@example.com")),
    {"url": f"https://example.com/{'x' * 2_000}", "events": ["sync.completed"]},
    GOOD | {"includes_names": "yes"},
    GOOD | {"description": ["x"]},
    GOOD | {"description": "x" * 300},
    GOOD | {"is_enabled": False},
    GOOD | {"evnts": []},
]


async def test_a_registration_of_another_form_is_refused(bare_server: Server):
    """Each wrong, missing or unknown member is refused with a sentence, and nothing is registered."""
    for body in WRONG:
        _check_refusal(await bare_server.http.post(ROUTE, json=body), 422, "BAD_USER_INPUT")
    assert (await _rest(bare_server, "GET"))["webhooks"] == []


async def test_a_body_that_is_no_small_json_object_is_refused(bare_server: Server):
    """A body that can't be read is refused before anything is changed, a large one while it arrives."""
    for content in (b"", b"[]", b"nothing", b"\xff", b"[" * 5_000, b'{"url": 1e400}'):
        _check_refusal(await bare_server.http.post(ROUTE, content=content), 400, "BAD_REQUEST")
    large = await bare_server.http.post(ROUTE, content=json.dumps({"url": "x" * MAX_BODY_BYTES}).encode())
    _check_refusal(large, 413, "BODY_TOO_LARGE")
    for parameters in ("limit=0", "limit=101", "limit=x", "state=lost", "after=x"):
        answer = await bare_server.http.get(f"{ROUTE}/{WEBHOOK_ID}/deliveries?{parameters}")
        _check_refusal(answer, 422, "BAD_USER_INPUT")
        assert answer.json()["detail"].startswith(
            (f"“{parameters.partition('=')[0]}” must be", "“after” is not a cursor")
        )


def _check_refusal(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["detail"].endswith(".")
