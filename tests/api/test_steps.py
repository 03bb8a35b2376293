"""Steps, and who started and cancelled a sync, in GraphQL, REST and the event stream."""

from sqlalchemy import update

from routiq_gql.database.tables import SYNC
from routiq_gql.emulator import EMULATED_API_KEY, Issuer
from routiq_gql.sync.model import SyncStep
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import CANCEL, HISTORY, STATUS
from tests.issuing import OURS
from tests.organization import ORGANIZATION
from tests.server import Server


async def test_steps_are_the_same_in_both_apis(server: Server):
    """A completed sync shows its eight steps in GraphQL and in REST, with the same times."""
    rest = await server.until_ended(await server.start_sync())
    assert list(rest)[-4:] == ["steps", "started_by", "cancelled_by", "changes"]
    assert [one["step"] for one in rest["steps"]] == [step.name.lower() for step in SyncStep]
    assert list(rest["steps"][0]) == ["step", "started_at", "ended_at", "waited_seconds"]
    assert (rest["steps"][0]["started_at"], rest["steps"][-1]["ended_at"]) == (rest["started_at"], rest["completed_at"])
    assert (rest["started_by"], rest["cancelled_by"]) == ({"kind": "person", "name": None}, None)
    shown = (await server.ask(STATUS, id=rest["sync_id"]))["data"]["syncStatus"]
    assert shown["steps"] == [
        {
            "step": one["step"].upper(),
            "startedAt": one["started_at"],
            "endedAt": one["ended_at"],
            "waitedSeconds": one["waited_seconds"],
        }
        for one in rest["steps"]
    ]
    assert (shown["startedBy"], shown["cancelledBy"]) == ({"kind": "PERSON", "name": None}, None)
    (listed,) = (await server.ask(HISTORY, id=ORGANIZATION))["data"]["history"]["recentSyncs"]
    assert listed == shown


async def test_a_running_step_has_no_end(server: Server, cliniko: Cliniko):
    """While patients are read, the step has a beginning and no end; the dashboard shows the same."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    steps = (await server.status(sync_id))["steps"]
    assert (steps[-1]["step"], steps[-1]["ended_at"]) == ("fetching_patients", None)
    assert all(one["ended_at"] for one in steps[:-1])
    dashboard = (await server.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json()
    assert dashboard["current_sync"]["steps"] == steps
    cliniko.gate.open()
    await server.until_ended(sync_id)


async def test_a_person_is_named_as_in_the_token(guarded: Server, issuer: Issuer, cliniko: Cliniko):
    """Who starts and who cancels is shown with the subject of the token."""
    await guarded.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
    cliniko.gate.hold("patients")
    tokens = {who: issuer.token(OURS, role="admin", claims={"sub": who}) for who in ("user_a", "user_b")}
    headers = {who: {"Authorization": f"Bearer {token}"} for who, token in tokens.items()}
    started = await guarded.http.post(f"/api/v1/sync/start/{OURS}", headers=headers["user_a"])
    sync_id = started.json()["sync_id"]
    asked = {"query": CANCEL, "variables": {"id": sync_id}}
    assert (await guarded.http.post("/graphql", json=asked, headers=headers["user_b"])).status_code == 200
    status = (await guarded.http.get(f"/api/v1/sync/status/{sync_id}", headers=headers["user_a"])).json()
    assert status["started_by"] == {"kind": "person", "name": "user_a"}
    assert status["cancelled_by"] == {"kind": "person", "name": "user_b"}


async def test_a_sync_of_an_earlier_version_shows_neither(server: Server):
    """A sync from before the upgrade has no steps and no actors."""
    sync_id = (await server.until_ended(await server.start_sync()))["sync_id"]
    async with server.runtime.database.writing() as connection:
        await connection.execute(update(SYNC).values(steps=None, started_by=None))
    status = await server.status(sync_id)
    assert (status["steps"], status["started_by"], status["cancelled_by"]) == ([], None, None)
    shown = (await server.ask(STATUS, id=sync_id))["data"]["syncStatus"]
    assert (shown["steps"], shown["startedBy"], shown["cancelledBy"]) == ([], None, None)
