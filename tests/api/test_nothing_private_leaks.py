"""No output contains names, addresses, numbers, clinical text or keys."""

import base64
import gc
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Clinic, Fault, FaultKind, generated_clinic
from routiq_gql.logs import configure_logging
from routiq_gql.settings import Settings
from routiq_gql.sync import pipeline
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import DASHBOARD, HISTORY, STATUS
from tests.organization import ORGANIZATION
from tests.server import Server, open_socket

KEY = EMULATED_API_KEY.rpartition("-")[0]
HEADERS = {base64.b64encode(f"{key}:".encode()).decode() for key in (KEY, EMULATED_API_KEY)}
"""The key in the form of an Authorization header."""


@pytest.fixture(autouse=True)
def _everything_is_logged(settings: Settings) -> Iterator[None]:
    """All log lines, down to DEBUG, go to standard error, as on a server."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(settings.model_copy(update={"log_level": "DEBUG", "log_format": "json"}))
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def private_in(text: str, clinic: Clinic) -> set[str]:
    """The planted secrets in a text, plain or escaped as in JSON."""
    secrets = clinic.secrets().all() | {KEY, "Robin Harbour", "robin@clinic.example"} | HEADERS
    found = {secret for secret in secrets if secret in text}
    escaped = {secret: json.dumps(secret)[1:-1] for secret in secrets - found}
    return found | {secret for secret, form in escaped.items() if form != secret and form in text}


async def everything_told(server: Server, sync_id: str) -> str:
    """All responses of GraphQL and REST about a sync and its organization."""
    told = [
        (await server.http.get(f"/api/v1/sync/{path}")).text
        for path in (f"status/{sync_id}", f"dashboard/{ORGANIZATION}", f"history/{ORGANIZATION}", f"stream/{sync_id}")
    ]
    log = "query ($id: ID!) { syncStatus(syncId: $id) { log(after: 0) { message } failure { message whatToDo } } }"
    for query, one in ((STATUS, sync_id), (log, sync_id), (DASHBOARD, ORGANIZATION), (HISTORY, ORGANIZATION)):
        told.append(json.dumps(await server.ask(query, id=one), ensure_ascii=False))
    async with open_socket(server) as socket:
        await socket.subscribe("subscription ($id: ID!) { syncLog(syncId: $id) { message } }", id=sync_id)
        told.append(json.dumps(await socket.results(), ensure_ascii=False))
    return "\n".join(told)


async def test_the_search_finds_planted_data(cliniko: Cliniko):
    """The search itself works: it finds names, addresses and clinical text in Cliniko's responses."""
    clinic = cliniko.emulator.clinic = generated_clinic(120, utc_now())
    person = clinic.person(clinic.patients.ids()[0])
    assert person.notes in private_in(json.dumps({"row": [person.notes]}), clinic)
    assert HEADERS & private_in(f"Basic {next(iter(HEADERS))}", clinic)
    assert len(clinic.secrets().all()) > 300


@pytest.mark.sqlite_only  # it reads the file
async def test_a_good_sync_reveals_nothing_private(
    server: Server, cliniko: Cliniko, capsys: pytest.CaptureFixture[str]
):
    """Logs, progress and figures reveal nothing about a patient; clinical text is not even stored."""
    clinic = cliniko.emulator.clinic = generated_clinic(120, utc_now())
    sync_id = await server.start_sync()
    assert (await server.until_ended(sync_id))["status"] == "completed"
    assert private_in(await everything_told(server, sync_id), clinic) == set()
    logged = capsys.readouterr().err
    assert "sync_ended" in logged
    assert private_in(logged, clinic) == set()
    stored = b"".join(file.read_bytes() for file in server.runtime.database.path.parent.glob("routiq.db*"))
    assert b"@patients.example" in stored, "names and addresses are stored, and this is where"
    for text in (*clinic.secrets().clinical, KEY, *HEADERS):
        assert text.encode() not in stored


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind not in {FaultKind.HANG, FaultKind.RATE_LIMIT}])
async def test_a_failing_sync_reveals_nothing_private(
    server: Server, cliniko: Cliniko, kind: FaultKind, capsys: pytest.CaptureFixture[str]
):
    """No reason, log line or error repeats patients' data from an unreadable response."""
    clinic = cliniko.emulator.clinic = generated_clinic(120, utc_now())
    for resource in ("patients", "individual_appointments"):
        cliniko.emulator.faults.clear()
        refused = "archived_at" if kind is FaultKind.REFUSE_FILTER else ""
        fault = Fault(kind, resource, times=None, only_above_per_page=1, seconds=0.01, filter=refused)
        cliniko.emulator.faults.add(fault)
        sync_id = await server.start_sync()
        await server.until_ended(sync_id)
        assert private_in(await everything_told(server, sync_id), clinic) == set()
    gc.collect()  # unclosed resources cause warnings only now
    logged = capsys.readouterr()
    assert "sync_ended" in logged.err
    assert private_in(logged.err + logged.out, clinic) == set()


async def test_an_internal_error_reveals_nothing_private(
    server: Server, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """An exception with patients' data becomes a reference for the client; the log has only its kind and place."""
    clinic = cliniko.emulator.clinic = generated_clinic(120, utc_now())
    everything = " ".join(sorted(clinic.secrets().all()))

    async def broken(*_: object) -> None:
        raise RuntimeError(everything)

    monkeypatch.setattr(pipeline, "analyze_slice", broken)
    sync_id = await server.start_sync()
    assert (await server.until_ended(sync_id))["failure"]["code"] == "INTERNAL"
    monkeypatch.setattr(server.runtime.syncs, "dashboard", broken)
    refused = await server.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}")
    assert refused.status_code == 500
    masked = await server.ask(DASHBOARD, id=ORGANIZATION)
    told = refused.text + json.dumps(masked) + json.dumps(await server.status(sync_id))
    assert private_in(told, clinic) == set()
    logged = capsys.readouterr().err
    assert "RuntimeError" in logged
    assert private_in(logged, clinic) == set()
