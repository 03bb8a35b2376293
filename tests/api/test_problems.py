"""The problems in the payloads of mutations: each code by the situation that it is for, beside a sync that is real."""

import re
from pathlib import Path
from typing import Any

import pytest

from routiq_gql.api.graphql.enums import CancelSyncProblemCode, StartSyncProblemCode, WebhookProblemCode
from routiq_gql.api.graphql.error_codes import ErrorCode
from routiq_gql.emulator import Fault, FaultKind
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync import problems
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.server import Server

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()

PROBLEM = "problem { __typename ... on Problem { message whatToDo retryable }"
START = f"""mutation ($id: ID!, $mode: SyncMode! = AUTO) {{ startSync(organizationId: $id, mode: $mode) {{
  created syncId {PROBLEM} ... on StartSyncProblem {{ code }} }} sync {{ id status mode }} }} }}"""
CANCEL = f"""mutation ($id: ID!) {{ cancelSync(syncId: $id) {{
  message {PROBLEM} ... on CancelSyncProblem {{ code }} }} sync {{ id status }} }} }}"""
TEST = f"""mutation ($id: ID!) {{ testConnection(organizationId: $id) {{
  ok {PROBLEM} ... on ConnectionProblem {{ code }} }} connection {{ id state }} }} }}"""
"""Each selects its problem through the interface, as a component for all problems does."""


async def _start(server: Server, organization: str = ORGANIZATION, mode: str = "AUTO") -> dict[str, Any]:
    answer = await server.ask(START, id=organization, mode=mode)
    assert "errors" not in answer
    started: dict[str, Any] = answer["data"]["startSync"]
    assert started["sync"]["id"] == started["syncId"], "there is a sync to follow beside every problem"
    return started


def _check_words(problem: dict[str, Any]) -> None:
    assert problem["message"].endswith(".")
    assert problem["whatToDo"]


def test_each_code_has_a_description_in_the_schema():
    """The codes of the schema are those of the service, so that no problem lacks its words."""
    for shown, known in (
        (StartSyncProblemCode, problems.StartProblemCode),
        (CancelSyncProblemCode, problems.CancelProblemCode),
    ):
        assert [code.name for code in shown] == [code.name for code in known]
        assert not {code.name for code in shown} & {code.name for code in ErrorCode}, "a code has one place"


def test_the_page_for_clients_lists_every_code():
    """Readers of the docs find each code of problems and of errors in a table."""
    section = PAGE.partition("\n### Errors and problems\n")[2].partition("\n### ")[0]
    rows = "\n".join(line for line in section.splitlines() if line.startswith("| "))
    listed = set(re.findall(r"`([A-Z_]+)`", rows))
    kinds = (StartSyncProblemCode, CancelSyncProblemCode, WebhookProblemCode, ErrorCode)
    assert listed == {code.name for kind in kinds for code in kind}


async def test_a_start_without_a_usable_connection_says_so_at_once(server: Server):
    """A sync of an unknown or disconnected clinic is created as ever, and the answer says why it will fail."""
    missing = await _start(server, "org_unknown")
    assert missing["created"]
    assert missing["problem"]["code"] == "CONNECTION_MISSING"
    assert missing["problem"]["retryable"] is False
    ended = await server.until_ended(missing["syncId"])
    assert (ended["failure"]["code"], ended["current_step_number"]) == ("CONNECTION_MISSING", 2)
    assert ended["failure"]["message"] == missing["problem"]["message"], "the sync fails with the same words"

    await server.runtime.connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)
    disabled = await _start(server)
    assert disabled["problem"]["code"] == "CONNECTION_DISABLED"
    _check_words(disabled["problem"])
    ended = await server.until_ended(disabled["syncId"])
    assert (ended["failure"]["code"], ended["current_step_number"]) == ("CONNECTION_DISABLED", 2)
    assert ended["failure"]["message"] == disabled["problem"]["message"]


async def test_rest_names_the_same_problem_beside_the_documented_keys(server: Server):
    """REST answers a start in the documented shape, and behind it says why the sync will not do as asked."""
    start, documented = "/api/v1/sync/start/", ["message", "sync_id", "organization_id", "status"]
    fine = (await server.http.post(start + ORGANIZATION)).json()
    assert list(fine) == documented
    await server.until_ended(fine["sync_id"])

    missing = await server.http.post(start + "org_unknown")
    assert missing.status_code == 200
    assert (list(missing.json()), missing.json()["message"]) == ([*documented, "problem"], "Sync started")
    await server.until_ended(missing.json()["sync_id"])
    shown = (await _start(server, "org_unknown"))["problem"]
    keys = {"code": "code", "message": "message", "what_to_do": "whatToDo", "retryable": "retryable"}
    assert missing.json()["problem"] == {rest: shown[graphql] for rest, graphql in keys.items()}


async def test_a_start_with_a_refused_key_warns_and_tries_again(server: Server, cliniko: Cliniko):
    """Once Cliniko has refused the key, each start repeats what to do; after a correction the sync completes."""
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    refused = (await server.ask(TEST, id=ORGANIZATION))["data"]["testConnection"]
    assert (refused["ok"], refused["connection"]["state"]) == (False, "NEEDS_ATTENTION")
    assert (refused["problem"]["code"], refused["problem"]["retryable"]) == ("KEY_REFUSED", False)

    warned = await _start(server)
    assert warned["problem"]["code"] == "CONNECTION_NEEDS_ATTENTION"
    assert warned["problem"]["message"] == refused["problem"]["message"]
    assert warned["problem"]["whatToDo"] == refused["problem"]["whatToDo"]
    assert (await server.until_ended(warned["syncId"]))["status"] == "failed"

    cliniko.emulator.faults.clear()
    corrected = await _start(server)
    assert corrected["problem"]["code"] == "CONNECTION_NEEDS_ATTENTION", "only the sync finds out"
    assert (await server.until_ended(corrected["syncId"]))["status"] == "completed"
    after = await _start(server)
    assert after["problem"] is None
    await server.until_ended(after["syncId"])


async def test_a_full_sync_that_was_not_started_is_a_problem(server: Server, cliniko: Cliniko):
    """A running sync answers a start; it is a problem only where it may read less than was asked for."""
    await server.until_ended((await _start(server))["syncId"])
    cliniko.gate.hold("patients")
    running = await _start(server, mode="INCREMENTAL")
    assert running["problem"] is None
    for mode, code in (("AUTO", None), ("INCREMENTAL", None), ("FULL", "OTHER_MODE_RUNS")):
        again = await _start(server, mode=mode)
        assert (again["created"], again["syncId"]) == (False, running["syncId"])
        assert (again["problem"] or {}).get("code") == code, mode
    _check_words(again["problem"])
    assert again["problem"]["retryable"] is True
    await server.ask(CANCEL, id=running["syncId"])
    cliniko.gate.open()

    cliniko.gate.hold("patients")
    running = await _start(server, mode="FULL")
    for mode in ("AUTO", "INCREMENTAL", "FULL"):
        again = await _start(server, mode=mode)
        assert again["problem"] is None, "a full sync reads all that was asked for"
    await server.ask(CANCEL, id=running["syncId"])
    cliniko.gate.open()


async def test_cancelling_a_sync_that_has_ended_is_a_problem(server: Server, cliniko: Cliniko):
    """Only the call that ends a sync has no problem; an unknown sync stays an error, without a payload."""
    cliniko.gate.hold("patients")
    sync_id = (await _start(server))["syncId"]
    first = (await server.ask(CANCEL, id=sync_id))["data"]["cancelSync"]
    assert (first["message"], first["problem"]) == ("Sync cancelled", None)
    second = (await server.ask(CANCEL, id=sync_id))["data"]["cancelSync"]
    assert second["sync"] == first["sync"] == {"id": sync_id, "status": "CANCELLED"}
    assert (second["message"], second["problem"]["code"]) == ("Sync already cancelled", "ALREADY_ENDED")
    assert second["problem"]["message"] == "The sync was cancelled before this request, and stays as it is."
    _check_words(second["problem"])
    cliniko.gate.open()

    completed = (await _start(server))["syncId"]
    await server.until_ended(completed)
    late = (await server.ask(CANCEL, id=completed))["data"]["cancelSync"]
    assert (late["sync"]["status"], late["problem"]["code"]) == ("COMPLETED", "ALREADY_ENDED")

    unknown = await server.ask(CANCEL, id="sync_nobody_20241222_143022")
    assert unknown["data"] is None
    assert unknown["errors"][0]["extensions"]["code"] == "SYNC_NOT_FOUND"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [({"id": "<b>"}, "BAD_USER_INPUT"), ({"id": ORGANIZATION, "mode": "TIME_ONLY"}, "BAD_USER_INPUT")],
)
async def test_faults_of_a_request_stay_errors(bare_server: Server, arguments: dict[str, str], code: str):
    """A request that can't be executed has no payload, as before there were problems."""
    answer = await bare_server.ask(START, **arguments)
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
