"""The whole log of a sync: complete, in order, as JSON and as text, and never a burden for others."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from routiq_gql.api.rest.log import json_lines, text_lines
from routiq_gql.api.rest.log_objects import LogEntry
from routiq_gql.database.syncs import insert_sync
from routiq_gql.database.tables import LOG, SYNC
from routiq_gql.emulator import EMULATED_API_KEY, Issuer
from routiq_gql.metrics import REGISTRY
from routiq_gql.settings import Settings
from routiq_gql.sync import whole_log
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import LogLevel, LogLine, SyncMode, SyncState, SyncStep
from tests.emulated_cliniko import Cliniko
from tests.issuing import OURS, THEIRS
from tests.server import Server
from tests.waiting import until

BEGIN = datetime(2026, 11, 26, 10, 0, 0, 123000, tzinfo=UTC)
PATH = "/api/v1/sync/log/"
MANY = 3 * whole_log.PART_LINES + 1

lines = st.lists(
    st.builds(
        LogLine,
        sync_id=st.just("sync_a"),
        seq=st.integers(1, 10_000),
        time=st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        level=st.sampled_from(LogLevel),
        step=st.sampled_from(SyncStep),
        message=st.text(st.characters(codec=None)),
    )
)


async def store_log(server: Server, count: int, message: str = "Fetched page {}", organization: str = "org_1") -> str:
    """An ended sync with so many log lines."""
    async with server.runtime.database.writing() as connection:
        row = await insert_sync(connection, organization, first_values(SyncMode.FULL, BEGIN))
        assert row is not None
        ended = {"status": SyncState.FAILED.value, "completed_at": BEGIN, "last_log_seq": count}
        await connection.execute(update(SYNC).where(SYNC.c.key == row.key).values(**ended))
        rows = [
            {
                "sync_key": row.key,
                "seq": seq,
                "time": BEGIN + timedelta(seconds=seq),
                "level": ("info", "warning")[seq % 2],
                "step": 4,
                "message": message.format(seq),
            }
            for seq in range(1, count + 1)
        ]
        await connection.execute(insert(LOG), rows)
    return row.sync_id


async def read_log(server: Server, sync_id: str, **parameters: Any) -> dict[str, Any]:
    answer = await server.http.get(PATH + sync_id, params=parameters)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_the_log_has_the_lines_of_the_stream(server: Server):
    """Each line of a sync is in its log, with the keys of the stream's events."""
    async with server.stream(await server.start_sync()) as stream:
        events = [event async for event in stream]
    streamed = [event.json for event in events if event.name == "log"]
    sync_id = streamed[0]["sync_id"]
    answer = await server.http.get(PATH + sync_id)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert "content-disposition" not in answer.headers
    log = answer.json()
    assert list(log) == ["sync_id", "last_seq", "lines"]
    assert [{"sync_id": sync_id, **line} for line in log["lines"]] == streamed
    assert (log["sync_id"], log["last_seq"]) == (sync_id, len(streamed))


async def test_the_text_has_a_line_per_entry(bare_server: Server):
    """The text has time, level, step and message; a message with line breaks stays on one line."""
    sync_id = await store_log(bare_server, 2, "Page {}\nof\r\n9 “quoted”")
    answer = await bare_server.http.get(PATH + sync_id, params={"format": "text"})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == (
        "2026-11-26T10:00:01.123Z  WARNING  FETCHING_PATIENTS  Page 1 of 9 “quoted”\n"
        "2026-11-26T10:00:02.123Z  INFO  FETCHING_PATIENTS  Page 2 of 9 “quoted”\n"
    )


@given(lines)
def test_any_message_is_written_as_json_and_on_one_line(lines: list[LogLine]):
    """No message breaks the file, whatever characters it has."""
    shown = json.loads(b"[%b]" % json_lines(lines))
    expected = [LogEntry.model_validate(line).model_dump() for line in lines]
    for line in expected:
        line["message"] = line["message"].encode("utf-8", "replace").decode()
    assert shown == expected
    text = text_lines(lines).decode()
    assert len(text.splitlines()) == text.count("\n") == len(lines)


@pytest.mark.both_databases
@pytest.mark.parametrize("after", [0, 1, whole_log.PART_LINES, MANY - 1, MANY, MANY + 5])
async def test_a_long_log_is_complete_from_any_line_on(bare_server: Server, after: int):
    """A log of many parts has every line once and in order, from the start or after a line."""
    sync_id = await store_log(bare_server, MANY)
    log = await read_log(bare_server, sync_id, after=after)
    assert [line["seq"] for line in log["lines"]] == list(range(after + 1, MANY + 1))
    assert log["last_seq"] == MANY
    text = (await bare_server.http.get(PATH + sync_id, params={"format": "text", "after": after})).text
    assert text.count("\n") == len(log["lines"])


async def test_a_download_has_a_file_name(bare_server: Server):
    """With `download=1` a browser saves the log under the sync's id."""
    sync_id = await store_log(bare_server, 1)
    for form, extension in (("json", "json"), ("text", "txt")):
        answer = await bare_server.http.get(PATH + sync_id, params={"format": form, "download": "1"})
        assert answer.headers["content-disposition"] == f'attachment; filename="{sync_id}.log.{extension}"'


async def test_a_running_sync_has_the_lines_so_far(server: Server, cliniko: Cliniko):
    """The log of a running sync ends with the newest line, and later has more."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    before = await read_log(server, sync_id)
    assert [line["seq"] for line in before["lines"]] == list(range(1, before["last_seq"] + 1))
    cliniko.gate.open()
    await server.until_ended(sync_id)
    after = await read_log(server, sync_id, after=before["last_seq"])
    assert after["lines"][0]["seq"] == before["last_seq"] + 1
    assert after["lines"][-1]["message"] == "Sync completed successfully!"


async def test_a_log_whose_retention_has_ended_is_empty(bare_server: Server):
    """After the lines were deleted, the log is empty and not an error."""
    sync_id = await store_log(bare_server, 9)
    async with bare_server.runtime.database.writing() as connection:
        await connection.execute(delete(LOG))
    assert await read_log(bare_server, sync_id) == {"sync_id": sync_id, "last_seq": 9, "lines": []}


@pytest.mark.parametrize(
    "parameters",
    [{"format": "xml"}, {"after": "-1"}, {"after": "1.5"}, {"after": "9" * 12}, {"after": "٣"}, {"download": "yes"}],
)
async def test_a_wrong_parameter_is_refused_with_its_name(bare_server: Server, parameters: dict[str, str]):
    """The refusal names the parameter and its documented form."""
    answer = await bare_server.http.get(PATH + await store_log(bare_server, 1), params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_USER_INPUT")
    assert f"“{next(iter(parameters))}”" in answer.json()["detail"]


async def test_other_methods_and_unknown_syncs_are_refused(bare_server: Server):
    """HEAD has the headers only, other methods are not supported, and an unknown sync is not found."""
    sync_id = await store_log(bare_server, 1)
    head = await bare_server.http.head(PATH + sync_id, params={"download": "1"})
    assert (head.status_code, head.content, "content-disposition" in head.headers) == (200, b"", True)
    assert (await bare_server.http.post(PATH + sync_id)).status_code == 405
    for unknown in ("sync_org_1_20200101_000000", "nothing", "sync_%00"):
        answer = await bare_server.http.get(PATH + unknown)
        assert (answer.status_code, answer.json()["code"]) == (404, "SYNC_NOT_FOUND")


async def test_only_the_organization_and_its_stream_tokens_read_a_log(
    guarded: Server, issuer: Issuer, cliniko: Cliniko
):
    """Another organization's log is not found; a stream token reads the log of its own sync and of no other."""
    await guarded.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
    other = await store_log(guarded, 3, organization=OURS)
    foreign = await store_log(guarded, 3, organization=THEIRS)
    cliniko.gate.hold("patients")
    sync_id = await guarded.start_sync(OURS)
    await cliniko.gate.reached()
    assert (await read_log(guarded, sync_id))["lines"]
    assert (await guarded.http.get(PATH + foreign)).status_code == 404
    made = await guarded.ask("mutation ($id: ID!) { createStreamToken(syncId: $id) { token } }", id=sync_id)
    token = made["data"]["createStreamToken"]["token"]
    async with httpx.AsyncClient(base_url=guarded.url, verify=False) as nobody:  # no TLS here
        assert (await nobody.get(PATH + sync_id)).status_code == 401
        assert (await nobody.get(PATH + sync_id, params={"token": token + "x"})).status_code == 401
        answer = await nobody.get(PATH + sync_id, params={"token": token})
        assert answer.json()["lines"]
        assert (await nobody.get(PATH + other, params={"token": token})).status_code == 404
        assert (await nobody.get(PATH + foreign, params={"token": token})).status_code == 404
    cliniko.gate.open()
    await guarded.until_ended(sync_id)


@pytest.fixture
async def impatient(settings: Settings) -> AsyncIterator[Server]:
    """A server that lets an organization do one thing at a time, and that waits half a second for a reader."""
    tuned = settings.model_copy(update={"send_timeout": 0.5, "max_operations": 1})
    async with Server(tuned) as server:
        yield server


def _deaf_request(server: Server, path: str) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    address = urlsplit(server.url)
    connection.connect((address.hostname, address.port))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return connection


def _dropped() -> float:
    return REGISTRY.get_sample_value("routiq_peers_dropped_total", {"transport": "download"}) or 0


async def test_a_client_that_reads_nothing_is_disconnected_and_holds_no_transaction(
    impatient: Server, monkeypatch: pytest.MonkeyPatch
):
    """A stalled download occupies one operation of its organization, no database connection, and ends by itself."""
    sync_id = await store_log(impatient, 3_000, "x" * 2_000 + "{}")
    before = _dropped()
    pool = impatient.runtime.database._engine.sync_engine.pool
    with _deaf_request(impatient, PATH + sync_id):
        admission = impatient.services.admission
        await until(lambda: admission.executing == 1)
        assert not admission.has_room("org_1")
        await until(lambda: pool.checkedout() == 0)  # type: ignore[attr-defined]
        await until(lambda: _dropped() == before + 1)
        await until(lambda: admission.executing == 0)
    assert pool.checkedout() == 0  # type: ignore[attr-defined]
    assert len((await read_log(impatient, sync_id))["lines"]) == 3_000


async def test_a_client_that_leaves_ends_its_download(impatient: Server):
    """After a client has left, nothing more is read for it."""
    sync_id = await store_log(impatient, 3_000, "x" * 2_000 + "{}")
    connection = _deaf_request(impatient, PATH + sync_id)
    await until(lambda: impatient.services.admission.executing == 1)
    connection.close()
    await until(lambda: impatient.services.admission.executing == 0)


async def test_a_log_that_can_not_be_read_to_its_end_is_cut_off(bare_server: Server, monkeypatch: pytest.MonkeyPatch):
    """If the database fails in the middle, the client gets an error, and no file that looks whole."""
    sync_id = await store_log(bare_server, MANY)
    read, calls = whole_log.log_after, 0

    async def failing(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise OSError
        return await read(*arguments)

    monkeypatch.setattr(whole_log, "log_after", failing)
    for form in ("json", "text"):
        calls = 0
        with pytest.raises(httpx.RemoteProtocolError, match=re.escape("incomplete chunked read")):
            await bare_server.http.get(PATH + sync_id, params={"format": form})


async def test_many_downloads_at_once_are_all_complete(bare_server: Server):
    """Ten people who open the same log get it whole."""
    sync_id = await store_log(bare_server, MANY)
    logs = await asyncio.gather(*(read_log(bare_server, sync_id) for _ in range(10)))
    assert all(len(log["lines"]) == MANY for log in logs)
