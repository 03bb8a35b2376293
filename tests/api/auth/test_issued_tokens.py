"""Tokens of an issuer: which are accepted, and the effect of new keys and outages of the issuer."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.responses import RedirectResponse, Response

from routiq_gql.app import create_app
from routiq_gql.emulator import Issuer
from routiq_gql.errors import SettingsError
from routiq_gql.security import jwks
from routiq_gql.settings import Settings, load_settings
from tests.graphql_documents import UPDATES
from tests.issuing import OURS, IssuerServer, bearer, jwt_settings, use_token
from tests.server import Server, open_socket
from tests.waiting import LIMIT_SECONDS, until

DASHBOARD = f"/api/v1/sync/dashboard/{OURS}"


async def _status(server: Server, token: str) -> int:
    return (await server.http.get(DASHBOARD, headers=bearer(token))).status_code


async def test_both_versions_and_both_algorithms_are_taken(guarded: Server, issuer: Issuer):
    """Both versions of claims and both algorithms give the same person access."""
    for version in (1, 2):
        for algorithm in ("RS256", "ES256"):
            assert await _status(guarded, issuer.token(OURS, version=version, algorithm=algorithm)) == 200
    assert issuer.key_requests == 1


async def test_clocks_may_differ_a_little(guarded: Server, issuer: Issuer):
    """A few seconds of clock difference are tolerated at both ends of a token's life, and no more."""
    assert await _status(guarded, issuer.token(OURS, lifetime_seconds=-1)) == 200
    assert await _status(guarded, issuer.token(OURS, lifetime_seconds=-10)) == 401


async def test_the_audience_and_the_page_can_be_demanded(settings: Settings, issuer: Issuer):
    """A token for another server or another page is refused permanently."""
    demands = {"jwt_audience": "routiq", "jwt_authorized_parties": ("https://app.example.com",)}
    async with Server(jwt_settings(settings, issuer, **demands)) as server:
        good: dict[str, Any] = {"aud": ["other", "routiq"], "azp": "https://app.example.com"}
        assert await _status(server, issuer.token(OURS, claims=good)) == 200
        assert await _status(server, issuer.token(OURS, claims=good | {"azp": None})) == 200, "pages may leave it out"
        for wrong in ({"aud": None}, {"aud": "other"}, {"azp": "https://evil.example"}, {"azp": 3}):
            token = issuer.token(OURS, claims=good | wrong)
            assert await _status(server, token) == 401
            async with open_socket(server, init=False) as socket:
                await socket.send({"type": "connection_init", "payload": bearer(token)})
                assert (await socket.closed())[0] == 4401


async def test_the_issuer_may_exchange_its_keys(guarded: Server, issuer: Issuer, monkeypatch: pytest.MonkeyPatch):
    """An unknown key is fetched once; tokens signed with withdrawn keys are refused from then on."""
    before = issuer.token(OURS)
    assert await _status(guarded, before) == 200
    issuer.rotate()
    assert await _status(guarded, issuer.token(OURS)) == 401, "only just looked"
    assert await _status(guarded, before) == 200
    monkeypatch.setattr(jwks, "UNKNOWN_KEY_SECONDS", 0)
    assert await _status(guarded, issuer.token(OURS)) == 200
    assert await _status(guarded, before) == 401


async def test_invented_keys_cost_the_issuer_nothing(guarded: Server, issuer: Issuer):
    """A flood of tokens with unknown keys causes hardly any requests to the issuer."""
    forged = [issuer.token(OURS, headers={"kid": f"invented-{number}"}) for number in range(20)]
    assert set(await asyncio.gather(*(_status(guarded, token) for token in forged))) == {401}
    assert issuer.key_requests == 1


async def test_an_issuer_that_fails_is_asked_once_in_a_while(
    guarded: Server, issuer_server: IssuerServer, monkeypatch: pytest.MonkeyPatch
):
    """While the issuer can't answer, a flood of requests does not reach it; it is asked again after a pause."""
    monkeypatch.setattr(jwks, "RETRY_SECONDS", 3_600)
    issuer, token = issuer_server.issuer, issuer_server.issuer.token(OURS, lifetime_seconds=600)
    issuer_server.answer = Response(status_code=500)
    assert {await _status(guarded, token) for _ in range(10)} == {503}
    assert issuer.key_requests == 1
    issuer_server.answer = None
    monkeypatch.setattr(jwks, "RETRY_SECONDS", 0)
    assert await _status(guarded, token) == 200
    assert issuer.key_requests == 2


async def test_an_issuer_that_fails_is_asked_once_in_a_while_for_known_keys(
    guarded: Server, issuer_server: IssuerServer, monkeypatch: pytest.MonkeyPatch
):
    """While known keys can't be fetched again, tokens still work, and a flood of them does not reach the issuer."""
    issuer, token = issuer_server.issuer, issuer_server.issuer.token(OURS, lifetime_seconds=600)
    assert await _status(guarded, token) == 200
    monkeypatch.setattr(jwks, "REFRESH_SECONDS", 0)
    monkeypatch.setattr(jwks, "UNKNOWN_KEY_SECONDS", 3_600)
    issuer_server.answer = Response(status_code=500)
    assert {await _status(guarded, token) for _ in range(10)} == {200}
    assert issuer.key_requests == 1, "only just looked"
    monkeypatch.setattr(jwks, "UNKNOWN_KEY_SECONDS", 0)
    assert await _status(guarded, token) == 200
    monkeypatch.setattr(jwks, "UNKNOWN_KEY_SECONDS", 3_600)
    await until(lambda: issuer.key_requests == 2)
    assert {await _status(guarded, token) for _ in range(10)} == {200}
    assert issuer.key_requests == 2


async def test_a_restart_with_other_keys_on_both_sides(settings: Settings, issuer: Issuer):
    """After a restart with new keys, fresh tokens are accepted; old tokens and old stream tokens are not."""
    with_keys = settings.model_copy(update={"encryption_keys": "a:" + "A" * 43 + "="})
    async with Server(jwt_settings(with_keys, issuer)) as server:
        old = issuer.token(OURS)
        use_token(server, old)
        sync_id = await server.start_sync(OURS)
        await server.until_ended(sync_id)
        made = await server.ask("mutation ($id: ID!) { createStreamToken(syncId: $id) { token } }", id=sync_id)
        stream_token = made["data"]["createStreamToken"]["token"]
        stream = f"/api/v1/sync/stream/{sync_id}?token={stream_token}"
        async with httpx.AsyncClient(base_url=server.url, timeout=LIMIT_SECONDS) as anyone:
            assert (await anyone.get(stream)).status_code == 200
            await server.stop()
            issuer.rotate()
            server.settings = server.settings.model_copy(update={"encryption_keys": "b:" + "B" * 42 + "A="})
            await server.start()
            assert await _status(server, old) == 401
            assert await _status(server, issuer.token(OURS)) == 200
            assert (await anyone.get(stream)).status_code == 401


async def test_known_keys_stay_good_while_the_issuer_is_away(
    guarded: Server, issuer_server: IssuerServer, monkeypatch: pytest.MonkeyPatch
):
    """During an outage of the issuer, valid tokens still work; afterwards the keys are fetched again."""
    issuer = issuer_server.issuer
    assert await _status(guarded, issuer.token(OURS)) == 200
    await issuer_server.stop()
    monkeypatch.setattr(jwks, "UNKNOWN_KEY_SECONDS", 0)
    monkeypatch.setattr(jwks, "REFRESH_SECONDS", 0)
    for _ in range(3):
        assert await _status(guarded, issuer.token(OURS)) == 200
    issuer.rotate()
    assert await _status(guarded, issuer.token(OURS)) == 401
    await issuer_server.start()
    assert await _status(guarded, issuer.token(OURS)) == 200


@pytest.mark.parametrize("answer", [None, Response(status_code=404), Response("<html>", media_type="text/html")])
async def test_no_key_is_good_for_ever_while_the_issuer_is_away(
    guarded: Server, issuer_server: IssuerServer, monkeypatch: pytest.MonkeyPatch, answer: Response | None
):
    """A day after the last contact with the issuer, tokens can't be checked until it returns."""
    token = issuer_server.issuer.token(OURS)
    assert await _status(guarded, token) == 200
    monkeypatch.setattr(jwks, "REFRESH_SECONDS", 0)
    monkeypatch.setattr(jwks, "UNCONFIRMED_SECONDS", 0)
    monkeypatch.setattr(jwks, "RETRY_SECONDS", 0)
    if answer is None:
        await issuer_server.stop()
    else:
        issuer_server.answer = answer
    for _ in range(2):
        assert await _status(guarded, token) == 503
    assert (await guarded.http.get("/readyz")).status_code == 200
    if answer is None:
        await issuer_server.start()
    issuer_server.answer = None
    monkeypatch.setattr(jwks, "UNCONFIRMED_SECONDS", 3600)
    assert await _status(guarded, token) == 200


async def test_a_server_without_requests_for_a_day_asks_its_issuer_first(guarded: Server, issuer: Issuer):
    """After a day without requests, the keys are fetched before the first response."""
    assert await _status(guarded, issuer.token(OURS)) == 200
    old = issuer.token(OURS)
    issuer.rotate()
    keys = guarded.services.authentication._authenticator._keys
    keys._fetched_at -= 2 * jwks.UNCONFIRMED_SECONDS
    keys._tried_at -= 2 * jwks.UNCONFIRMED_SECONDS
    assert await _status(guarded, issuer.token(OURS)) == 200
    assert await _status(guarded, old) == 401


A_DAY = 24 * 3600


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"lifetime": A_DAY}, True),
        ({"lifetime": A_DAY + 60}, False),
        ({"lifetime": 10 * 365 * A_DAY}, False),
        ({"lifetime": A_DAY, "iat": None}, True),
        ({"lifetime": 10 * 365 * A_DAY, "iat": None}, False),
        ({"lifetime": 60, "iat": 1_000_000_000}, False),
        ({"lifetime": 60, "iat": "soon"}, False),
    ],
    ids=["a day", "longer", "ten years", "iat missing", "ten years, iat missing", "nearly over", "no time"],
)
async def test_a_token_may_not_live_too_long(guarded: Server, issuer: Issuer, claims: dict[str, Any], accepted: bool):
    """A stolen token ends within a day, whatever its issuer's setting."""
    lifetime = claims.pop("lifetime")
    token = issuer.token(OURS, lifetime_seconds=lifetime, claims=claims)
    assert await _status(guarded, token) == (200 if accepted else 401)
    if not accepted:
        async with open_socket(guarded, init=False) as socket:
            await socket.send({"type": "connection_init", "payload": bearer(token)})
            assert (await socket.closed())[0] == 4401


async def test_how_long_a_token_may_live_is_a_setting(settings: Settings, issuer: Issuer):
    """The refusal names the setting, even in the short text of a close frame."""
    async with Server(jwt_settings(settings, issuer, max_token_lifetime=600)) as server:
        assert await _status(server, issuer.token(OURS, lifetime_seconds=600)) == 200
        token = issuer.token(OURS, lifetime_seconds=700)
        answer = await server.http.get(DASHBOARD, headers=bearer(token))
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
        assert "ROUTIQ_MAX_TOKEN_LIFETIME allows 600 s" in answer.json()["detail"]
        async with open_socket(server, init=False) as socket:
            await socket.send({"type": "connection_init", "payload": bearer(token)})
            assert await socket.closed() == (4401, answer.json()["detail"])


async def test_keys_that_were_withdrawn_go_in_time(guarded: Server, issuer: Issuer, monkeypatch: pytest.MonkeyPatch):
    """Withdrawn keys expire, as keys are fetched again regularly without delaying requests."""
    old = issuer.token(OURS)
    assert await _status(guarded, old) == 200
    issuer.rotate()
    monkeypatch.setattr(jwks, "UNKNOWN_KEY_SECONDS", 0)
    monkeypatch.setattr(jwks, "REFRESH_SECONDS", 0)
    assert await _status(guarded, old) == 200, "answered at once, and looked up meanwhile"
    await until(lambda: issuer.key_requests == 2)
    async with asyncio.timeout(LIMIT_SECONDS):
        while await _status(guarded, old) != 401:
            await asyncio.sleep(0.01)


async def test_a_slow_issuer_delays_only_requests_that_need_its_keys(guarded: Server, issuer_server: IssuerServer):
    """A slow issuer delays no request but those that need its keys."""
    issuer_server.held = asyncio.Event()
    waiting = asyncio.create_task(_status(guarded, issuer_server.issuer.token(OURS)))
    assert (await guarded.http.get("/healthz")).status_code == 200
    assert not waiting.done()
    issuer_server.held.set()
    assert await waiting == 200


async def test_an_issuer_that_was_never_reached_is_reported(guarded: Server, issuer_server: IssuerServer):
    """While tokens can't be checked, clients are asked to try again later, and then get access."""
    token = issuer_server.issuer.token(OURS, lifetime_seconds=600)
    await issuer_server.stop()
    answer = await guarded.http.get(DASHBOARD, headers=bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (503, "ISSUER_AWAY")
    answer = await guarded.http.post("/graphql", json={"query": "{ __typename }"}, headers=bearer(token))
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "INTERNAL")
    async with open_socket(guarded, init=False) as socket:
        await socket.send({"type": "connection_init", "payload": bearer(token)})
        assert (await socket.closed())[0] == 1013
    await issuer_server.start()
    async with asyncio.timeout(LIMIT_SECONDS):
        while await _status(guarded, token) != 200:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    "answer",
    [
        Response(status_code=500),
        Response("<html>", media_type="text/html"),
        Response("[]", media_type="application/json"),
        Response('{"keys": 3}', media_type="application/json"),
        Response('{"keys": [3, {}, {"kty": "RSA", "kid": "rs256_1"}, {"kty": "oct", "kid": "x", "k": "c2VjcmV0"}]}'),
        Response('{"keys": [' + " " * 300_000 + "]}", media_type="application/json"),
        RedirectResponse("http://127.0.0.1:9/keys"),
    ],
    ids=["error", "page", "list", "number", "no usable key", "endless", "redirect"],
)
async def test_an_invalid_key_set_changes_nothing(
    guarded: Server, issuer_server: IssuerServer, answer: Response, monkeypatch: pytest.MonkeyPatch
):
    """An invalid key set keeps the known keys; without known keys the server says that it can't check tokens."""
    token = issuer_server.issuer.token(OURS)
    issuer_server.answer = answer
    assert await _status(guarded, token) == 503
    issuer_server.answer = None
    monkeypatch.setattr(jwks, "RETRY_SECONDS", 0)
    assert await _status(guarded, token) == 200
    issuer_server.answer = answer
    monkeypatch.setattr(jwks, "UNKNOWN_KEY_SECONDS", 0)
    assert await _status(guarded, issuer_server.issuer.token(OURS, headers={"kid": "other"})) == 401
    assert await _status(guarded, token) == 200


def test_a_weak_or_foreign_key_is_left_out():
    """Short RSA keys, keys for encryption, and other curves are ignored."""
    good = Issuer("https://issuer.example").public_keys()["keys"]
    rsa, ec = good
    wrong = [
        {**rsa, "use": "enc"},
        {**rsa, "alg": "RS512"},
        {**rsa, "kid": ""},
        {**rsa, "n": rsa["n"][:100]},
        {**ec, "crv": "P-384"},
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "ed"},
    ]
    read = jwks._read
    assert set(read(json.dumps({"keys": good + wrong}).encode())) == {(rsa["kid"], "RS256"), (ec["kid"], "ES256")}
    for entry in wrong:
        with pytest.raises(jwks.UnusableKeySet):
            read(json.dumps({"keys": [entry]}).encode())


async def test_a_socket_may_send_its_token_in_any_case(guarded: Server, issuer: Issuer):
    """Header names in the payload of a socket may have any case, as some clients send them unchanged."""
    async with open_socket(guarded, init=False) as socket:
        await socket.init(payload={"authorization": f"bearer {issuer.token(OURS)}", "more": 1})
        await socket.subscribe(UPDATES, id=OURS)
        assert (await socket.receive())["type"] == "next"


async def test_a_program_may_send_its_token_in_the_handshake(guarded: Server, issuer: Issuer):
    """A token in ``connection_init`` has precedence over the handshake's, and an invalid one there is refused."""
    good, bad = bearer(issuer.token(OURS)), bearer("garbage")
    for handshake, payload in ((good, None), (good, {}), (good, {"more": 1}), (bad, good), ({}, good)):
        async with open_socket(guarded, init=False, additional_headers=handshake) as socket:
            await socket.init(**({} if payload is None else {"payload": payload}))
            await socket.subscribe(UPDATES, id=OURS)
            assert (await socket.receive())["type"] == "next"
    for handshake, payload in (
        (bad, {}),
        (good, bad),
        (good, {"authorization": ""}),
        (good, {**good, "authorization": 1}),
    ):
        async with open_socket(guarded, init=False, additional_headers=handshake) as socket:
            await socket.send({"type": "connection_init", "payload": payload})
            assert (await socket.closed())[0] == 4401
    async with open_socket(guarded, init=False, additional_headers=good) as socket:
        await socket.subscribe(UPDATES, id=OURS)
        assert (await socket.closed())[0] == 4401, "the protocol begins with connection_init all the same"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"auth": "jwt"}, "ROUTIQ_JWT_ISSUER"),
        ({"auth": "token"}, "ROUTIQ_TOKENS_FILE"),
        ({"auth": "jwt", "jwt_issuer": "https://issuer.example"}, "ROUTIQ_ALLOWED_HOSTS"),
    ],
)
def test_missing_settings_stop_the_start(settings: Settings, change: dict[str, str], named: str):
    """A server that can't check tokens, or could accept none, does not start."""
    with pytest.raises(SettingsError) as error:
        create_app(settings.model_copy(update=change))
    assert named in error.value.message


@pytest.mark.parametrize("url", ["issuer.example", "http://issuer.example", "ftp://issuer.example"])
def test_keys_are_fetched_safely_only(url: str):
    """Keys are fetched over https only, since an attacker who changes them could create tokens."""
    with pytest.raises(SettingsError, match="ROUTIQ_JWT_ISSUER is wrong: must be an https address"):
        load_settings(jwt_issuer=url)
