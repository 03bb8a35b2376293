"""The audit log records changes and refusals, with the person, the time and the address."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.audit import add_to, insert_audit, insert_one
from routiq_gql.database.audit_rows import AuditValues
from routiq_gql.emulator import EMULATED_API_KEY, Issuer
from routiq_gql.errors import Forbidden, StorageError, Unauthenticated
from routiq_gql.runtime import Runtime
from routiq_gql.security import audit, audited_reads, audited_refusals, flushing
from routiq_gql.security.audit import Action
from routiq_gql.security.refusals import Refusal, Rows
from routiq_gql.security.viewer import ALL_RIGHTS, LOCAL_OPERATOR, Right, Viewer
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.issuing import OURS, THEIRS, bearer, jwt_settings, use_token
from tests.server import Server, open_socket
from tests.waiting import LIMIT_SECONDS

Seen = tuple[str, str, str | None, str | None, str | None]


async def _seen(server: Server, expected: Collection[Seen]) -> list[audit.AuditEntry]:
    """All entries, as soon as they include the expected entries."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            entries = await server.runtime.audit.entries(1000)
            found = {(one.action, one.outcome, one.organization_id, one.subject, one.address) for one in entries}
            if set(expected) <= found:
                return entries
            await asyncio.sleep(0.05)


async def _until_rows(log: audit.Audit, number: int) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while len(await log.entries(1000)) < number + 1:  # and the connection
            await asyncio.sleep(0.01)


async def test_changes_are_recorded_with_person_and_address(guarded: Server, issuer: Issuer, cliniko: Cliniko):
    """Start, cancel, connect and other changes are recorded, from API and command line; a joined sync is no change."""
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


async def test_refusals_are_recorded(guarded: Server, issuer: Issuer):
    """Refusals of strangers, foreign organizations and missing rights are recorded, on every transport."""
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
            ("read", "FORBIDDEN", None, "user_bob", "127.0.0.1"),
            ("disconnect", "FORBIDDEN", OURS, "user_bob", "203.0.113.5"),
        ],
    )


async def test_a_flood_of_refusals_is_a_few_rows(guarded: Server, monkeypatch: pytest.MonkeyPatch):
    """Equal refusals are counted together, and so are all beyond some hundred kinds; none is lost at the end."""
    monkeypatch.setattr(audited_refusals, "MOST_KINDS", 10)
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


def _rows(entries: list[audit.AuditEntry], *subjects: str | None) -> list[tuple[str, str, str | None, int]]:
    return [(one.action, one.outcome, one.organization_id, one.times) for one in entries if one.subject in subjects]


async def test_names_that_a_caller_invents_are_not_kept(guarded: Server, issuer: Issuer):
    """Hundreds of invented organizations and guessed syncs are a row each, and hide no other refusal."""
    token = issuer.token(OURS, subject="user_noisy")
    async with httpx.AsyncClient(base_url=guarded.url, headers=bearer(token), timeout=LIMIT_SECONDS) as http:
        for number in range(60):
            assert (await http.get(f"/api/v1/sync/dashboard/org_{number}")).status_code == 403
            assert (await http.get(f"/api/v1/sync/status/sync_{number}")).status_code == 404
        await http.delete("/api/v1/sync/cancel/sync_1")
        disconnect = {"query": f'mutation {{ disconnectCliniko(organizationId: "{OURS}") {{ ok }} }}'}
        assert "errors" in (await http.post("/graphql", json=disconnect)).json()
    await guarded.runtime.audit.close()
    rows = _rows(await guarded.runtime.audit.entries(1000), "user_noisy")
    counted: dict[tuple[str, str, str | None], int] = {}
    for *kind, times in rows:
        counted[tuple(kind)] = counted.get(tuple(kind), 0) + times
    assert counted == {
        ("read", "FORBIDDEN", None): 60,
        ("read", "SYNC_NOT_FOUND", None): 61,
        ("disconnect", "FORBIDDEN", OURS): 1,
    }
    assert len(rows) <= 6, "counted, and written once a minute"


async def test_many_kinds_of_refusal_are_ten_rows_and_the_number_of_others(
    settings: Settings, issuer: Issuer, cliniko: Cliniko
):
    """Further kinds are counted per person and address; those of another person stay separate."""
    rights = {"start_roles": ("none",), "cancel_roles": ("none",), "connect_roles": ("none",)}
    async with Server(jwt_settings(settings, issuer, **rights)) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
        sync_id = (await server.runtime.syncs.start(LOCAL_OPERATOR, OURS)).sync.sync_id
        use_token(server, issuer.token(OURS, subject="user_eve"))
        for name in (OURS, THEIRS):
            for field in ("startSync", "disconnectCliniko", "testConnection"):
                inner = "syncId" if field == "startSync" else "ok"
                await server.ask(f'mutation {{ {field}(organizationId: "{name}") {{ {inner} }} }}')
            await server.ask(f'mutation {{ connectCliniko(organizationId: "{name}", apiKey: "x") {{ ok }} }}')
        await server.http.delete(f"/api/v1/sync/cancel/{sync_id}")
        await server.http.get("/api/v1/sync/status/sync_unknown")
        for _ in range(3):
            assert (await server.http.get(f"/api/v1/sync/dashboard/{THEIRS}")).status_code == 403
        use_token(server, issuer.token(OURS, subject="user_bob"))
        await server.http.get(f"/api/v1/sync/dashboard/{THEIRS}")
        await server.runtime.audit.close()
        entries = await server.runtime.audit.entries(1000)
        rows = _rows(entries, "user_eve")
        assert len({row[:3] for row in rows}) == 11
        assert sum(times for _, outcome, _, times in rows if outcome == "SEVERAL") == 3
        assert {one.address for one in entries if one.subject == "user_eve"} == {"127.0.0.1"}
        assert _rows(entries, "user_bob") == [("read", "FORBIDDEN", None, 1)]


async def test_callers_without_a_name_do_not_hide_those_with_one(guarded: Server, issuer: Issuer):
    """A flood from hundreds of addresses does not hide the refusals of known people."""
    async with httpx.AsyncClient(base_url=guarded.url, timeout=LIMIT_SECONDS) as http:
        for number in range(300):
            behind = {"X-Forwarded-For": f"198.51.{number // 256}.{number % 256}"}
            assert (await http.get("/api/v1/sync/dashboard/org_1", headers=behind)).status_code == 401
        token = issuer.token(OURS, subject="user_bob")
        await http.get(f"/api/v1/sync/dashboard/{THEIRS}", headers=bearer(token))
    await guarded.runtime.audit.close()
    entries = await guarded.runtime.audit.entries(1000)
    assert _rows(entries, "user_bob") == [("read", "FORBIDDEN", None, 1)]
    nameless = [one for one in entries if one.subject is None]
    assert sum(one.times for one in nameless) == 300
    assert len(nameless) < 300


async def test_equal_reads_of_patients_are_one_row_a_minute(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    """A page that reads a list again and again leaves a row with the number of reads and of patients shown."""
    monkeypatch.setattr(flushing, "FLUSH_SECONDS", 0.0)
    ann = Viewer(OURS, subject="user_ann", address="203.0.113.5")
    log = runtime.audit

    async def rows() -> list[tuple[str | None, str | None, int, int | None]]:
        return [(one.subject, one.list, one.times, one.count) for one in await log.entries(100, OURS)]

    await log.read(ann, Action.PATIENTS, OURS, list="active", count=50)
    await _until_rows(log, 1)
    for count in (50, 12):
        await log.read(ann, Action.PATIENTS, OURS, list="active", count=count)
    await log.read(ann, Action.PATIENTS, OURS, count=1)
    await log.read(replace(ann, subject="user_bob"), Action.PATIENTS, OURS, list="active", count=7)
    await log.close()
    assert await rows() == [("user_bob", "active", 1, 7), ("user_ann", None, 1, 1), ("user_ann", "active", 3, 112)]
    (entry, *_) = await log.entries(100, OURS)
    assert (entry.action, entry.outcome, entry.address) == ("patients", "DONE", "203.0.113.5")

    monkeypatch.setattr(audited_reads, "SAME_ROW_SECONDS", -1.0)
    await log.read(ann, Action.PATIENTS, OURS, list="active", count=5)
    await log.close()
    assert (await rows())[0] == ("user_ann", "active", 1, 5), "a row that is a minute old gets no more reads"


async def test_a_read_is_written_again_when_its_row_was_erased(runtime: Runtime):
    """After an organization's erasure its new reads get a new row."""
    ann, log = Viewer(OURS, subject="user_ann"), runtime.audit
    await log.read(ann, Action.PATIENTS, OURS, list="all", count=3)
    await log.close()
    await runtime.connections.erase(LOCAL_OPERATOR, OURS)
    await log.read(ann, Action.PATIENTS, OURS, list="all", count=3)
    await log.close()
    assert [(one.list, one.times, one.count) for one in await log.entries(100, OURS)] == [("all", 1, 3)]


async def test_reads_are_not_lost_while_the_audit_log_can_not_be_written(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
):
    """Reads wait in memory, up to a limit; beyond it patients are not shown without a record."""
    monkeypatch.setattr(audited_reads, "MOST_WAITING", 3)
    database, log = runtime.database, runtime.audit
    reads = log._reads

    @asynccontextmanager
    async def full() -> AsyncIterator[AsyncConnection]:
        raise StorageError("The disk is full.")
        yield

    monkeypatch.setattr(reads, "_database", SimpleNamespace(writing=full))
    for number in range(3):
        await log.read(Viewer(OURS, subject=f"user_{number}"), Action.PATIENTS, OURS, list="all", count=1)
    with pytest.raises(StorageError):
        await log.read(Viewer(OURS, subject="user_3"), Action.PATIENTS, OURS, list="all", count=1)
    await log.read(Viewer(OURS, subject="user_0"), Action.PATIENTS, OURS, list="all", count=1)
    monkeypatch.setattr(reads, "_database", database)
    await log.close()
    assert {(one.subject, one.times) for one in await log.entries(100, OURS)} == {
        ("user_0", 2),
        ("user_1", 1),
        ("user_2", 1),
    }


@pytest.mark.parametrize("action", [Action.PATIENTS, Action.EXPORT])
async def test_reading_patients_needs_a_right_and_a_good_token(runtime: Runtime, action: Action):
    """No other organization, no stream token, no member without the right, and no lapsed session reads patients."""
    log, member = runtime.audit, Viewer(OURS, frozenset({Right.PATIENTS}), "user_ann")
    log.require(member, OURS, action)
    log.require(LOCAL_OPERATOR, OURS, action)
    refused = [
        (replace(member, organization_id=THEIRS), Forbidden),
        (replace(member, sync_id="sync_org_ours_20241222_143022"), Forbidden),
        (replace(member, rights=ALL_RIGHTS - {Right.PATIENTS}), Forbidden),
        (replace(member, has_lapsed=True), Unauthenticated),
    ]
    for viewer, kind in refused:
        with pytest.raises(kind) as error:
            log.require(viewer, OURS, action)
        if Right.PATIENTS not in viewer.rights:
            assert "read patients" in error.value.message
            assert "ROUTIQ_PATIENT_ROLES" in error.value.message
    await log.close()
    assert sum(one.times for one in await log.entries(100) if one.action == action) == len(refused)


def test_memory_for_refusals_is_bounded():
    """The number of rows kept apart is limited over all addresses; each person has at least one."""
    rows = Rows(50)
    kept: set[Refusal] = set()
    for number in range(1000):
        for subject in (None, "one", f"person {number}"):
            address = f"10.0.{number // 250}.{number % 250}"
            kept.add(rows.row_for(Refusal("read", "FORBIDDEN", None, subject, address)))
    assert len(kept) == len(rows)
    assert len(kept) <= 101
    assert Refusal("ask", "SEVERAL", None, "one", None) in kept
    assert sum(1 for one in kept if one.subject is None) <= 27


@pytest.mark.parametrize(
    ("said", "noted"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("203.0.113.5:4711", "203.0.113.5"),
        ("[2001:DB8::0:1]:4711", "2001:db8::1"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("fe80::1%" + "x" * 2000, "fe80::1"),
        ("unknown", None),
        ("<script>alert(1)</script>", None),
        ("x" * 5000, None),
    ],
)
async def test_an_address_is_an_address(guarded: Server, said: str, noted: str | None):
    """An invalid X-Forwarded-For does not get into the audit log."""
    answer = await guarded.http.get(
        f"/api/v1/sync/dashboard/{OURS}", headers={"X-Forwarded-For": said, "Authorization": "Bearer garbage"}
    )
    assert answer.status_code == 401
    await guarded.runtime.audit.close()
    assert [one.address for one in await guarded.runtime.audit.entries(10)] == [noted]


@pytest.mark.both_databases
async def test_stream_tokens_too_many_starts_and_erasures_are_noted(
    settings: Settings, issuer: Issuer, cliniko: Cliniko
):
    """Creating tokens, using up the clinic's quota and erasing data are recorded."""
    async with Server(jwt_settings(settings, issuer, starts_per_minute=1)) as server:
        use_token(server, issuer.token(OURS, subject="user_ann", role="admin"))
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
        sync_id = await server.start_sync(OURS)
        await server.until_ended(sync_id)
        made = await server.ask("mutation ($id: ID!) { createStreamToken(syncId: $id) { token } }", id=sync_id)
        assert "errors" not in made
        for _ in range(2):
            assert (await server.http.post(f"/api/v1/sync/start/{OURS}")).status_code == 429
        expected = [
            ("start", "DONE", OURS, "user_ann", "127.0.0.1"),
            ("stream_token", "DONE", OURS, "user_ann", "127.0.0.1"),
            ("start", "RATE_LIMITED", OURS, "user_ann", "127.0.0.1"),
        ]
        entries = await _seen(server, expected)
        assert next(one.sync_id for one in entries if one.action == "stream_token") == sync_id
        await server.runtime.audit.close()
        for _ in range(2):
            await server.runtime.connections.erase(LOCAL_OPERATOR, OURS)
        entries = await server.runtime.audit.entries(1000)
        assert [(one.action, one.organization_id, one.subject) for one in entries] == [
            ("erase", None, "command line"),
            ("erase", None, "command line"),
        ]


async def test_one_organization_is_erased_with_its_audit_log(guarded: Server, issuer: Issuer, cliniko: Cliniko):
    """After an erasure the log only says that an organization was erased, when and by whom; other entries stay."""
    for organization in (OURS, THEIRS):
        await guarded.connect_organization(cliniko.base_url, EMULATED_API_KEY, organization)
    await guarded.runtime.connections.erase(LOCAL_OPERATOR, OURS)
    assert await guarded.runtime.audit.entries(100, OURS) == []
    newest = (await guarded.runtime.audit.entries(100))[0]
    assert (newest.action, newest.outcome, newest.organization_id, newest.subject) == (
        "erase",
        "DONE",
        None,
        "command line",
    )
    assert [one.action for one in await guarded.runtime.audit.entries(100, THEIRS)] == ["connect"]


async def test_a_refusal_is_written_once_when_the_server_stops_meanwhile(
    guarded: Server, monkeypatch: pytest.MonkeyPatch
):
    """A server stop during the commit of refusals neither loses nor doubles one."""
    monkeypatch.setattr(flushing, "FLUSH_SECONDS", 0.0)
    database, is_committed = guarded.runtime.database, asyncio.Event()

    @asynccontextmanager
    async def slowly() -> AsyncIterator[AsyncConnection]:
        async with database.writing() as connection:
            yield connection
        is_committed.set()
        await asyncio.sleep(0.2)  # the task learns of the commit later

    refusals = guarded.runtime.audit._refusals
    monkeypatch.setattr(refusals, "_database", SimpleNamespace(writing=slowly))
    await guarded.http.get("/api/v1/sync/dashboard/org_1")
    async with asyncio.timeout(LIMIT_SECONDS):
        await is_committed.wait()
    await guarded.runtime.audit.close()
    monkeypatch.setattr(refusals, "_database", database)
    entries = await guarded.runtime.audit.entries(10)
    assert [(one.outcome, one.times) for one in entries] == [("FORBIDDEN", 1)]


@pytest.mark.both_databases
async def test_entries_are_shown_in_the_order_of_writing(runtime: Runtime):
    """A read that was repeated stays where its first time was written: times may come from a clock that was wrong."""
    start = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)

    def row(minutes: int, subject: str) -> AuditValues:
        return {
            "time": start + timedelta(minutes=minutes), "action": "patients", "outcome": "DONE", "times": 1,
            "organization_id": "org_audit", "subject": subject, "address": None, "list": "active", "count": 2,
        }  # fmt: skip

    async with runtime.database.writing() as connection:
        repeated = await insert_one(connection, row(0, "ann"))
        await insert_audit(connection, [row(1, "ben"), row(1, "cleo")])
        assert await add_to(connection, repeated, row(2, "ann"))
    entries = await runtime.audit.entries(10, "org_audit")
    assert [(one.subject, one.times) for one in entries] == [("cleo", 1), ("ben", 1), ("ann", 2)]
    assert [one.subject for one in await runtime.audit.entries(2, "org_audit")] == ["cleo", "ben"]
