"""The audit log: who did what and who was refused, when and from where."""

import asyncio
from collections.abc import Collection
from typing import Any

import httpx
import pytest

from routiq_gql.emulator import EMULATED_API_KEY, Issuer
from routiq_gql.sync import audit
from routiq_gql.viewer import LOCAL_OPERATOR
from tests.api.auth.issuing import OURS, THEIRS, bearer
from tests.api.conftest import Cliniko
from tests.api.serving import LIMIT_SECONDS, Server, open_socket

Seen = tuple[str, str, str | None, str | None, str | None]


async def _seen(server: Server, expected: Collection[Seen]) -> list[audit.AuditEntry]:
    """All entries, as soon as the expected ones are there."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            entries = await server.runtime.audit.entries(1000)
            found = {(one.action, one.outcome, one.organization_id, one.subject, one.address) for one in entries}
            if set(expected) <= found:
                return entries
            await asyncio.sleep(0.05)


async def test_what_is_done_is_noted_with_who_and_from_where(guarded: Server, issuer: Issuer, cliniko: Cliniko):
    """Start, cancel, connect and the rest, from the API and from the command line; a second start is nothing new."""
    await guarded.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
    cliniko.gate.hold("patients")
    guarded.http.headers.update(bearer(issuer.token(OURS, subject="user_ann", role="admin")))
    sync_id = await guarded.start_sync(OURS)
    assert await guarded.start_sync(OURS) == sync_id
    await guarded.http.delete(f"/api/v1/sync/cancel/{sync_id}")
    await guarded.http.delete(f"/api/v1/sync/cancel/{sync_id}")
    cliniko.gate.open()
    await guarded.ask(f'mutation {{ disconnectCliniko(organizationId: "{OURS}") {{ ok }} }}')
    await guarded.runtime.connections.rotate_keys(LOCAL_OPERATOR)
    entries = await guarded.runtime.audit.entries(100)
    assert [(one.action, one.organization_id, one.subject, one.address, one.sync_id) for one in entries] == [
        ("rotate", None, "command line", None, None),
        ("disconnect", OURS, "user_ann", "127.0.0.1", None),
        ("cancel", OURS, "user_ann", "127.0.0.1", sync_id),
        ("start", OURS, "user_ann", "127.0.0.1", sync_id),
        ("connect", OURS, "command line", None, None),
    ]
    assert {one.outcome for one in entries} == {"DONE"}


async def test_refusals_are_noted(guarded: Server, issuer: Issuer):
    """Strangers, other organizations and missing rights, on every transport, with the address behind a proxy."""
    member = issuer.token(OURS, subject="user_bob")
    behind = {"X-Forwarded-For": "203.0.113.5"}
    async with httpx.AsyncClient(base_url=guarded.url, timeout=LIMIT_SECONDS) as http:
        await http.get(f"/api/v1/sync/dashboard/{OURS}", headers=behind)
        await http.get(f"/api/v1/sync/dashboard/{THEIRS}", headers=bearer(member))
        disconnect = {"query": f'mutation {{ disconnectCliniko(organizationId: "{OURS}") {{ ok }} }}'}
        await http.post("/graphql", json=disconnect, headers=bearer(member) | behind)
        await http.get("/api/v1/sync/stream/sync_x?token=none")
    async with open_socket(guarded, init=False) as socket:
        await socket.send({"type": "connection_init", "payload": bearer(issuer.token(None))})
        await socket.closed()
    await _seen(
        guarded,
        [
            ("ask", "UNAUTHENTICATED", None, None, "203.0.113.5"),
            ("ask", "UNAUTHENTICATED", None, None, "127.0.0.1"),
            ("ask", "FORBIDDEN", None, None, "127.0.0.1"),
            ("read", "FORBIDDEN", THEIRS, "user_bob", "127.0.0.1"),
            ("disconnect", "FORBIDDEN", OURS, "user_bob", "203.0.113.5"),
        ],
    )


async def test_a_flood_of_refusals_is_a_few_rows(guarded: Server, monkeypatch: pytest.MonkeyPatch):
    """Equal ones are counted, and beyond some hundred kinds all others together; none is lost at the end."""
    monkeypatch.setattr(audit, "MOST_KINDS", 10)
    async with httpx.AsyncClient(base_url=guarded.url, timeout=LIMIT_SECONDS) as http:

        async def knock(address: str) -> None:
            answer = await http.get("/api/v1/sync/dashboard/org_1", headers={"X-Forwarded-For": address})
            assert answer.status_code == 401

        await asyncio.gather(*(knock("203.0.113.1") for _ in range(50)))
        await asyncio.gather(*(knock(f"198.51.100.{number}") for number in range(30)))
    await guarded.runtime.audit.close()
    entries: list[Any] = await guarded.runtime.audit.entries(1000)
    assert sum(one.times for one in entries) == 80
    assert len(entries) <= 25


async def test_one_organization_is_erased_with_its_audit_log(guarded: Server, issuer: Issuer, cliniko: Cliniko):
    """Nothing of it is left, and other organizations keep theirs."""
    for organization in (OURS, THEIRS):
        await guarded.connect_organization(cliniko.base_url, EMULATED_API_KEY, organization)
    await guarded.runtime.connections.erase(LOCAL_OPERATOR, OURS)
    assert await guarded.runtime.audit.entries(100, OURS) == []
    assert [one.action for one in await guarded.runtime.audit.entries(100, THEIRS)] == ["connect"]
