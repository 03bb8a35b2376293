"""The list of organizations: who sees which, in which order, page by page."""

import base64

import pytest
from sqlalchemy import insert

from routiq_gql.clock import utc_now
from routiq_gql.connections.state import ConnectionState
from routiq_gql.database.connections import save_connection
from routiq_gql.database.organization_pages import Place
from routiq_gql.database.tables import SYNC
from routiq_gql.emulator import EMULATED_API_KEY, Issuer
from routiq_gql.errors import BadInput, Forbidden
from routiq_gql.organizations.cursors import organizations_cursor, read_organizations_cursor
from routiq_gql.organizations.schedules import LONGEST
from routiq_gql.organizations.summaries import LONGEST_SEARCH
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, NO_RIGHTS, Viewer
from routiq_gql.settings import Settings
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode, SyncState
from tests.emulated_cliniko import Cliniko
from tests.issuing import bearer, jwt_settings
from tests.live.followers import statements
from tests.organization import ORGANIZATION
from tests.server import Server
from tests.syncs import run_sync, start

pytestmark = pytest.mark.both_databases

NAME = "Awkward & Söhne <Physio>"
"""The name that the emulated clinic has in Cliniko."""
QUERY = """query ($limit: Int, $after: String, $search: String) {
  organizations(limit: $limit, after: $after, search: $search) { nextCursor organizations {
    id organizationId name connectionState status lastSuccessfulSyncAt freshness { checkedAt freshUntil } } } }"""


async def add(runtime: Runtime, names: dict[str, str | None], state: str = "connected") -> None:
    """Connect organizations, by id, to clinics of these names."""
    async with runtime.database.writing() as connection:
        for organization_id, name in names.items():
            await save_connection(
                connection,
                organization_id,
                {
                    "state": state,
                    "base_url": "https://api.au1.cliniko.com/v1",
                    "shard": "au1",
                    "encrypted_key": b"",
                    "encryption_key_id": "",
                    "account_name": name,
                },
            )


async def found(runtime: Runtime, search: str | None = None, viewer: Viewer = LOCAL_OPERATOR) -> list[str]:
    """Ids of the organizations in the list."""
    return [
        one.organization_id for one in (await runtime.syncs.organizations(viewer, 100, search=search)).organizations
    ]


@pytest.fixture
async def empty(bare_server: Server) -> Runtime:
    """A server without any organization."""
    return bare_server.runtime


async def test_organizations_are_ordered_by_name_and_paged_in_that_order(empty: Runtime):
    """Each clinic is on exactly one page: by name whatever the case, then by id; without a name its id counts."""
    names = {"org_4": "Harbour", "org_3": "harbour", "ORG_2": None, "org_1": "Zoo", "org_0": "%", "org_9": "x" * 300}
    await add(empty, {**names, "org_8": "x" * 300})
    expected = ["org_0", "org_3", "org_4", "ORG_2", "org_8", "org_9", "org_1"]
    assert await found(empty) == expected
    for limit in (1, 2, 3, 6, 7):
        seen: list[str] = []
        after = None
        while True:
            page = await empty.syncs.organizations(LOCAL_OPERATOR, limit, after)
            assert 1 <= len(page.organizations) <= limit
            seen += [one.organization_id for one in page.organizations]
            after = page.next_cursor
            if after is None:
                break
        assert seen == expected, limit


async def test_all_that_were_connected_or_synced_are_listed(runtime: Runtime, cliniko: Cliniko):
    """Disabled clinics and clinics that were never connected are in the list too, with their states."""
    await add(runtime, {"org_disabled": "Closed Clinic"}, state="disabled")
    await run_sync(runtime, "org_never_connected")
    synced = await run_sync(runtime)
    cliniko.gate.hold("patients")
    await start(runtime)
    await cliniko.gate.reached()
    page = await runtime.syncs.organizations(LOCAL_OPERATOR)
    cliniko.gate.open()
    shown = {one.organization_id: one for one in page.organizations}
    assert set(shown) == {"org_disabled", "org_never_connected", ORGANIZATION}
    assert page.next_cursor is None
    assert shown["org_disabled"].connection_state is ConnectionState.DISABLED
    assert shown["org_never_connected"].connection_state is None
    assert shown["org_never_connected"].name is shown["org_never_connected"].last_successful_sync_at is None
    active = shown[ORGANIZATION]
    assert (active.name, active.status) == (NAME, SyncState.FETCHING_PATIENTS)
    assert active.last_successful_sync_at == synced.completed_at
    assert active.freshness is not None


async def test_a_running_sync_of_an_unconnected_organization_is_listed(empty: Runtime):
    """An organization appears as soon as its first sync is started."""
    row = {**first_values(SyncMode.FULL, utc_now()), "organization_id": "org_new", "version": 1, "epoch": 0}
    async with empty.database.writing() as connection:
        await connection.execute(insert(SYNC).values(**row, sync_id="sync_org_new_20260701_120000"))
    (only,) = (await empty.syncs.organizations(LOCAL_OPERATOR)).organizations
    assert (only.organization_id, only.status) == ("org_new", SyncState.STARTING)


async def test_the_search_finds_names_and_ids_whatever_the_case(empty: Runtime):
    """A part of a name or an id finds the clinic; wildcards are ordinary characters."""
    await add(empty, {"org_a": "Höhe Physio", "org_B": None, "org_c": "100 % Rücken", "org_d": "A_B/C", "org_e": "ABC"})
    for search, expected in {
        "": ["org_c", "org_d", "org_e", "org_a", "org_B"],
        "  ": ["org_c", "org_d", "org_e", "org_a", "org_B"],
        "PHYSIO": ["org_a"],
        "höhe": ["org_a"],
        "HÖHE": ["org_a"],
        "ORG_b": ["org_B"],
        "%": ["org_c"],
        "_b/": ["org_d"],
        "a_b": ["org_d"],
        "nothing": [],
        "' OR 1=1 --": [],
    }.items():
        assert sorted(await found(empty, search)) == sorted(expected), search


@pytest.mark.parametrize("search", ["x" * (LONGEST_SEARCH + 1), "a\x00b", "\ud800"])
async def test_an_odd_search_is_refused_with_a_sentence(empty: Runtime, search: str):
    """A text that no clinic's name holds is refused before the database is read."""
    with pytest.raises(BadInput, match="“search” must be a text"):
        await found(empty, search)


async def test_a_cursor_holds_any_name_and_odd_ones_are_refused(bare_server: Server):
    """A cursor leads to the same place again; any other text is refused with an explanation."""
    for place in (Place("höhe\n physio", "org_a"), Place("", "a"), Place("\U0001f600" * 100, "A" * 64)):
        assert read_organizations_cursor(organizations_cursor(place)) == place
    texts = ["organization:", "organization:org_a", "organization:ü\nx", "org_a\nx", "organization:a\n\x00", "sync:1"]
    odd = [base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in texts]
    odd += ["", "no cursor", "\x00", "ü" * 20, "A" * 100_000, base64.urlsafe_b64encode(b"\xff\n\xff").decode()]
    for cursor in odd:
        with pytest.raises(BadInput, match="not a cursor of the list of organizations"):
            read_organizations_cursor(cursor)
        if 0 < len(cursor) < 10_000:
            rest = await bare_server.http.get("/api/v1/sync/organizations", params={"after": cursor})
            assert (rest.status_code, rest.json()["code"]) == (422, "BAD_USER_INPUT"), cursor
    (error,) = (await bare_server.ask(QUERY, after="no cursor"))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_page_of_any_size_takes_two_statements(empty: Runtime):
    """A page of a hundred clinics costs as many statements as a page of one."""
    await add(empty, {f"org_{number}": f"Clinic {number}" for number in range(120)})
    for limit in (1, 100):
        with statements(empty.database) as executed:
            page = await empty.syncs.organizations(LOCAL_OPERATOR, limit, search="clinic")
        assert len(page.organizations) == limit
        ours = [one for one in executed if "substr(" in one or "json_" in one]  # the engine executes others meanwhile
        assert len(ours) == 2


async def test_graphql_and_rest_return_the_same_list(server: Server):
    """Both have the same organizations with the same values, limits and errors."""
    await run_sync(server.runtime)
    await server.runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, LONGEST)
    await add(server.runtime, {"org_z": "Zoo"})
    shown = (await server.ask(QUERY, limit=1, search="o"))["data"]["organizations"]
    rest = (await server.http.get("/api/v1/sync/organizations?limit=1&search=o")).json()
    assert shown["nextCursor"] == rest["next_cursor"] is not None
    (in_graphql,), (in_rest,) = shown["organizations"], rest["organizations"]
    assert in_graphql == {
        "id": ORGANIZATION,
        "organizationId": in_rest["organization_id"],
        "name": in_rest["name"],
        "connectionState": in_rest["connection_state"].upper(),
        "status": in_rest["status"].upper(),
        "lastSuccessfulSyncAt": in_rest["last_successful_sync_at"],
        "freshness": {
            "checkedAt": in_rest["freshness"]["checked_at"],
            "freshUntil": in_rest["freshness"]["fresh_until"],
        },
    }
    dashboard = (await server.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json()
    assert dashboard["freshness"] == in_rest["freshness"]
    last = (
        await server.http.get("/api/v1/sync/organizations", params={"after": rest["next_cursor"], "search": "o"})
    ).json()
    assert [one["organization_id"] for one in last["organizations"]] == ["org_z"]
    assert last["next_cursor"] is None
    for limit in (0, 101):
        (error,) = (await server.ask(QUERY, limit=limit))["errors"]
        refused = await server.http.get(f"/api/v1/sync/organizations?limit={limit}")
        assert error["message"] == refused.json()["detail"] == "“limit” must be from 1 to 100."
        assert refused.status_code == 422


async def test_a_token_lists_its_own_organization_only(settings: Settings, issuer: Issuer, cliniko: Cliniko):
    """A member of a clinic finds only the own clinic, by no search and on no page any other one."""
    async with Server(jwt_settings(settings, issuer)) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        await add(server.runtime, {"org_other": "Awkward Dentists", "org_a": None})
        token = bearer(issuer.token(ORGANIZATION))
        for query in ("", "?search=AWKWARD", f"?after={organizations_cursor(Place('', 'a'))}"):
            answer = await server.http.get(f"/api/v1/sync/organizations{query}", headers=token)
            (only,) = answer.json()["organizations"]
            assert (only["organization_id"], only["name"]) == (ORGANIZATION, NAME)
        answer = await server.http.get("/api/v1/sync/organizations?search=dentists", headers=token)
        assert answer.json() == {"organizations": [], "next_cursor": None}
        never_connected = bearer(issuer.token("org_nothing"))
        (only,) = (await server.http.get("/api/v1/sync/organizations", headers=never_connected)).json()["organizations"]
        assert (only["organization_id"], only["connection_state"], only["status"]) == ("org_nothing", None, "idle")
        assert (await server.http.get("/api/v1/sync/organizations")).status_code == 401


async def test_a_token_for_one_sync_lists_nothing(empty: Runtime):
    """A stream token reads its sync and nothing else."""
    viewer = Viewer(ORGANIZATION, NO_RIGHTS, sync_id=f"sync_{ORGANIZATION}_20260701_120000")
    with pytest.raises(Forbidden, match="one sync"):
        await empty.syncs.organizations(viewer)
