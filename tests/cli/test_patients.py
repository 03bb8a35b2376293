"""The commands for patients: the table, JSON, and files that are complete or not there."""

import asyncio
import csv
import json
import stat
import sys
from pathlib import Path

import pytest

from routiq_gql.cli.terminal import SafeConsole
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.patients import export as exporting
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import PatientSort
from tests.cli.conftest import Command
from tests.patients.clinics import NOW, ListedClinic, Person, Visit
from tests.patients.small_clinic import PEOPLE

DATABASE = "sqlite+aiosqlite:///./routiq.db"


@pytest.fixture
def sync_ids(folder: Path) -> list[str]:
    """The syncs of the database of the current folder, with a few patients of ``org_1``."""

    async def write() -> list[str]:
        database = Database(DATABASE)
        try:
            await upgrade(database)
            clinic = ListedClinic(database, "org_1")
            await clinic.sync(PEOPLE, completed_at=utc_now())
            await clinic.sync(PEOPLE[:3], completed_at=utc_now())
            return clinic.sync_ids
        finally:
            await database.close()

    return asyncio.run(write())


@pytest.mark.usefixtures("sync_ids")
def test_a_list_is_a_table_with_the_reasons(command: Command):
    """In a pipe each patient is a line with tabs, under headings."""
    shown = command("patients", "org_1")
    headings, *lines = [line.split("\t") for line in shown.out.splitlines()]
    assert headings == ["id", "name", "phone", "e-mail", "last appointment", "next appointment", "why"]
    assert [line[1] for line in lines] == ["Ben Aalto", "Zoë Ångström"]
    assert lines[1][:6] == [
        *("11", "Zoë Ångström", "+61 491 570 156", "zoe@patients.example"),
        *("2026-06-28 19:30 +10:00 Pilates class", "2026-07-10 19:30 +10:00 Standard physio"),
    ]
    assert lines[1][6]
    assert shown.code == 0


@pytest.mark.usefixtures("sync_ids")
@pytest.mark.parametrize(("width", "has_all"), [(80, False), (200, True)])
def test_a_table_fits_its_terminal(command: Command, monkeypatch: pytest.MonkeyPatch, width: int, has_all: bool):
    """A terminal of 80 columns shows name, phone and reason on lines that fit; a wide one shows everything."""
    monkeypatch.setattr(
        "routiq_gql.cli.patients.open_terminal",
        lambda: SafeConsole(file=sys.stdout, force_terminal=True, color_system=None, width=width),
    )
    lines = command("patients", "org_1").out.splitlines()
    assert max(map(len, lines)) <= width
    assert ("e-mail" in lines[0]) is has_all
    assert any("Zoë Ångström" in line and "+61 491 570 156" in line for line in lines)
    if not has_all:
        assert len(lines) < 20, "a name is not broken into pieces"


def test_the_options_select_list_order_search_and_sync(command: Command, sync_ids: list[str]):
    """The options are those of the API, with its names."""

    def names(*options: str) -> list[str]:
        shown = command("patients", "org_1", "--json", *options)
        assert shown.code == 0, shown.err
        return [one["name"] for one in json.loads(shown.out)]

    assert names("--list", "all", "--sort", "name_desc") == ["Cleo Berg", "Zoë Ångström", "Ben Aalto"]
    assert names("--list", "all", "--search", "cleo BERG") == ["Cleo Berg"]
    assert names("--list", "all", "--practitioner", "502", "--limit", "1") == ["Ben Aalto"]
    assert names("--as-of", sync_ids[0]) == ["Ben Aalto", "Zoë Ångström", "Dora Cruz"]
    assert names("--list", "lapsed") == []
    assert "No patient is in this list." in command("patients", "org_1", "--list", "lapsed").out


def test_a_long_list_is_read_over_several_pages(command: Command, folder: Path):
    """More patients than a page has are listed up to the limit, each once."""

    async def write() -> None:
        database = Database(DATABASE)
        await upgrade(database)
        people = [Person(one, "A", f"B{one % 9}", visits=(Visit(one, NOW),)) for one in range(1, 451)]
        await ListedClinic(database, "org_1").sync(people, completed_at=utc_now())
        await database.close()

    asyncio.run(write())
    for limit, expected in ((449, 449), (10_000, 450)):
        shown = json.loads(command("patients", "org_1", "--limit", str(limit), "--json").out)
        assert len({one["id"] for one in shown}) == len(shown) == expected


@pytest.mark.usefixtures("sync_ids")
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_is_a_private_file(command: Command, folder: Path, form: str):
    """The file has every patient, can be read by its owner only, and replaces an earlier one."""
    Path("out").write_text("earlier")
    done = command("export", "org_1", "--list", "all", "--format", form, "--output", "out")
    assert (done.code, done.out) == (0, "")
    assert "3 patients" in done.err
    assert stat.S_IMODE(Path("out").stat().st_mode) == 0o600
    content = Path("out").read_bytes()
    assert command("export", "org_1", "--list", "all", "--format", form).code == 0
    if form == "csv":
        names = [row["name"] for row in csv.DictReader(content.decode("utf-8-sig").splitlines())]
    else:
        names = [json.loads(line)["name"] for line in content.splitlines()]
    assert names == ["Ben Aalto", "Zoë Ångström", "Cleo Berg"]
    assert {one.name for one in folder.iterdir() if "part" in one.name} == set()


@pytest.mark.usefixtures("sync_ids")
def test_an_export_that_fails_leaves_the_earlier_file(command: Command, monkeypatch: pytest.MonkeyPatch, folder: Path):
    """An export that can't be completed says why, and leaves neither a part nor an empty file."""
    Path("out.csv").write_text("earlier")
    monkeypatch.setattr(exporting, "PART_PATIENTS", 1)
    read, calls = exporting.asked_sync, 0

    async def removed(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        return None if calls > 1 else await read(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(exporting, "asked_sync", removed)
    failed = command("export", "org_1", "--output", "out.csv")
    assert failed.code != 0
    assert "Export them again" in failed.err
    assert Path("out.csv").read_text() == "earlier"
    assert {one.name for one in folder.iterdir() if "part" in one.name} == set()


@pytest.mark.usefixtures("sync_ids")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["patients", "org_1", "--list", "activ"], [one.key for one in PatientList]),
        (["patients", "org_1", "--sort", "age"], [one.value for one in PatientSort]),
        (["export", "org_1", "--format", "xlsx"], ["csv", "jsonl"]),
        (["patients", "org_1", "--as-of", "sync_x"], ["sync"]),
        (["patients", "org_9"], ["no such organization"]),
        (["export", "org_9"], ["no such organization"]),
        (["export", "org_1", "--output", "missing/out.csv"], ["missing/out.csv"]),
        (["export", "org_1", "--output", "."], ["folder"]),
    ],
)
def test_a_wrong_use_is_explained(command: Command, arguments: list[str], named: list[str]):
    """A sentence on standard error says what may be used, and nothing is written."""
    refused = command(*arguments)
    assert (refused.code, refused.out) == (2, "")
    assert all(name in refused.err for name in named), refused.err


@pytest.mark.usefixtures("sync_ids")
def test_both_commands_are_in_the_audit_log(command: Command):
    """The audit log has the list and the number of patients, and the command line as the reader."""
    command("patients", "org_1", "--search", "zoe")
    command("export", "org_1", "--list", "all")
    entries = json.loads(command("audit", "org_1", "--json").out)
    assert [(one["action"], one["subject"], one["list"], one["count"]) for one in entries] == [
        ("export", "command line", "all", 3),
        ("patients", "command line", "active", 1),
    ]
    assert "zoe" not in json.dumps(entries)
