"""An id that nothing has: each API says in its own terms how to list those that exist."""

import re

import pytest

from routiq_gql.api.errors import LISTINGS
from routiq_gql.api.rest.routes import rest_routes
from routiq_gql.errors import Kind
from tests.built_schema import built_schema
from tests.graphql_documents import CHANGE_WEBHOOK, REPEAT_DELIVERY, STATUS
from tests.server import Server
from tests.webhooks.stored import DELIVERY_ID, WEBHOOK_ID

REQUESTS = {
    Kind.SYNC: ("GET", "/api/v1/sync/status/sync_a", STATUS, {"id": "sync_a"}),
    Kind.WEBHOOK: (
        "DELETE",
        f"/api/v1/webhooks/org_1/{WEBHOOK_ID}",
        CHANGE_WEBHOOK,
        {"id": "org_1", "webhook": WEBHOOK_ID},
    ),
    Kind.DELIVERY: (
        "POST",
        f"/api/v1/webhooks/org_1/deliveries/{DELIVERY_ID}/repeat",
        REPEAT_DELIVERY,
        {"id": "org_1", "delivery": DELIVERY_ID},
    ),
}


@pytest.mark.parametrize("kind", Kind)
async def test_an_unknown_id_is_answered_with_the_way_to_a_known_one(bare_server: Server, kind: Kind):
    """REST names a route and GraphQL a query, which both exist."""
    method, path, document, variables = REQUESTS[kind]
    rest = (await bare_server.http.request(method, path)).json()
    assert rest["detail"] == f"There is no {kind.value} with this id. {LISTINGS[kind].rest}"
    (error,) = (await bare_server.ask(document, **variables))["errors"]
    assert error["message"] == f"There is no {kind.value} with this id. {LISTINGS[kind].graphql}"

    (route,) = re.findall(r"GET (\S+)", rest["detail"])
    assert route in {getattr(one, "path", "") for one in rest_routes()}
    *_, query = re.findall(r"query `(\w+)`", error["message"])
    query_type = built_schema().query_type
    assert query_type is not None
    assert query in query_type.fields
