"""Every route, operation and transport refuses every kind of intruder."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.exceptions import InvalidStatus

from routiq_gql.emulator import EMULATED_API_KEY, Issuer
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import CANCEL, DASHBOARD, HISTORY, LOG, PROGRESS, START, STATUS, UPDATES
from tests.issuing import OURS, THEIRS, bearer
from tests.server import Server, open_socket

CONNECT = """mutation ($id: ID!) { connectCliniko(organizationId: $id, apiKey: "MS0xLTItMw-au1") { ok } }"""
TEST = "mutation ($id: ID!) { testConnection(organizationId: $id) { ok } }"
DISCONNECT = "mutation ($id: ID!) { disconnectCliniko(organizationId: $id) { ok } }"
STREAM_TOKEN = "mutation ($id: ID!) { createStreamToken(syncId: $id) { token } }"
SYNC_LOG = "query ($id: ID!) { syncStatus(syncId: $id) { log { message } } }"

OF_SYNCS = (STATUS, SYNC_LOG, CANCEL, STREAM_TOKEN, PROGRESS, LOG)
OF_ORGANIZATIONS = (DASHBOARD, HISTORY, START, CONNECT, TEST, DISCONNECT, UPDATES)
REST_OF_SYNCS = (("GET", "status"), ("GET", "stream"), ("DELETE", "cancel"))
REST_OF_ORGANIZATIONS = (("GET", "dashboard"), ("GET", "history"), ("POST", "start"))


def _unsigned(issuer: Issuer) -> str:
    head, payload, _ = issuer.token(OURS).split(".")
    changed = json.loads(base64.urlsafe_b64decode(head + "==")) | {"alg": "none"}
    return f"{base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip('=')}.{payload}."


def _signed_with_the_public_key(issuer: Issuer) -> str:
    """A known attack: the public key used as a shared secret."""
    published = issuer.public_keys()["keys"][0]
    pem = jwt.PyJWK(published).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(issuer.token(OURS), options={"verify_signature": False})
    head = _encoded({"alg": "HS256", "typ": "JWT", "kid": published["kid"]})
    signing = f"{head}.{_encoded(claims)}".encode()
    signature = jwt.get_algorithm_by_name("HS256").sign(signing, pem)
    return f"{signing.decode()}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _encoded(value: object) -> str:
    return _encoded_text(json.dumps(value))


def _encoded_text(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _forged(issuer: Issuer) -> str:
    """A correct token, but signed with the intruder's key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(issuer.token(OURS), options={"verify_signature": False})
    return jwt.encode(claims, key, "RS256", headers={"kid": issuer.public_keys()["keys"][0]["kid"]})


def _changed(issuer: Issuer) -> str:
    """A valid token of the other organization, with our organization written into it."""
    head, payload, signature = issuer.token(THEIRS).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "==")) | {"o": {"id": OURS, "rol": "admin"}}
    return f"{head}.{_encoded(claims)}.{signature}"


@dataclass(frozen=True)
class Intruder:
    """A client that must be refused.

    Attributes:
        token: Its token; ``None`` for no token.
        close_code: The code that closes its websocket.
    """

    who: str
    token: Callable[[Issuer], str | None]
    close_code: int = 4401
    status: int = 401
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.who


INTRUDERS = [
    Intruder("nobody", lambda _: None),
    Intruder("garbage", lambda _: "garbage"),
    Intruder("a token of ROUTIQ_AUTH=token", lambda _: "rtq_" + "x" * 43),
    Intruder("forged", _forged),
    Intruder("changed", _changed),
    Intruder("no algorithm", _unsigned),
    Intruder("the public key as a secret", _signed_with_the_public_key),
    Intruder("brings its own key", lambda issuer: issuer.token(OURS, headers={"jku": f"{issuer.url}/keys"})),
    Intruder("a header of lists within lists", lambda _: f"{_encoded_text('[' * 5_000)}.e30.e30"),
    Intruder("a header with a number too long", lambda _: f"{_encoded_text('9' * 5_000)}.e30.e30"),
    Intruder("half a character", lambda _: f"{_encoded({'alg': 'RS256', 'kid': chr(0xD800)})}.e30.e30", 4403),
    Intruder("unknown key", lambda issuer: issuer.token(OURS, headers={"kid": "other"}), 4403),
    Intruder("expired", lambda issuer: issuer.token(OURS, lifetime_seconds=-30), 4403),
    Intruder("not valid yet", lambda issuer: issuer.token(OURS, claims={"nbf": 4102444800}), 4403),
    Intruder("expires never", lambda issuer: issuer.token(OURS, claims={"exp": 10**30})),
    Intruder("expires somehow", lambda issuer: issuer.token(OURS, claims={"exp": "soon"})),
    Intruder("never expires", lambda issuer: issuer.token(OURS, claims={"exp": None})),
    Intruder("other issuer", lambda issuer: issuer.token(OURS, claims={"iss": "https://evil.example"})),
    Intruder("nobody in particular", lambda issuer: issuer.token(OURS, claims={"sub": None})),
    Intruder("signs in still", lambda issuer: issuer.token(OURS, claims={"sts": "pending"}), 4403),
    Intruder("no organization", lambda issuer: issuer.token(None), 4403, 403),
    Intruder("no real organization", lambda issuer: issuer.token("org/../x"), 4403, 403),
    Intruder("stream token", lambda _: "STREAM TOKEN"),
]


@dataclass(frozen=True)
class Clinic:
    """A server with a running sync of the organization under attack."""

    server: Server
    sync_id: str
    stream_token: str

    def token_of(self, intruder: Intruder, issuer: Issuer) -> str | None:
        token = intruder.token(issuer)
        return self.stream_token if token == "STREAM TOKEN" else token

    def id_for(self, document: str) -> str:
        return self.sync_id if document in OF_SYNCS else OURS

    async def check_unchanged(self) -> None:
        still = await self.server.status(self.sync_id)
        assert still["completed_at"] is None, "an intruder has ended the sync"
        assert await self.server.runtime.connections.has_enabled(OURS), "an intruder has disconnected the organization"


@pytest.fixture
async def clinic(guarded: Server, cliniko: Cliniko) -> AsyncIterator[Clinic]:
    cliniko.gate.hold("patients")
    await guarded.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
    sync_id = await guarded.start_sync(OURS)
    made = await guarded.ask(STREAM_TOKEN, id=sync_id)
    clinic = Clinic(guarded, sync_id, made["data"]["createStreamToken"]["token"])
    yield clinic
    await clinic.check_unchanged()
    cliniko.gate.open()
    await guarded.until_ended(sync_id)


@pytest.mark.timeout(300)  # seconds; 1,300 requests
async def test_every_endpoint_refuses_intruders(clinic: Clinic, issuer: Issuer, subtests: pytest.Subtests):
    """An intruder reads and changes nothing by any request, and gets the reason."""
    for intruder in INTRUDERS:
        with subtests.test(str(intruder)):
            await _check_refused(clinic, intruder, clinic.token_of(intruder, issuer))
            await clinic.check_unchanged()


async def _check_refused(clinic: Clinic, intruder: Intruder, token: str | None) -> None:
    async with httpx.AsyncClient(base_url=clinic.server.url, timeout=20, verify=False) as http:
        if token is not None:
            http.headers.update(bearer(token))
        for routes, name in ((REST_OF_SYNCS, clinic.sync_id), (REST_OF_ORGANIZATIONS, OURS)):
            for method, route in routes:
                _check_problem(await http.request(method, f"/api/v1/sync/{route}/{name}"), intruder)
        for document in (*OF_SYNCS, *OF_ORGANIZATIONS, "{ __typename }", "{ __schema { types { name } } }"):
            for accept in ("application/json", "text/event-stream", "multipart/mixed;subscriptionSpec=1.0"):
                content = {"query": document, "variables": {"id": clinic.id_for(document)}}
                answer = await http.post("/graphql", json=content, headers={"Accept": accept})
                _check_errors(answer, intruder)
        answer = await http.get("/graphql", params={"query": "{ __typename }"})
        _check_errors(answer, intruder)
    async with open_socket(clinic.server, init=False) as socket:
        await socket.send({"type": "connection_init", "payload": bearer(token) if token is not None else {}})
        code, reason = await socket.closed()
    assert code == intruder.close_code
    assert reason is not None
    assert reason.endswith("."), "a close frame has room for 123 bytes"


async def test_a_socket_requires_connection_init_first(clinic: Clinic):
    """A socket that begins with a subscription is refused, even with a token in a header."""
    async with open_socket(clinic.server, init=False) as socket:
        await socket.subscribe(UPDATES, id=OURS)
        assert (await socket.closed())[0] == 4401


def _check_problem(answer: httpx.Response, intruder: Intruder) -> None:
    body = answer.json()
    assert (answer.status_code, list(body)) == (intruder.status, ["type", "title", "detail", "code"])
    assert body["code"] == {401: "UNAUTHENTICATED", 403: "FORBIDDEN"}[intruder.status]
    assert (answer.headers.get("www-authenticate") == "Bearer") is (intruder.status == 401)
    assert body["detail"].endswith(".")


def _check_errors(answer: httpx.Response, intruder: Intruder) -> None:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, list(body)) == (intruder.status, ["errors"])
    assert body["errors"][0]["extensions"] == {
        "code": {401: "UNAUTHENTICATED", 403: "FORBIDDEN"}[intruder.status],
    }


async def test_another_organization_reads_and_changes_nothing(clinic: Clinic, issuer: Issuer):
    """A valid token of another clinic reaches neither our organization nor its syncs."""
    server = clinic.server
    token = issuer.token(THEIRS, role="admin", lifetime_seconds=600)
    unknown = clinic.sync_id[:-1] + ("0" if clinic.sync_id[-1] != "0" else "1")
    async with httpx.AsyncClient(base_url=server.url, headers=bearer(token), timeout=20) as http:
        for method, route in REST_OF_SYNCS:
            foreign = await http.request(method, f"/api/v1/sync/{route}/{clinic.sync_id}")
            missing = await http.request(method, f"/api/v1/sync/{route}/{unknown}")
            assert (foreign.status_code, foreign.content) == (missing.status_code, missing.content)
            assert foreign.json()["code"] == "SYNC_NOT_FOUND"
        for method, route in REST_OF_ORGANIZATIONS:
            answer = await http.request(method, f"/api/v1/sync/{route}/{OURS}")
            assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
        for document in (*OF_SYNCS, *OF_ORGANIZATIONS):
            code = "SYNC_NOT_FOUND" if document in OF_SYNCS else "FORBIDDEN"
            headers = {"Accept": "text/event-stream" if document in {PROGRESS, LOG, UPDATES} else "application/json"}
            answers = []
            for name in (clinic.id_for(document), unknown) if document in OF_SYNCS else (OURS,):
                content = {"query": document, "variables": {"id": name}}
                answers.append((await http.post("/graphql", json=content, headers=headers)).text)
            assert len(set(answers)) == 1, "an unknown sync and a foreign one look the same"
            assert f'"code": "{code}"' in answers[0] or f'"code":"{code}"' in answers[0]
    async with open_socket(server, init=False) as socket:
        await socket.init(payload=bearer(token))
        for number, document in enumerate((*OF_SYNCS, *OF_ORGANIZATIONS)):
            await socket.subscribe(document, str(number), id=clinic.id_for(document))
            frame = await socket.receive()
            errors = frame["payload"] if frame["type"] == "error" else frame["payload"]["errors"]
            assert errors[0]["extensions"]["code"] in {"SYNC_NOT_FOUND", "FORBIDDEN"}
            if frame["type"] == "next":
                assert (await socket.receive())["type"] == "complete"


async def test_a_page_elsewhere_gets_nothing_even_with_a_good_token(clinic: Clinic, issuer: Issuer):
    """A page of another site can change nothing and open no socket, and browsers hide responses from it."""
    headers = bearer(issuer.token(OURS)) | {"Origin": "https://evil.example"}
    for method, route in (("POST", f"/api/v1/sync/start/{OURS}"), ("DELETE", f"/api/v1/sync/cancel/{clinic.sync_id}")):
        answer = await clinic.server.http.request(method, route, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "ORIGIN_NOT_ALLOWED")
    read = await clinic.server.http.get(f"/api/v1/sync/status/{clinic.sync_id}", headers=headers)
    assert "access-control-allow-origin" not in read.headers
    # With authentication, pages on other ports of the server's machine are refused, too.
    for origin in ("https://evil.example", "http://localhost:5173", "null"):
        with pytest.raises(InvalidStatus) as refused:
            async with open_socket(clinic.server, origin=origin):
                pass
        assert refused.value.response.status_code == 403


async def test_the_server_is_addressed_by_its_name_only(clinic: Clinic):
    """With authentication, even localhost must be listed, except for health checks."""
    for host in ("localhost", "evil.example"):
        answer = await clinic.server.http.get(f"/api/v1/sync/status/{clinic.sync_id}", headers={"Host": host})
        assert answer.status_code == 421
    for path, foreign in (("/healthz", 200), ("/readyz", 200), ("/metrics", 421)):
        assert (await clinic.server.http.get(path, headers={"Host": "localhost"})).status_code == 200
        assert (await clinic.server.http.get(path, headers={"Host": "evil.example"})).status_code == foreign


async def test_metrics_are_not_for_those_behind_a_proxy(clinic: Clinic):
    """Metrics are refused behind a proxy, since its requests come from other machines."""
    answer = await clinic.server.http.get("/metrics", headers={"X-Forwarded-For": "203.0.113.5"})
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert "routiq_" not in answer.text
