"""Connecting, testing and disconnecting over GraphQL; responses never contain the key."""

import json
from typing import Any

import httpx
import pytest

from routiq_gql.cliniko import KeyRefused
from routiq_gql.clock import utc_now
from routiq_gql.connections.state import ConnectionState
from routiq_gql.emulator import (
    EMULATED_API_KEY,
    Access,
    Emulator,
    EmulatorServer,
    Fault,
    FaultKind,
    awkward_clinic,
    demo_clinic,
)
from routiq_gql.errors import BadInput
from routiq_gql.patients.requests import PageRequest
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.server import Server, open_socket
from tests.syncs import run_sync

FIELDS = """message organizationId ok problem { code message whatToDo }
  connection { id organizationId state account shard role lastValidatedAt problem { code } }"""
CONNECT = f"mutation ($id: ID!, $key: String!) {{ connectCliniko(organizationId: $id, apiKey: $key) {{ {FIELDS} }} }}"
TEST = f"mutation ($id: ID!) {{ testConnection(organizationId: $id) {{ {FIELDS} }} }}"
DISCONNECT = f"mutation ($id: ID!) {{ disconnectCliniko(organizationId: $id) {{ {FIELDS} }} }}"
DASHBOARD = """query ($id: ID!) { dashboard(organizationId: $id) {
  syncAvailable connection { state account shard role lastValidatedAt problem { code message } } } }"""


@pytest.fixture
async def connectable(settings: Settings, cliniko: Cliniko):
    """A server whose operator has configured Cliniko's address."""
    async with Server(settings.model_copy(update={"cliniko_base_url": cliniko.base_url})) as server:
        yield server


async def data(server: Server, query: str, **variables: Any) -> dict[str, Any]:
    answer = await server.ask(query, id=ORGANIZATION, **variables)
    assert "errors" not in answer, answer
    (value,) = answer["data"].values()
    return dict(value)


async def test_from_connecting_to_disconnecting(connectable: Server, cliniko: Cliniko):
    """A clinic pastes its key, sees the account, syncs, and disconnects again."""
    assert await data(connectable, DASHBOARD) == {"syncAvailable": False, "connection": None}
    connected = await data(connectable, CONNECT, key=f"  {EMULATED_API_KEY}\n")
    assert (connected["ok"], connected["message"], connected["problem"]) == (True, "Connected", None)
    connection = connected["connection"]
    assert connection["state"] == "CONNECTED"
    assert (connection["account"], connection["role"]) == ("Awkward & Söhne <Physio>", "administrator")
    assert (connection["shard"], connection["id"]) == ("au1", f"connection:{ORGANIZATION}")
    seen = await data(connectable, DASHBOARD)
    assert seen["syncAvailable"]
    assert seen["connection"]["lastValidatedAt"] == connection["lastValidatedAt"]
    assert (await connectable.until_ended(await connectable.start_sync()))["status"] == "completed"
    assert (await data(connectable, TEST))["message"] == "The connection works"

    cliniko.gate.hold("patients")
    running = await connectable.start_sync()
    await cliniko.gate.reached()
    disconnected = await data(connectable, DISCONNECT)
    assert disconnected["connection"]["state"] == "DISABLED"
    ended = await connectable.until_ended(running)
    assert ended["failure"]["code"] == "CONNECTION_DISABLED"
    seen = await data(connectable, DASHBOARD)
    assert (seen["syncAvailable"], seen["connection"]["state"]) == (False, "DISABLED")
    stats = (await connectable.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json()["patient_stats"]
    assert stats["active_patients"] == 12, "what was stored stays"
    cliniko.gate.open()
    failed = await connectable.until_ended(await connectable.start_sync())
    assert failed["failure"]["code"] == "CONNECTION_DISABLED"


@pytest.mark.parametrize(
    ("kind", "resource", "code", "named"),
    [
        (FaultKind.STATUS_401, "patients", "KEY_REFUSED", "API key"),
        (FaultKind.STATUS_403, "attendees", "KEY_LACKS_PERMISSION", "attendees"),
        (FaultKind.REDIRECT, "appointment_types", "ACCOUNT_MOVED", "another address"),
        (FaultKind.STATUS_503, "patients", "CLINIKO_UNREACHABLE", "patients"),
        (FaultKind.HTML_200, "patients", "CLINIKO_UNEXPECTED_ANSWER", "patients"),
    ],
)
async def test_a_key_that_does_not_work_is_not_stored(
    connectable: Server, cliniko: Cliniko, kind: FaultKind, resource: str, code: str, named: str
):
    """The refusal names the unreadable list and gives advice; the organization stays unconnected."""
    cliniko.emulator.faults.add(Fault(kind, resource, times=None))
    refused = await data(connectable, CONNECT, key=EMULATED_API_KEY)
    assert (refused["ok"], refused["connection"]) == (False, None)
    assert refused["problem"]["code"] == code
    assert named in refused["message"]
    assert refused["problem"]["whatToDo"]
    assert await data(connectable, DASHBOARD) == {"syncAvailable": False, "connection": None}


@pytest.mark.parametrize("name", ["sync_org_1_20260701_093015", "sync_a_20260701_093015_2"])
async def test_a_new_organization_cannot_have_the_id_of_a_sync(connectable: Server, name: str):
    """An id stands for a single object, so a clinic can't be connected under an id that a sync may have."""
    answer = await connectable.ask(CONNECT, id=name, key=EMULATED_API_KEY)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "has the form of a sync's id" in error["message"]
    for other in ("sync_org_1", "sync_org_1_20260701", f"x{name}"):
        assert "errors" not in await connectable.ask(CONNECT, id=other, key=EMULATED_API_KEY)


async def test_a_malformed_key_is_bad_input(connectable: Server):
    """A text that can't be a key is sent nowhere, and the response does not repeat it."""
    answer = await connectable.ask(CONNECT, id=ORGANIZATION, key="secret words")
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "secret" not in json.dumps(answer)


@pytest.mark.parametrize("around", [" %s\r\n", '"%s"', "“%s”\n", "\ufeff'%s'"])
async def test_quotes_and_spaces_around_a_copied_key_do_not_matter(connectable: Server, around: str):
    """A key pasted with quotes or line breaks around it works, now and in later syncs."""
    assert (await data(connectable, CONNECT, key=around % EMULATED_API_KEY))["ok"]
    assert (await connectable.until_ended(await connectable.start_sync()))["status"] == "completed"


@pytest.mark.parametrize("key", ["abc", "MS0xLWabc-", "au1"])
async def test_a_part_of_a_key_is_named_as_one(settings: Settings, key: str):
    """A key without the region at its end is refused at once, and the error names the missing part."""
    async with Server(settings.model_copy(update={"contact_email": "ops@example.com"})) as server:
        answer = await server.ask(CONNECT, id=ORGANIZATION, key=key)
    error = answer["errors"][0]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "the region at its end, such as -au1, is missing" in error["message"]
    assert "did not answer" not in error["message"]


@pytest.mark.parametrize("resource", ["settings", "user"])
async def test_a_known_account_keeps_its_name(connectable: Server, cliniko: Cliniko, resource: str):
    """A sync that can't read the account's name or the key's role keeps the stored ones."""
    before = (await data(connectable, CONNECT, key=EMULATED_API_KEY))["connection"]
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_403, resource, times=None))
    await connectable.until_ended(await connectable.start_sync())
    after = (await data(connectable, DASHBOARD))["connection"]
    assert (after["account"], after["role"]) == (before["account"], before["role"])
    assert after["lastValidatedAt"] > before["lastValidatedAt"]


async def test_storing_the_same_key_again_keeps_the_accounts_name(connectable: Server, cliniko: Cliniko):
    """Storing the same key for another address without a check keeps the account's name; another key has none."""
    before = (await data(connectable, CONNECT, key=EMULATED_API_KEY))["connection"]
    connections = connectable.runtime.connections
    await connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, "http://127.0.0.1:1/v1", check=False)
    after = (await data(connectable, DASHBOARD))["connection"]
    for name in ("account", "role", "lastValidatedAt"):
        assert after[name] == before[name]
    await connections.connect(LOCAL_OPERATOR, ORGANIZATION, f"x{EMULATED_API_KEY}", cliniko.base_url, check=False)
    after = (await data(connectable, DASHBOARD))["connection"]
    assert (after["account"], after["role"], after["lastValidatedAt"]) == (None, None, None)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("fault", ["mode", "content", "folder"])
async def test_no_path_of_the_server_is_shown(
    connectable: Server, cliniko: Cliniko, fault: str, capsys: pytest.CaptureFixture[str]
):
    """The path of an unusable key file is in the log, and in no client's response."""
    await data(connectable, CONNECT, key=EMULATED_API_KEY)
    database = connectable.runtime.database.path
    path = database.with_name(f"{database.name}.key")
    match fault:
        case "mode":
            path.chmod(0o644)
        case "content":
            path.write_text("nonsense")
        case "folder":
            path.unlink()
            path.mkdir(mode=0o700)
    answers = [await data(connectable, query, key=EMULATED_API_KEY) for query in (CONNECT, TEST)]
    answers.append((await connectable.until_ended(await connectable.start_sync()))["failure"])
    for answer in answers:
        assert "encryption keys or settings can't be used" in answer["message"]
    assert str(database.parent) not in json.dumps(answers)
    assert database.name not in json.dumps(answers)
    assert str(path) in capsys.readouterr().out


async def test_another_accounts_key_is_refused(connectable: Server, settings: Settings):
    """A wrong key can't mix a clinic's data with another clinic's."""
    await data(connectable, CONNECT, key=EMULATED_API_KEY)
    clinic = awkward_clinic(utc_now())
    clinic.name, clinic.subdomain = "Somebody Else", "else"
    async with EmulatorServer(Emulator(clinic)) as other:
        elsewhere = settings.model_copy(update={"cliniko_base_url": other.base_url})
        async with Server(elsewhere) as server:
            answer = await server.ask(CONNECT, id=ORGANIZATION, key=EMULATED_API_KEY)
    error = answer["errors"][0]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "“Somebody Else”" in error["message"]
    assert "--replace" in error["message"]
    assert (await data(connectable, DASHBOARD))["connection"]["account"] == "Awkward & Söhne <Physio>"


async def test_a_late_answer_about_an_earlier_key_changes_nothing(runtime: Runtime, cliniko: Cliniko):
    """A clinic replaces its key while the earlier key is being refused: the new key needs no attention."""
    opened = await runtime.clients.open(ORGANIZATION)
    await runtime.connections.connect(
        LOCAL_OPERATOR, ORGANIZATION, f"x{EMULATED_API_KEY}", cliniko.base_url, check=False
    )
    await runtime.clients.note_refusal(opened, KeyRefused())
    (organization,) = await runtime.connections.organizations(LOCAL_OPERATOR)
    assert organization.connection.state is ConnectionState.CONNECTED


async def test_after_a_switch_of_the_account_an_earlier_sync_is_refused(runtime: Runtime, cliniko: Cliniko):
    """The patients of the earlier account are gone. Asking for them as of a sync is an error, not an empty clinic."""
    earlier = await run_sync(runtime)
    cliniko.emulator.clinic = demo_clinic(utc_now())
    await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, replace=True)
    later = await run_sync(runtime)
    page = await runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, PageRequest(as_of=later.sync_id))
    assert page.total_count == later.active_patients_stored > 0
    refusal = f"whose patients are kept. The oldest one is {later.sync_id}."
    with pytest.raises(BadInput, match=refusal):
        await runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, PageRequest(as_of=earlier.sync_id))
    with pytest.raises(BadInput, match=refusal):
        await runtime.patients.stats(LOCAL_OPERATOR, ORGANIZATION, earlier.sync_id)


@pytest.mark.parametrize("through", ["sync", "test"])
async def test_a_key_that_stops_working_needs_attention(connectable: Server, cliniko: Cliniko, through: str):
    """After a 401 or 403 the connection needs attention and shows the reason; once it works again that is gone."""
    accepted = await data(connectable, CONNECT, key=EMULATED_API_KEY)
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_403, "group_appointments", times=None))
    if through == "sync":
        assert (await connectable.until_ended(await connectable.start_sync()))["status"] == "failed"
    else:
        tested = await data(connectable, TEST)
        assert (tested["ok"], tested["problem"]["code"]) == (False, "KEY_LACKS_PERMISSION")
    seen = await data(connectable, DASHBOARD)
    assert seen["syncAvailable"], "starting again is how one finds out that it works"
    assert seen["connection"]["state"] == "NEEDS_ATTENTION"
    assert seen["connection"]["problem"]["code"] == "KEY_LACKS_PERMISSION"
    assert "group appointments" in seen["connection"]["problem"]["message"]
    assert seen["connection"]["lastValidatedAt"] == accepted["connection"]["lastValidatedAt"], "a refusal is no check"
    cliniko.emulator.faults.clear()
    if through == "sync":
        await connectable.until_ended(await connectable.start_sync())
    else:
        await data(connectable, TEST)
    connection = (await data(connectable, DASHBOARD))["connection"]
    assert (connection["state"], connection["problem"]) == ("CONNECTED", None)


async def test_an_unreachable_cliniko_says_nothing_about_the_key(connectable: Server, cliniko: Cliniko):
    """A test during an outage fails, and the connection stays as it was."""
    await data(connectable, CONNECT, key=EMULATED_API_KEY)
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_503, times=None))
    tested = await data(connectable, TEST)
    assert (tested["ok"], tested["problem"]["code"]) == (False, "CLINIKO_UNREACHABLE")
    assert (await data(connectable, DASHBOARD))["connection"]["state"] == "CONNECTED"


@pytest.mark.parametrize("query", [TEST, DISCONNECT])
async def test_there_is_nothing_to_test_or_disconnect(connectable: Server, query: str):
    """An organization without a connection gets instructions to connect."""
    answer = await data(connectable, query)
    assert (answer["ok"], answer["problem"]["code"]) == (False, "CONNECTION_MISSING")
    assert f"routiq-gql connect {ORGANIZATION}" in answer["problem"]["whatToDo"]


async def test_a_server_that_is_not_set_up_says_so(bare_server: Server):
    """Without a contact no real Cliniko is contacted; the clinic is asked to call the server's operator."""
    answer = await data(bare_server, CONNECT, key=EMULATED_API_KEY)
    assert not answer["ok"]
    assert "ROUTIQ_CONTACT_EMAIL" in answer["message"]


@pytest.mark.sqlite_only
async def test_the_key_comes_out_nowhere(connectable: Server, settings: Settings, caplog: pytest.LogCaptureFixture):
    """No response, no log line and no byte of the database shows a stored key."""
    answers = [await connectable.ask(CONNECT, id=ORGANIZATION, key=EMULATED_API_KEY)]
    sync_id = await connectable.start_sync()
    await connectable.until_ended(sync_id)
    answers.append(await connectable.ask(DASHBOARD, id=ORGANIZATION))
    answers.append((await connectable.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json())
    async with open_socket(connectable) as socket:
        await socket.subscribe(CONNECT, id=ORGANIZATION, key=EMULATED_API_KEY)
        answers.append(await socket.receive())
    secret = EMULATED_API_KEY.rpartition("-")[0]
    assert secret not in json.dumps(answers, ensure_ascii=False)
    assert secret not in caplog.text
    path = connectable.runtime.database.path
    for file in path.parent.iterdir():
        assert secret.encode() not in file.read_bytes(), file


async def test_a_receptionists_key_names_the_list(settings: Settings):
    """A key that can't read everything is refused, with the missing list and advice."""
    access = {EMULATED_API_KEY: Access(role="receptionist", forbidden=frozenset({"patients"}))}
    emulator = Emulator(awkward_clinic(utc_now()), api_keys=access)
    async with (
        EmulatorServer(emulator) as cliniko,
        Server(settings.model_copy(update={"cliniko_base_url": cliniko.base_url})) as server,
    ):
        refused = await data(server, CONNECT, key=EMULATED_API_KEY)
    assert refused["problem"]["code"] == "KEY_LACKS_PERMISSION"
    assert "patients" in refused["message"]


async def test_the_history_can_be_narrowed_to_an_outcome(connectable: Server, cliniko: Cliniko):
    """Failed, cancelled and completed syncs can be listed separately, page by page, in GraphQL and REST."""
    await data(connectable, CONNECT, key=EMULATED_API_KEY)
    for _ in range(3):
        await connectable.until_ended(await connectable.start_sync())
    cliniko.gate.hold("patients")
    await connectable.http.delete(f"/api/v1/sync/cancel/{await connectable.start_sync()}")
    cliniko.gate.open()
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    await connectable.until_ended(await connectable.start_sync())

    query = """query ($id: ID!, $status: SyncState, $after: String) {
      history(organizationId: $id, limit: 2, status: $status, after: $after) {
        totalSyncs nextCursor recentSyncs { status durationSeconds } } }"""
    found: dict[str, list[str]] = {}
    for status in ("COMPLETED", "CANCELLED", "FAILED"):
        page = await data(connectable, query, status=status)
        found[status] = [sync["status"] for sync in page["recentSyncs"]]
        assert page["totalSyncs"] == 5
        while page["nextCursor"]:
            page = await data(connectable, query, status=status, after=page["nextCursor"])
            found[status] += [sync["status"] for sync in page["recentSyncs"]]
        assert all(sync["durationSeconds"] >= 0 for sync in page["recentSyncs"])
    assert found == {"COMPLETED": ["COMPLETED"] * 3, "CANCELLED": ["CANCELLED"], "FAILED": ["FAILED"]}
    refused = await connectable.ask(query, id=ORGANIZATION, status="ANALYZING")
    assert refused["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"

    async def rest(status: str) -> httpx.Response:
        return await connectable.http.get(f"/api/v1/sync/history/{ORGANIZATION}", params={"status": status})

    counts = {
        status: len((await rest(status)).json()["recent_syncs"]) for status in ("completed", "failed", "cancelled")
    }
    assert counts == {"completed": 3, "failed": 2, "cancelled": 1}
    assert (await rest("idle")).status_code == 422
