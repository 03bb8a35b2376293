"""A stream token in the address: each route that takes one applies the same rules to it."""

from datetime import timedelta

import pytest
from starlette.routing import Route

from routiq_gql.api.rest.routes import rest_routes
from routiq_gql.clock import utc_now
from routiq_gql.security import stream_tokens
from routiq_gql.security.stream_tokens import AFTER_THE_END
from tests.api.rest.test_log import store_log
from tests.server import Server

MAKE = "mutation ($id: ID!) { createStreamToken(syncId: $id) { token } }"
READING = [
    route.path
    for route in rest_routes()
    if isinstance(route, Route) and "{sync_id}" in route.path and "GET" in (route.methods or {"GET"})
]


async def test_every_route_refuses_a_token_once_its_sync_has_ended(
    bare_server: Server, monkeypatch: pytest.MonkeyPatch
):
    """A token that was left in a browser's history reads neither events nor the log a minute after the sync."""
    sync_id, other = await store_log(bare_server, 3), await store_log(bare_server, 3, organization="org_2")
    token = (await bare_server.ask(MAKE, id=sync_id))["data"]["createStreamToken"]["token"]
    statuses: dict[str, list[int]] = {}
    for seconds in (0, 2):
        later = AFTER_THE_END * seconds
        monkeypatch.setattr(stream_tokens, "utc_now", lambda later=later: utc_now() + later)
        for path in READING:
            for named, given in ((sync_id, token), (sync_id, token + "x"), (other, token)):
                answer = await bare_server.http.get(path.replace("{sync_id}", named), params={"token": given})
                statuses.setdefault(path, []).append(answer.status_code)
    ignoring = {path: found for path, found in statuses.items() if found[1] != 401}
    assert set(ignoring) == {"/api/v1/sync/status/{sync_id}"}, "without authentication it needs no token"
    taking = {path: found for path, found in statuses.items() if path not in ignoring}
    assert len(taking) == 2
    assert set(map(tuple, taking.values())) == {(200, 401, 404, 401, 401, 404)}


async def test_a_token_made_after_the_end_lasts_a_minute(bare_server: Server, monkeypatch: pytest.MonkeyPatch):
    """The minute counts from the token, for a page that is opened on a sync of yesterday."""
    sync_id = await store_log(bare_server, 3)
    token = (await bare_server.ask(MAKE, id=sync_id))["data"]["createStreamToken"]["token"]
    for seconds, status in ((50, 200), (70, 401)):
        later = timedelta(seconds=seconds)
        monkeypatch.setattr(stream_tokens, "utc_now", lambda later=later: utc_now() + later)
        for path in READING:
            if "status" not in path:
                answer = await bare_server.http.get(path.replace("{sync_id}", sync_id), params={"token": token})
                assert answer.status_code == status, path
