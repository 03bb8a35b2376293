"""The table of a command and its JSON have the same values: nothing known is left out, and nothing unknown made up."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from routiq_gql.cli import audit as audit_command
from routiq_gql.cli import connections as connections_command
from routiq_gql.cli import history as history_command
from routiq_gql.cli import status as status_command
from routiq_gql.cli import webhooks as webhooks_command
from routiq_gql.cli.times import duration_text, local_time
from routiq_gql.clock import format_time
from routiq_gql.connections.state import ConnectionInfo, ConnectionProblem, ConnectionState
from routiq_gql.organizations.listing import OrganizationState
from routiq_gql.security.audit import Action, AuditEntry
from routiq_gql.sync.change_counts import ChangeCounts
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from routiq_gql.sync.receipt import Receipt
from routiq_gql.webhooks.model import Delivery, DeliveryState, EventType, PastAttempt
from tests.cli.conftest import Command
from tests.receipts import AGREES, DIFFERS, IN_PART
from tests.snapshots import SNAPSHOT

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
VALUES: dict[str, tuple[Any, ...]] = {
    "times": (1, 12),
    "organization_id": (None, "org_1"),
    "subject": (None, "user_7"),
    "address": (None, "192.0.2.1"),
    "sync_id": (None, "sync_1"),
    "token_id": (None, "3f9a0c52"),
    "list": (None, "lapsed"),
    "count": (None, 0, 1, 1_337),
    "webhook_id": (None, "hook_1"),
    "webhook_host": ("example.com",),
}


def _both(command: Command, *arguments: str) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    headings, *lines = [line.split("\t") for line in command(*arguments).out.splitlines()]
    return [dict(zip(headings, one, strict=True)) for one in lines], json.loads(command(*arguments, "--json").out)


def test_an_entry_of_the_audit_log(command: Command, monkeypatch: pytest.MonkeyPatch):
    """Each value is in its column, also a read of no patient, and an unknown one is an empty cell."""
    assert {one.name for one in fields(AuditEntry)} == {*VALUES, "time", "action", "outcome"}
    usual = AuditEntry(NOW, Action.START, "DONE", **{name: values[-1] for name, values in VALUES.items()})
    entries = [replace(usual, **{name: value}) for name, values in VALUES.items() for value in values]

    async def read(*_: object) -> list[AuditEntry]:
        return entries

    monkeypatch.setattr(audit_command, "_entries", read)
    rows, objects = _both(command, "audit")
    columns = {"who": "subject", "from": "address", "sync": "sync_id", "token": "token_id", "patients": "count"}
    for row, one, entry in zip(rows, objects, entries, strict=True):
        hook = f"{one.pop('webhook_id')} {one.pop('webhook_host')}"
        assert row.pop("webhook") == (hook if entry.webhook_id else "")
        assert datetime.strptime(row.pop("time"), "%Y-%m-%d %H:%M:%S %z") == NOW
        assert one.pop("time") == format_time(NOW)
        assert one == {name: getattr(entry, name) for name in one}
        for heading, cell in row.items():
            name = columns.get(heading, "organization_id" if heading == "organization" else heading)
            assert cell == ("" if one[name] is None else str(one[name])), heading


def _states() -> list[OrganizationState]:
    """Organizations in every state of the connection, of the last sync and of its receipt."""
    success = replace(SNAPSHOT, status=SyncState.COMPLETED, completed_at=NOW - timedelta(hours=1))
    receipts: tuple[Receipt | None, ...] = (None, AGREES, DIFFERS, IN_PART)
    changes = (None, ChangeCounts(3, 1, 0, 0, 2, 1))
    successes: list[SyncSnapshot | None] = [
        None,
        *(
            replace(success, receipt=receipt, changes=change, mode=mode)
            for receipt, change, mode in product(receipts, changes, (SyncMode.FULL, SyncMode.INCREMENTAL))
        ),
    ]
    problem = ConnectionProblem("KEY_REFUSED", "Cliniko refused the API key.", "Connect it again.")
    found = []
    for number, (last, state, current) in enumerate(product(successes, ConnectionState, (None, SNAPSHOT))):
        shown = problem if state is ConnectionState.NEEDS_ATTENTION else None
        connection = ConnectionInfo(f"org_{number}", state, "au1", None, None, None, shown)
        found.append(OrganizationState(f"org_{number}", connection, current, last, last))
    return found


def test_the_state_of_an_organization(command: Command, monkeypatch: pytest.MonkeyPatch):
    """An unknown agreement is neither yes nor no, and every advice of the table is in the JSON."""
    states = {one.organization_id: one for one in _states()}

    async def read(*_: object) -> list[OrganizationState]:
        return list(states.values())

    monkeypatch.setattr(status_command, "read_organizations", read)
    rows, objects = _both(command, "status")
    assert [row["organization"] for row in rows] == [one["organization_id"] for one in objects]
    assert {one["organization_id"] for one in objects} == set(states)
    same: dict[str, Callable[[dict[str, Any]], object]] = {
        "what to do": lambda one: one["what_to_do"] or "",
        "last failure": lambda one: one["failure_code"] or "",
    }
    for row, one in zip(rows, objects, strict=True):
        last = states[one["organization_id"]].last_success
        receipt = last.receipt if last is not None else None
        assert one["agrees"] is (receipt.agrees if receipt is not None else None)
        assert ("agrees" in row["receipt"]) is (one["agrees"] is True)
        assert ("differs" in row["receipt"]) is (one["agrees"] is False)
        assert one["mode"] == (last.mode.value if last is not None else None)
        assert (row["receipt"] == "") is (last is None)
        assert ("(stale)" in row["last success"]) is one["stale"]
        assert {heading: row[heading] for heading in same} == {heading: read(one) for heading, read in same.items()}
        is_idle = one["status"] == "idle"
        assert row["now"] == ("disconnected" if is_idle and one["connection"] == "disabled" else one["status"])


def test_a_connection(command: Command, monkeypatch: pytest.MonkeyPatch):
    """Account, role and place in Cliniko are in their columns, and an unknown one is an empty cell."""
    connections = [
        ConnectionInfo(f"org_{number}", state, "au1", account, role, None, None)
        for number, (state, account, role) in enumerate(
            product(ConnectionState, (None, "Harbour Street"), (None, "administrator"))
        )
    ]
    success = replace(SNAPSHOT, status=SyncState.COMPLETED, completed_at=NOW)

    async def read(*_: object) -> list[OrganizationState]:
        return [
            OrganizationState(one.organization_id, one, None, last, last)
            for one in connections
            for last in (None, success)
        ]

    monkeypatch.setattr(connections_command, "read_organizations", read)
    rows, objects = _both(command, "connections")
    for row, one in zip(rows, objects, strict=True):
        assert row.pop("last success") == local_time(NOW if one["last_success_at"] else None)
        assert one["last_success_at"] in {None, format_time(NOW)}
        row["organization_id"] = row.pop("organization")
        assert row == {name: one[name] or "" for name in row}
    assert len(rows) == 2 * len(connections)


def test_a_history(command: Command, monkeypatch: pytest.MonkeyPatch):
    """Each figure of a sync is below its heading; a figure of stored patients is that of a completed sync."""
    usual = replace(SNAPSHOT, patients_found=1_641, appointments_found=2_247, active_patients_stored=89)
    ended = {SyncState.COMPLETED, SyncState.FAILED, SyncState.CANCELLED}
    end = usual.started_at + timedelta(seconds=65)
    syncs = [replace(usual, status=one, completed_at=end if one in ended else None) for one in SyncState]

    async def read(*_: object) -> tuple[list[SyncSnapshot], list[object]]:
        return syncs, []

    monkeypatch.setattr(history_command, "_read", read)
    rows, objects = _both(command, "history", "org_1")
    for row, one, sync in zip(rows, objects, syncs, strict=True):
        assert row["sync"] == one["sync_id"] == sync.sync_id
        assert row["patients"] == f"{one['patients_found']:,}" == "1,641"
        assert row["appointments"] == f"{one['appointments_found']:,}" == "2,247"
        assert row["active"] == ("89" if sync.status is SyncState.COMPLETED else "")
        assert row["took"] == ("" if sync.duration_seconds is None else duration_text(65))
        assert row["status"].startswith(sync.status.value)
        assert ("%" in row["status"]) is (one["completed_at"] is None)


def test_a_delivery_and_its_attempts(command: Command, monkeypatch: pytest.MonkeyPatch):
    """The last attempt is not the event, nor its error the status; an unknown value is an empty cell."""
    attempts = (PastAttempt(NOW, None, "No answer.", 0.25), PastAttempt(NOW + timedelta(minutes=5), 503, "Busy.", 1.5))
    made = Delivery(
        *(
            f"dlv_{'1' * 32}",
            f"hook_{'2' * 32}",
            f"evt_{'3' * 32}",
            EventType.SYNC_FAILED,
            "sync_1",
            NOW,
            DeliveryState.PENDING,
            2,
        ),
        *(NOW + timedelta(minutes=5), 503, "Busy.", None, attempts),
    )
    unsent = replace(
        made, attempts=0, last_attempt_at=None, last_status=None, last_error=None, subject=None, attempt_log=()
    )
    found = [replace(one, state=state) for one, state in product((made, unsent), DeliveryState)]
    monkeypatch.setattr(webhooks_command, "_call", lambda *_: found)
    rows, objects = _both(command, "webhooks", "deliveries", "org_1", "hook_1")
    columns = {"about": "subject", "status": "last_status", "error": "last_error"}
    for row, one, delivery in zip(rows, objects, found, strict=True):
        assert row.pop("when") == local_time(NOW, seconds=True)
        last = row.pop("last attempt")
        assert last == (local_time(delivery.last_attempt_at, seconds=True) if one["last_attempt_at"] else "")
        assert {name: cell.lower() for name, cell in row.items()} == {
            name: "" if one[columns.get(name, name)] is None else str(one[columns.get(name, name)]).lower()
            for name in row
        }
    monkeypatch.setattr(webhooks_command, "_call", lambda *_: made)
    rows, objects = _both(command, "webhooks", "attempts", "org_1", "dlv_1")
    for row, one, attempt in zip(rows, objects, attempts, strict=True):
        assert row["began"] == local_time(attempt.at, seconds=True)
        assert one["at"] == format_time(attempt.at)
        assert float(row["seconds"]) == one["duration_seconds"] == attempt.seconds
        assert row["status"] == ("" if one["status"] is None else str(one["status"]))
        assert row["error"] == (one["error"] or "")
