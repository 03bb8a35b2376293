"""The export of a list: complete, of one sync, harmless in a spreadsheet, in flat memory, cut off if it fails."""

import asyncio
import csv
import gc
import io
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert
from structlog.testing import capture_logs

from routiq_gql.api.rest.patient_files import COLUMNS, FORMULA_STARTS, plain_cell
from routiq_gql.clock import utc_now
from routiq_gql.database.tables import CURRENT, LISTING, PATIENT
from routiq_gql.metrics import REGISTRY
from routiq_gql.patients import export as exporting
from routiq_gql.patients.lists import PatientList
from routiq_gql.security.token_file import TokenFile
from routiq_gql.settings import Settings
from tests.api.rest.test_patients import PATH, get
from tests.issuing import OURS, bearer
from tests.organization import ORGANIZATION
from tests.patients.clinics import NOW, ListedClinic, Person, Visit
from tests.patients.small_clinic import PEOPLE, listed
from tests.server import Server
from tests.waiting import until

EXPORT = f"{PATH}{ORGANIZATION}/export"
Row = dict[str, str]


def rows_of(answer: httpx.Response) -> list[Row]:
    """The rows of a CSV file, as a program reads it."""
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


async def many(server: Server, number: int, organization_id: str = ORGANIZATION) -> ListedClinic:
    """A clinic with so many active patients."""
    clinic = ListedClinic(server.runtime.database, organization_id)
    people = (
        Person(one, f"First {one % 7}", f"Last {one % 13}", email=f"p{one}@patients.example", visits=(Visit(one, NOW),))
        for one in range(1, number + 1)
    )
    await clinic.sync(people, completed_at=utc_now())
    return clinic


@pytest.mark.both_databases
@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 250])
async def test_an_export_has_every_patient_of_the_list_once_and_in_order(bare_server: Server, number: int):
    """The file has the patients of all pages, in their order, whatever their number."""
    await many(bare_server, number)
    for sort in ("name", "last_appointment_desc"):
        answer = await bare_server.http.get(EXPORT, params={"sort": sort, "list": "active"})
        expected: list[str] = []
        after: str | None = ""
        while after is not None:
            page = await get(bare_server, first=200, after=after, sort=sort)
            expected += [one["cliniko_id"] for one in page["patients"]]
            after = page["next_cursor"]
        assert [row["cliniko_id"] for row in rows_of(answer)] == expected
        assert len(expected) == number == int(answer.headers["x-total-count"])


@pytest.mark.both_databases
async def test_json_lines_are_the_objects_of_the_pages(bare_server: Server):
    """Each line is the patient of REST, in UTC and with unchanged texts."""
    await listed(bare_server)
    answer = await bare_server.http.get(EXPORT, params={"format": "jsonl", "list": "all"})
    assert answer.headers["content-type"] == "application/jsonl"
    shown = [json.loads(line) for line in answer.content.splitlines()]
    assert shown == (await get(bare_server, list="all"))["patients"]
    assert not answer.content.startswith(b"\xef\xbb\xbf")


async def test_csv_is_for_people(bare_server: Server):
    """Excel reads the letters rightly, times are the clinic's, and the reason is beside each patient."""
    await listed(bare_server)
    answer = await bare_server.http.get(EXPORT, params={"search": "zoe"})
    assert answer.content.startswith(b"\xef\xbb\xbf"), "without the mark Excel shows wrong letters"
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = rows_of(answer)
    assert tuple(row) == COLUMNS
    assert (row["name"], row["phone"], row["email"]) == ("Zoë Ångström", "'+61 491 570 156", "zoe@patients.example")
    assert (row["last_appointment"], row["last_appointment_type"]) == ("2026-06-28 19:30", "Pilates class")
    assert (row["next_appointment_practitioner"], row["visits"], row["time_zone"]) == (
        "Tom Ode",
        "2",
        "Australia/Sydney",
    )
    assert row["lists"].split() == ["all", "active", "recent", "upcoming"]
    page = await get(bare_server, search="zoe")
    assert row["why"] == page["patients"][0]["why"]["sentence"]


def _cell_of(key: str, value: Any, patient: dict[str, Any]) -> str:
    """The cell of a column, from the patient's object in JSON."""
    if key in {"last_appointment", "next_appointment", "created", "why_changes"} and value is not None:
        zone = ZoneInfo(patient["time_zone"])
        return datetime.fromisoformat(value).astimezone(zone).strftime("%Y-%m-%d %H:%M")
    return plain_cell("" if value is None else " ".join(value) if isinstance(value, list) else str(value))


@pytest.mark.parametrize("of_list", [one.key for one in PatientList])
async def test_csv_has_the_values_of_json_with_the_times_of_the_clinic(bare_server: Server, of_list: str):
    """Each cell is the value of the patient's object: no other column's, and no other time zone's."""
    await listed(bare_server)
    zone = (await get(bare_server, list=of_list))["time_zone"]
    lines = await bare_server.http.get(EXPORT, params={"format": "jsonl", "list": of_list})
    rows = rows_of(await bare_server.http.get(EXPORT, params={"list": of_list}))
    patients = [json.loads(line) | {"time_zone": zone} for line in lines.content.splitlines()]
    assert len(rows) == len(patients)
    for row, patient in zip(rows, patients, strict=True):
        last, following = patient["last_appointment"] or {}, patient["next_appointment"] or {}
        expected = patient | {
            "created": patient["created_at"],
            "why": patient["why"]["sentence"],
            "why_changes": patient["why"]["changes_at"],
            "last_appointment": last.get("starts_at"),
            "last_appointment_type": last.get("type"),
            "last_appointment_practitioner": (last.get("practitioner") or {}).get("name"),
            "next_appointment": following.get("starts_at"),
            "next_appointment_type": following.get("type"),
            "next_appointment_practitioner": (following.get("practitioner") or {}).get("name"),
        }
        assert row == {key: _cell_of(key, expected[key], patient) for key in COLUMNS}


async def test_the_file_is_named_for_organization_list_and_date(bare_server: Server):
    """A browser saves the file under a name without any person; no cache stores it."""
    await listed(bare_server)
    for form in ("csv", "jsonl"):
        answer = await bare_server.http.get(EXPORT, params={"format": form, "list": "all", "search": "zoe"})
        assert answer.headers["content-disposition"] == f'attachment; filename="{ORGANIZATION}-all-2026-07-01.{form}"'
        assert answer.headers["cache-control"] == "no-store"
    head = await bare_server.http.head(EXPORT)
    assert (head.status_code, head.content, head.headers["x-total-count"]) == (200, b"", "3")
    assert (await bare_server.http.get(EXPORT, params={"format": "xlsx"})).status_code == 422


HARMFUL = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://evil.example")', "＝1", "；=1")


@pytest.mark.both_databases
async def test_no_cell_is_a_formula(bare_server: Server):
    """A name that a patient typed into an online booking can't run in the receptionist's spreadsheet."""
    clinic = ListedClinic(bare_server.runtime.database, ORGANIZATION)
    await clinic.sync(
        Person(number, text, text, preferred_first_name=text, email=text, phone=text, visits=(Visit(number, NOW),))
        for number, text in enumerate(HARMFUL, 1)
    )
    answer = await bare_server.http.get(EXPORT)
    cells = [cell for row in rows_of(answer) for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(FORMULA_STARTS)]
    assert len(rows_of(answer)) == len(HARMFUL)
    lines = await bare_server.http.get(EXPORT, params={"format": "jsonl"})
    assert {json.loads(line)["first_name"] for line in lines.content.splitlines()} == set(HARMFUL), "unchanged there"


@pytest.mark.parametrize("text", ["0491570156", "514810976036290668"])
def test_a_spreadsheet_changes_no_number(text: str):
    """A phone number keeps its leading zero, and a long id all its digits."""
    assert plain_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["0", "12", "0491 570 156", "2026-11-26 14:30", "514810976036290"])
def test_other_numbers_stay_numbers(text: str):
    """Counts can be added up, and times are times."""
    assert plain_cell(text) == text


@given(st.text())
def test_any_text_becomes_a_harmless_cell(text: str):
    """A text keeps its characters; only an apostrophe may come before them."""
    cell = plain_cell(text)
    assert cell in {text, f"'{text}"}
    assert not cell.startswith(FORMULA_STARTS)


@pytest.mark.both_databases
async def test_an_export_stays_on_the_sync_with_which_it_began(bare_server: Server, monkeypatch: pytest.MonkeyPatch):
    """A sync that is published in the middle of an export neither adds, removes nor repeats a patient."""
    monkeypatch.setattr(exporting, "PART_PATIENTS", 10)
    clinic = await many(bare_server, 35)
    async with bare_server.http.stream("GET", EXPORT) as answer:
        pieces = answer.aiter_bytes()
        content = await anext(pieces)
        newer = [Person(one, "New", "Aaa", visits=(Visit(one, NOW),)) for one in range(20, 90)]
        await clinic.sync(newer, completed_at=utc_now())
        async for piece in pieces:
            content += piece
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert sorted(int(row["cliniko_id"]) for row in rows) == list(range(1, 36))
    assert not [row for row in rows if row["first_name"] == "New"]
    earlier = await bare_server.http.get(EXPORT, params={"as_of": clinic.sync_ids[0]})
    assert [row["cliniko_id"] for row in rows_of(earlier)] == [row["cliniko_id"] for row in rows]
    assert len(rows_of(await bare_server.http.get(EXPORT))) == 70


@asynccontextmanager
async def half_read(
    server: Server, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> AsyncIterator[AsyncIterator[bytes]]:
    """An export of many parts whose next parts are read only when the block has let them."""
    gate, opened = asyncio.Event(), asyncio.Event()
    parts = exporting.PatientExports._parts

    async def held(self: Any, *arguments: Any) -> AsyncIterator[Sequence[Any]]:
        async for part in parts(self, *arguments):
            yield part
            opened.set()
            await gate.wait()

    monkeypatch.setattr(exporting, "PART_PATIENTS", 10)
    monkeypatch.setattr(exporting.PatientExports, "_parts", held)
    async with server.http.stream("GET", options.pop("path", EXPORT), **options) as answer:
        assert answer.status_code == 200
        pieces = answer.aiter_bytes()
        await anext(pieces)
        async with asyncio.timeout(20):
            await opened.wait()

        async def rest() -> AsyncIterator[bytes]:
            gate.set()
            async for piece in pieces:
                yield piece

        yield rest()


@pytest.mark.both_databases
async def test_an_export_whose_sync_is_removed_is_cut_off(bare_server: Server, monkeypatch: pytest.MonkeyPatch):
    """A client never takes a part for the whole: its connection breaks, and the log says why."""
    clinic = await many(bare_server, 35)
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        async with half_read(bare_server, monkeypatch) as rest:
            newer = await clinic.sync(PEOPLE, completed_at=utc_now())
            await clinic.prune_before(newer)
            with pytest.raises(httpx.TransportError):
                [piece async for piece in rest]
        await until(lambda: any(line["event"] == "export_cut_off" for line in lines))
    (line,) = [line for line in lines if line["event"] == "export_cut_off"]
    assert (line["organization_id"], "Export them again" in line["reason"]) == (ORGANIZATION, True)


@pytest.mark.parametrize("change", ["revoke", "roles"])
async def test_an_export_ends_with_the_right_of_its_reader(
    settings: Settings, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, change: str
):
    """A token that is revoked, or loses its role, gets no further patients; the part that was sent is no whole file."""
    path = tmp_path / "tokens"
    tokens = TokenFile(path)
    entry, token = tokens.add(OURS, roles=("receptionist",))
    guarded = settings.model_copy(
        update={
            "auth": "token",
            "tokens_file": str(path),
            "allowed_hosts": ("127.0.0.1",),
            "patient_roles": ("receptionist",),
        }
    )
    async with Server(guarded) as server:
        await many(server, 35, OURS)
        path_of = f"{PATH}{OURS}/export"
        async with half_read(server, monkeypatch, path=path_of, headers=bearer(token)) as rest:
            if change == "revoke":
                tokens.revoke(entry.id)
            else:
                path.write_text(path.read_text().replace("receptionist", "trainee"))
            with pytest.raises(httpx.TransportError):
                [piece async for piece in rest]
        assert (await server.http.get(path_of, headers=bearer(token))).status_code in {401, 403}


async def test_a_client_that_reads_nothing_is_disconnected(settings: Settings):
    """A reader who stops holds no transaction and no operation, and is cut off after ROUTIQ_SEND_TIMEOUT."""
    async with Server(settings.model_copy(update={"send_timeout": 0.2})) as server:
        clinic = ListedClinic(server.runtime.database, ORGANIZATION)
        await clinic.sync(Person(one, "x" * 2_000, "y" * 2_000, visits=(Visit(one, NOW),)) for one in range(1, 2_001))
        before = _dropped()
        pool = server.runtime.database._engine.sync_engine.pool
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(("127.0.0.1", server.port))
            peer.sendall(f"GET {EXPORT} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            await until(lambda: _dropped() > before)
        await until(lambda: server.services.admission.executing == 0)
    await until(lambda: pool.checkedout() == 0)  # type: ignore[attr-defined]


def _dropped() -> float:
    return REGISTRY.get_sample_value("routiq_peers_dropped_total", {"transport": "download"}) or 0.0


async def test_an_export_is_in_the_audit_log_before_it_is_sent(bare_server: Server, monkeypatch: pytest.MonkeyPatch):
    """Who left in the middle of an export is recorded all the same, with the list and its number of patients."""
    await many(bare_server, 35)
    async with half_read(bare_server, monkeypatch):
        (entry,) = await bare_server.runtime.audit.entries(10)
        assert (entry.action, entry.list, entry.count, entry.address) == ("export", "active", 35, "127.0.0.1")
    await until(lambda: bare_server.services.admission.executing == 0)


async def _large_clinic(server: Server, number: int) -> None:
    """A clinic with so many patients, none of whom has an appointment."""
    clinic = await many(server, 1)
    (key,) = clinic.keys
    shared = {"mirror": clinic.mirror, "from_sync": key, "to_sync": CURRENT}
    people = range(2, number + 1)
    rows = [shared | {"id": one, "first_name": "Ana", "last_name": f"Last {one}", "is_stub": False} for one in people]
    places = [shared | {"list": 0, "id": one, "name_key": f"last {one}", "search": f"ana p{one}"} for one in people]
    async with server.runtime.database.writing() as connection:
        await connection.execute(insert(PATIENT), rows)
        await connection.execute(insert(LISTING), places)


@pytest.mark.parametrize(
    "patients", [10_000, pytest.param(100_000, marks=[pytest.mark.soak, pytest.mark.timeout(1_200)])]
)
@pytest.mark.slow
@pytest.mark.sqlite_only
async def test_an_export_needs_flat_memory(bare_server: Server, patients: int):
    """A large clinic's export takes the memory of a small one's."""
    await _large_clinic(bare_server, patients)

    async def grown(parameters: dict[str, str]) -> tuple[int, int]:
        """Lines of the answer, and the peak of memory beyond that before it."""
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            found = 0
            async with bare_server.http.stream("GET", EXPORT, params=parameters, timeout=600) as answer:
                async for piece in answer.aiter_bytes():
                    found += piece.count(b"\n")
            return found, tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    everyone = {"list": "all"}
    few, small = await grown(everyone | {"search": "p77"})
    lines, large = await grown(everyone)
    assert (few < 2_000, lines) == (True, patients + 1)
    assert large < small + 2_000_000, f"{small:,} bytes for {few:,} patients, {large:,} for {lines:,}"
