"""A test of a connection finds and stores what a sync would."""

from typing import Any

import pytest

from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.server import Server

TEST = "mutation ($id: ID!) { testConnection(organizationId: $id) { ok problem { code message whatToDo retryable } } }"
CONNECTION = """query ($id: ID!) { dashboard(organizationId: $id) {
  connection { state problem { code message whatToDo } } lastSync { failure { code message whatToDo retryable } } } }"""
LASTING = {
    FaultKind.STATUS_401: "KEY_REFUSED",
    FaultKind.STATUS_403: "KEY_LACKS_PERMISSION",
    FaultKind.REDIRECT: "ACCOUNT_MOVED",
}
"""Faults after which a person has to act."""
PASSING = {FaultKind.STATUS_503: "CLINIKO_UNREACHABLE", FaultKind.HTML_200: "CLINIKO_UNEXPECTED_ANSWER"}
"""Faults that say nothing about the key."""


async def _stored(server: Server, organization_id: str) -> dict[str, Any]:
    answer = await server.ask(CONNECTION, id=organization_id)
    return dict(answer["data"]["dashboard"])


@pytest.mark.parametrize("kind", [*LASTING, *PASSING])
async def test_a_test_stores_what_a_sync_would(settings: Settings, cliniko: Cliniko, kind: FaultKind):
    """Two clinics meet the same fault, one in a test and one in a sync: the page shows the same of both."""
    async with Server(settings.model_copy(update={"cliniko_base_url": cliniko.base_url})) as server:
        for organization in ("org_tested", "org_synced"):
            await server.connect_organization(cliniko.base_url, EMULATED_API_KEY, organization)
        cliniko.emulator.faults.add(
            Fault(kind, "practitioners" if kind is FaultKind.REDIRECT else "patients", times=None)
        )
        tested = (await server.ask(TEST, id="org_tested"))["data"]["testConnection"]
        started = await server.ask('mutation { startSync(organizationId: "org_synced") { sync { id } } }')
        await server.until_ended(started["data"]["startSync"]["sync"]["id"])
        by_test, by_sync = await _stored(server, "org_tested"), await _stored(server, "org_synced")
        assert by_test["connection"] == by_sync["connection"]
        assert by_test["connection"]["state"] == ("NEEDS_ATTENTION" if kind in LASTING else "CONNECTED")
        failure = by_sync["lastSync"]["failure"]
        assert (tested["ok"], tested["problem"]["code"], failure["code"]) == (False, *[(LASTING | PASSING)[kind]] * 2)
        assert tested["problem"]["retryable"] == failure["retryable"]
        if kind in LASTING:
            assert (
                tested["problem"] == failure == by_test["connection"]["problem"] | {"retryable": failure["retryable"]}
            )
