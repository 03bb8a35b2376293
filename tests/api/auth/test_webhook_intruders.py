"""Webhooks are read and changed by the roles that may, in their organization only, and names need one right more."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from routiq_gql.clock import utc_now
from routiq_gql.emulator import Issuer
from routiq_gql.settings import Settings
from tests.graphql_documents import (
    CHANGE_WEBHOOK,
    DELIVERIES,
    FAILING_WEBHOOKS,
    REGISTER_WEBHOOK,
    REMOVE_WEBHOOK,
    REPEAT_DELIVERY,
    ROTATE_WEBHOOK,
    TEST_WEBHOOK,
    WEBHOOK,
    WEBHOOKS,
)
from tests.issuing import OURS, THEIRS, bearer, jwt_settings
from tests.server import Server
from tests.webhooks.stored import DELIVERY_ID, WEBHOOK_ID, stored_webhook

pytestmark = pytest.mark.both_databases

URL = "https://example.com/hooks/intruder"
BODY = {"url": URL, "events": ["sync.completed"]}
NO_WEBHOOK, NO_DELIVERY = f"hook_{'0' * 32}", f"dlv_{'0' * 32}"
NODES = "query ($webhook: ID!, $delivery: ID!) { nodes(ids: [$webhook, $delivery]) { id } }"

OF_ORGANIZATION: dict[str, dict[str, Any]] = {
    WEBHOOKS: {},
    REGISTER_WEBHOOK: {"url": URL, "events": ["SYNC_COMPLETED"]},
}
OF_WEBHOOK: dict[str, dict[str, Any]] = {
    WEBHOOK: {},
    DELIVERIES: {},
    CHANGE_WEBHOOK: {"url": URL, "enabled": False},
    ROTATE_WEBHOOK: {},
    REMOVE_WEBHOOK: {},
    TEST_WEBHOOK: {},
}
"""Operations with other arguments than ``$id`` and ``$webhook``."""

ROUTES = [
    ("GET", "", None),
    ("POST", "", BODY),
    ("GET", "/{webhook}", None),
    ("PATCH", "/{webhook}", {"url": URL, "is_enabled": False}),
    ("DELETE", "/{webhook}", None),
    ("POST", "/{webhook}/secret", None),
    ("POST", "/{webhook}/test", None),
    ("GET", "/{webhook}/deliveries", None),
    ("POST", "/deliveries/{delivery}/repeat", None),
]
"""All routes of webhooks, in REST."""


@pytest.fixture
async def server(settings: Settings, issuer: Issuer) -> AsyncIterator[Server]:
    """A server of two clinics; ours has a webhook, which is unchanged after the test."""
    values = {"webhook_roles": ("integrator",), "patient_roles": ("receptionist", "patients:read")}
    async with Server(jwt_settings(settings, issuer, **values)) as served:
        await stored_webhook(served.runtime.database, OURS, failing_since=utc_now())
        before = await _ours(served, issuer)
        yield served
        assert await _ours(served, issuer) == before, "an intruder has changed a webhook"


async def _ours(server: Server, issuer: Issuer) -> str:
    token = issuer.token(OURS, role="integrator")
    listed = await server.http.get(f"/api/v1/webhooks/{OURS}", headers=bearer(token))
    sent = await server.http.get(f"/api/v1/webhooks/{OURS}/{WEBHOOK_ID}/deliveries", headers=bearer(token))
    assert len(sent.json()["deliveries"]) == 1
    return listed.text + sent.text


async def _rest(
    server: Server, token: str | None, organization: str, webhook: str, delivery: str
) -> list[httpx.Response]:
    """The answers of all routes."""
    headers = bearer(token) if token is not None else {}
    return [
        await server.http.request(
            method,
            f"/api/v1/webhooks/{organization}{path.format(webhook=webhook, delivery=delivery)}",
            json=body,
            headers=headers,
        )
        for method, path, body in ROUTES
    ]


async def _graphql(server: Server, token: str | None, organization: str, webhook: str, delivery: str) -> list[str]:
    """The answers of all operations, but for the ids in them."""
    asked = list(OF_ORGANIZATION.items())
    asked += [(document, {"webhook": webhook, **more}) for document, more in OF_WEBHOOK.items()]
    asked.append((REPEAT_DELIVERY, {"delivery": delivery}))
    headers = bearer(token) if token is not None else {}
    answers = []
    for document, variables in asked:
        content = {"query": document, "variables": {"id": organization, **variables}}
        answers.append((await server.http.post("/graphql", json=content, headers=headers)).text)
    return answers


async def test_strangers_members_and_other_clinics_reach_no_webhook(server: Server, issuer: Issuer):
    """No route and no operation reads or changes a webhook without the right in its own organization."""
    member = bearer(issuer.token(OURS, role="member"))
    started = await server.http.post(f"/api/v1/sync/start/{OURS}", headers=member)
    document = f'mutation {{ createStreamToken(syncId: "{started.json()["sync_id"]}") {{ token }} }}'
    made = (await server.http.post("/graphql", json={"query": document}, headers=member)).json()
    for token, status in (
        (None, 401),
        ("garbage", 401),
        (issuer.token(OURS, role="integrator", lifetime_seconds=-60), 401),
        (made["data"]["createStreamToken"]["token"], 401),
        (issuer.token(OURS, role="member"), 403),
        (issuer.token(OURS, role="admin"), 403),
        (issuer.token(OURS, role="receptionist"), 403),
        (issuer.token(THEIRS, role="integrator"), 403),
    ):
        for answer in await _rest(server, token, OURS, WEBHOOK_ID, DELIVERY_ID):
            assert answer.status_code == status, answer.text
            assert answer.json()["code"] == {401: "UNAUTHENTICATED", 403: "FORBIDDEN"}[status]
        for text in await _graphql(server, token, OURS, WEBHOOK_ID, DELIVERY_ID):
            assert json.loads(text)["errors"][0]["extensions"]["code"] in {"UNAUTHENTICATED", "FORBIDDEN"}
            assert "example.com" not in text


async def test_ids_of_another_clinic_look_like_unknown_ones(server: Server, issuer: Issuer):
    """Whether an id exists elsewhere can't be found out: the answers are equal byte by byte."""
    token = issuer.token(THEIRS, role="integrator")
    foreign = await _rest(server, token, THEIRS, WEBHOOK_ID, DELIVERY_ID)
    unknown = await _rest(server, token, THEIRS, NO_WEBHOOK, NO_DELIVERY)
    for one, other in list(zip(foreign, unknown, strict=True))[2:]:
        assert (one.status_code, one.content) == (other.status_code, other.content)
        assert (one.status_code, one.json()["code"]) == (404, "WEBHOOK_NOT_FOUND")
    first = await _graphql(server, token, THEIRS, WEBHOOK_ID, DELIVERY_ID)
    assert first[2:] == (await _graphql(server, token, THEIRS, NO_WEBHOOK, NO_DELIVERY))[2:]
    assert all("WEBHOOK_NOT_FOUND" in text or json.loads(text)["data"] == {"webhook": None} for text in first[2:])
    content = {"query": NODES, "variables": {"webhook": WEBHOOK_ID, "delivery": DELIVERY_ID}}

    async def nodes(token: str) -> Any:
        return (await server.http.post("/graphql", json=content, headers=bearer(token))).json()

    assert (await nodes(token))["data"]["nodes"] == [None, None]
    found = await nodes(issuer.token(OURS, role="integrator"))
    assert [one["id"] for one in found["data"]["nodes"]] == [WEBHOOK_ID, DELIVERY_ID]
    refused = await nodes(issuer.token(OURS, role="member"))
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_page_of_all_members_can_ask_which_webhooks_fail(server: Server, issuer: Issuer):
    """Those with the right see a failing webhook, other members none and no refusal, and other clinics are refused."""

    async def failing(token: str) -> Any:
        content = {"query": FAILING_WEBHOOKS, "variables": {"id": OURS}}
        return (await server.http.post("/graphql", json=content, headers=bearer(token))).json()

    (found,) = (await failing(issuer.token(OURS, role="integrator")))["data"]["failingWebhooks"]
    assert (found["id"], found["isDisabled"], found["failingSince"] is None) == (WEBHOOK_ID, False, False)
    assert await failing(issuer.token(OURS, role="member")) == {"data": {"failingWebhooks": []}}
    for token in (issuer.token(THEIRS, role="integrator"), issuer.token(THEIRS, role="member")):
        assert (await failing(token))["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_names_are_sent_only_for_viewers_who_may_read_patients(server: Server, issuer: Issuer):
    """The right to webhooks alone gives no names of patients, neither at registration nor by a change."""
    without = bearer(issuer.token(OURS, role="integrator"))
    both = bearer(issuer.token(OURS, role="integrator", permissions=("patients:read",)))
    named = BODY | {"includes_names": True}
    refused = await server.http.post(f"/api/v1/webhooks/{OURS}", json=named, headers=without)
    assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
    assert "ROUTIQ_PATIENT_ROLES" in refused.json()["detail"]
    change = await server.http.patch(
        f"/api/v1/webhooks/{OURS}/{WEBHOOK_ID}", json={"includes_names": True}, headers=without
    )
    assert change.status_code == 403
    made = await server.http.post(f"/api/v1/webhooks/{OURS}", json=named, headers=both)
    assert made.status_code == 200, made.text
    webhook = f"/api/v1/webhooks/{OURS}/{made.json()['webhook']['id']}"
    elsewhere = await server.http.patch(webhook, json={"url": URL + "/elsewhere"}, headers=without)
    assert elsewhere.status_code == 403, "names are not led to another address by someone who may not read them"
    assert (await server.http.delete(webhook, headers=without)).status_code == 200
