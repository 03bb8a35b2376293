"""Changes of patients over GraphQL: a page of a sync, and a subscription that resumes from its cursor."""

from dataclasses import replace
from pathlib import Path

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.database.syncs import sync_by_id
from routiq_gql.security.token_file import TokenFile
from routiq_gql.settings import Settings
from routiq_gql.sync.mapping import snapshot_of
from tests.patients.clinics import DAY, ListedClinic, Person, Visit
from tests.server import Server, open_socket

FIELDS = """id cursor syncId clinikoId patientId name kinds fields joined left sentence
  patient { id phone isArchived why { isMember } }"""
PAGE = f"""query ($id: ID!, $since: ID, $first: Int, $after: String) {{
  syncChanges(syncId: $id, since: $since, first: $first, after: $after) {{
    edges {{ cursor node {{ clinikoId }} }} nodes {{ {FIELDS} }} cursor syncId since isBaseline
    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"""
WATCH = f"""subscription ($id: ID!, $after: String) {{
  patientsChanged(organizationId: $id, after: $after) {{ {FIELDS} }} }}"""
NODES = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ __typename id ... on PatientChange {{ {FIELDS} }} }} }}"
ANA = Person(1, "Ana", "Bo", phone="0400", visits=(Visit(1, utc_now() - DAY),))
BEN = Person(2, "Ben", "Co")


async def publish(server: Server, clinic: ListedClinic, *people: Person) -> None:
    sync_id = await clinic.sync(people, utc_now())  # housekeeping deletes rows older than a week
    async with server.runtime.database.reading() as connection:
        row = await sync_by_id(connection, sync_id)
    assert row is not None
    server.runtime.bus.publish(snapshot_of(row))


@pytest.fixture
async def clinic(bare_server: Server) -> ListedClinic:
    """Ana comes, and Ben goes."""
    made = ListedClinic(bare_server.runtime.database)
    await publish(bare_server, made, BEN)
    await publish(bare_server, made, ANA)
    return made


async def test_a_page_of_changes(bare_server: Server, clinic: ListedClinic):
    """Who came and who went, with cursors and the patient of today; a gone patient is null."""
    answer = await bare_server.ask(PAGE, id=clinic.sync_ids[1])
    page = answer["data"]["syncChanges"]
    came, went = page["nodes"]
    assert came["kinds"] == ["ADDED", "BECAME_ACTIVE", "LISTS_CHANGED"]
    assert came["patient"] == {
        "id": "patient:org_1:1",
        "phone": "0400",
        "isArchived": False,
        "why": {"isMember": True},
    }
    assert (came["patientId"], came["clinikoId"], came["fields"]) == ("patient:org_1:1", "1", [])
    assert {"ALL", "ACTIVE", "RECENT"} <= set(came["joined"])
    assert (went["kinds"], went["patient"], went["sentence"]) == (["VANISHED"], None, "No longer in Cliniko.")
    assert (went["name"], went["left"]) == ("Ben Co", ["ALL"])
    assert [edge["cursor"] for edge in page["edges"]] == [came["cursor"], went["cursor"]]
    assert page["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": False,
        "startCursor": came["cursor"],
        "endCursor": went["cursor"],
    }
    first = (await bare_server.ask(PAGE, id=clinic.sync_ids[1], first=1))["data"]["syncChanges"]
    assert (first["pageInfo"]["hasNextPage"], first["cursor"]) == (True, came["cursor"])
    rest = (await bare_server.ask(PAGE, id=clinic.sync_ids[1], after=first["cursor"]))["data"]["syncChanges"]
    assert (rest["nodes"], rest["pageInfo"]["hasPreviousPage"]) == ([went], True)
    behind = (await bare_server.ask(PAGE, id=clinic.sync_ids[1], after=rest["cursor"]))["data"]["syncChanges"]
    assert (behind["nodes"], behind["pageInfo"]["hasPreviousPage"]) == ([], True)
    difference = await bare_server.ask(PAGE, id=clinic.sync_ids[1], since=clinic.sync_ids[0])
    assert difference["data"]["syncChanges"]["since"] == clinic.sync_ids[0]
    baseline = (await bare_server.ask(PAGE, id=clinic.sync_ids[0]))["data"]["syncChanges"]
    assert (baseline["nodes"], baseline["isBaseline"]) == ([], True)
    nothing = (await bare_server.ask(PAGE, id=clinic.sync_ids[0], after=baseline["cursor"]))["data"]["syncChanges"]
    assert (nothing["nodes"], nothing["pageInfo"]["hasPreviousPage"]) == ([], False)


async def test_a_change_is_found_by_its_id(bare_server: Server, clinic: ListedClinic):
    """A client reads a change again by its id, of a sync or of a difference, as long as the change is kept."""
    first, second = clinic.sync_ids
    changes = (await bare_server.ask(PAGE, id=second))["data"]["syncChanges"]["nodes"]
    changes += (await bare_server.ask(PAGE, id=second, since=first))["data"]["syncChanges"]["nodes"]
    ids = [one["id"] for one in changes]
    assert ids == [f"change:{second}:1", f"change:{second}:2", *(f"change:{second}:since:{first}:{n}" for n in (1, 2))]
    unknown = [f"change:{second}:3", f"change:{first}:1", "change:sync_org_1_x:1", f"change:{second}:since:{second}:1"]
    found = (await bare_server.ask(NODES, ids=[*unknown, *ids]))["data"]["nodes"]
    assert found == [None] * 4 + [{"__typename": "PatientChange"} | one for one in changes]
    many = [f"change:sync_org_1_{number}:1" for number in range(11)]
    assert "at most 10 syncs" in (await bare_server.ask(NODES, ids=many))["errors"][0]["message"]
    await clinic.prune_before(second)
    assert (await bare_server.ask(NODES, ids=ids))["data"]["nodes"] == [None] * 4


async def test_a_subscription_begins_where_a_page_ended(bare_server: Server, clinic: ListedClinic):
    """A client reads a page, subscribes with its cursor, and gets each later change once, with the changed fields."""
    page = (await bare_server.ask(PAGE, id=clinic.sync_ids[1], first=1))["data"]["syncChanges"]
    async with open_socket(bare_server) as socket:
        await socket.subscribe(WATCH, id="org_1", after=page["cursor"])
        went = (await socket.receive())["payload"]["data"]["patientsChanged"]
        assert went["kinds"] == ["VANISHED"]
        await publish(bare_server, clinic, replace(ANA, phone="0401"))
        changed = (await socket.receive())["payload"]["data"]["patientsChanged"]
        assert (changed["kinds"], changed["fields"]) == (["CHANGED"], ["phone"])
        assert changed["patient"]["phone"] == "0401"
        await publish(bare_server, clinic, replace(ANA, phone="0401", is_archived=True))
        archived = (await socket.receive())["payload"]["data"]["patientsChanged"]
        assert (archived["fields"], archived["sentence"]) == (["isArchived"], "Archived. Became inactive.")
        await socket.send({"id": "1", "type": "complete"})
    async with open_socket(bare_server) as socket:
        await socket.subscribe(WATCH, id="org_1", after=went["cursor"])
        again = [(await socket.receive())["payload"]["data"]["patientsChanged"] for _ in range(2)]
        assert [one["cursor"] for one in again] == [changed["cursor"], archived["cursor"]]


async def test_a_wrong_cursor_is_an_error_of_the_operation(bare_server: Server, clinic: ListedClinic):
    """A cursor that can't be used is refused before the first result, in a sentence."""
    await clinic.prune_before(clinic.sync_ids[1])
    page = (await bare_server.ask(PAGE, id=clinic.sync_ids[1]))["errors"][0]
    assert page["extensions"]["code"] == "BAD_USER_INPUT"
    async with open_socket(bare_server) as socket:
        for after, sentence in (("abc", "not a cursor"), ("Y2hhbmdlOjE6MQ", "no longer kept")):
            await socket.subscribe(WATCH, id="org_1", after=after)
            frame = await socket.receive()
            assert (frame["type"], frame["payload"][0]["extensions"]["code"]) == ("error", "BAD_USER_INPUT")
            assert sentence in frame["payload"][0]["message"]


async def test_changes_take_the_right_to_read_patients(settings: Settings, tmp_path: Path):
    """Another organization's token, and one without the right, get no change, by page or subscription."""
    path = tmp_path / "tokens"
    own, other = TokenFile(path).add("org_1", ["reader"])[1], TokenFile(path).add("org_2", ["nurse"])[1]
    values = {
        "auth": "token",
        "tokens_file": str(path),
        "allowed_hosts": ("127.0.0.1",),
        "patient_roles": ("nurse",),
    }
    async with Server(settings.model_copy(update=values)) as server:
        clinic = ListedClinic(server.runtime.database)
        await publish(server, clinic, BEN)
        await publish(server, clinic, ANA)
        for token, code in ((own, "FORBIDDEN"), (other, "SYNC_NOT_FOUND")):
            server.http.headers["Authorization"] = f"Bearer {token}"
            answer = await server.ask(PAGE, id=clinic.sync_ids[1])
            assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == (None, code)
            answer = await server.ask(NODES, ids=[f"change:{clinic.sync_ids[1]}:1"])
            if token == own:
                assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == (None, code)
            else:
                assert answer == {"data": {"nodes": [None]}}, "as if there were no such change"
            async with open_socket(server, init=False) as socket:
                await socket.init(payload={"Authorization": f"Bearer {token}"})
                await socket.subscribe(WATCH, id="org_1")
                frame = await socket.receive()
                assert (frame["type"], frame["payload"][0]["extensions"]["code"]) == ("error", "FORBIDDEN")
