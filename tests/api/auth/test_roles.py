"""The rights of an organization's members, by the roles and permissions in their tokens."""

from typing import Any

import pytest

from routiq_gql.api.auth.claims import roles_of
from routiq_gql.api.auth.roles import RoleTable
from routiq_gql.emulator import Issuer
from routiq_gql.security.viewer import Right
from routiq_gql.settings import Settings
from tests.graphql_documents import CANCEL, DASHBOARD, START
from tests.issuing import OURS, bearer, jwt_settings
from tests.server import Server, open_socket

CONNECT = """mutation ($id: ID!) { connectCliniko(organizationId: $id, apiKey: "none") { ok } }"""
DISCONNECT = "mutation ($id: ID!) { disconnectCliniko(organizationId: $id) { ok } }"
TEST = "mutation ($id: ID!) { testConnection(organizationId: $id) { ok } }"


async def _code(server: Server, token: str, document: str, name: str = OURS) -> str | None:
    """The error code of an operation, the same over HTTP and over a websocket; ``None`` if it was allowed."""
    content = {"query": document, "variables": {"id": name}}
    answer = (await server.http.post("/graphql", json=content, headers=bearer(token))).json()
    async with open_socket(server, init=False) as socket:
        await socket.init(payload=bearer(token))
        await socket.subscribe(document, id=name)
        (payload,) = await socket.results()
    codes = [one["errors"][0]["extensions"]["code"] if "errors" in one else None for one in (answer, payload)]
    assert codes[0] == codes[1]
    return codes[0]


async def test_by_default_members_start_and_cancel_and_admins_connect(guarded: Server, issuer: Issuer):
    """The refusal names the missing right; reading is allowed to every member."""
    member, admin = issuer.token(OURS), issuer.token(OURS, role="admin")
    for document in (CONNECT, DISCONNECT, TEST):
        assert await _code(guarded, member, document) == "FORBIDDEN"
        assert await _code(guarded, admin, document) != "FORBIDDEN"
    for document in (START, DASHBOARD):
        assert await _code(guarded, member, document) is None
    answer = await guarded.http.post(
        "/graphql", json={"query": CONNECT, "variables": {"id": OURS}}, headers=bearer(member)
    )
    assert "ROUTIQ_CONNECT_ROLES" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("version", [1, 2])
async def test_rights_can_be_given_to_roles_and_permissions(settings: Settings, issuer: Issuer, version: Any):
    """Roles and permissions are named without the prefix of one token version, or with it."""
    named = {"start_roles": ("syncs:start",), "cancel_roles": ("org:manager", "admin"), "connect_roles": ()}
    async with Server(jwt_settings(settings, issuer, **named)) as server:

        def token(role: str, *permissions: str) -> str:
            return issuer.token(OURS, role=role, permissions=permissions, version=version)

        starter = token("member", "patients:read", "syncs:start")
        for refused in (token("member"), token("member", "syncs:read"), token("admin"), token("syncs")):
            assert await _code(server, refused, START) == "FORBIDDEN"
            rest = await server.http.post(f"/api/v1/sync/start/{OURS}", headers=bearer(refused))
            assert (rest.status_code, rest.json()["code"]) == (403, "FORBIDDEN")
        assert await _code(server, starter, START) is None
        started = await server.http.post(f"/api/v1/sync/start/{OURS}", headers=bearer(starter))
        sync_id = started.json()["sync_id"]
        assert await _code(server, starter, CANCEL, sync_id) == "FORBIDDEN"
        for allowed in (token("manager"), token("admin")):
            assert await _code(server, allowed, CANCEL, sync_id) is None
        assert await _code(server, token("admin"), CONNECT) == "FORBIDDEN", "an empty list gives the right to nobody"


def test_patients_are_read_by_the_roles_that_the_settings_name(settings: Settings):
    """By default every member reads patients; a clinic can limit it to some roles, or to a permission."""
    assert Right.PATIENTS in RoleTable(settings).rights_of(())
    limited = RoleTable(settings.model_copy(update={"patient_roles": ("org:admin", "patients:read")}))
    assert Right.PATIENTS not in limited.rights_of({"member"})
    for held in ("org:admin", "admin", "org:patients:read"):
        assert Right.PATIENTS in limited.rights_of({held})


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"org_role": "org:admin", "org_permissions": ["org:syncs:start"]}, {"org:admin", "org:syncs:start"}),
        ({"org_role": 3, "org_permissions": "org:syncs:start"}, set()),
        ({"o": {"rol": "admin"}, "org_role": "org:owner"}, {"admin"}),
        # Clerk's example: two features, the second with its second permission only.
        (
            {"o": {"rol": "admin", "per": "manage,read", "fpm": "3,2"}, "fea": "o:dashboard,o:teams"},
            {"admin", "dashboard:manage", "dashboard:read", "teams:read"},
        ),
        # A person's feature has no number among the organization's features.
        ({"o": {"per": "a,b", "fpm": "1"}, "fea": "u:mine,o:ours"}, {"ours:a"}),
        ({"o": {"per": "a", "fpm": "x,-1,1"}, "fea": "o:f,o:g,o:h"}, {"h:a"}),
        ({"o": {"per": "a", "fpm": 1}, "fea": "o:f"}, set()),
        ({"o": {"per": "a", "fpm": "9" * 5000}, "fea": "o:f"}, set()),
        ({"o": {"rol": ["admin"]}}, set()),
        ({}, set()),
    ],
)
def test_roles_are_read_from_both_versions_of_claims(claims: dict[str, Any], expected: set[str]):
    """Unreadable roles give no right."""
    assert roles_of(claims) == expected
