"""Exports to a file: the same patients as other commands list, and nothing is left of an export that does not end."""

import asyncio
import errno
import json
import os
from pathlib import Path

import pytest

from routiq_gql.cli.export import opened_output
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.errors import BadInput
from tests.cli.conftest import Command
from tests.patients.clinics import ListedClinic
from tests.patients.small_clinic import PEOPLE

DATABASE = "sqlite+aiosqlite:///./routiq.db"


def test_an_export_has_the_patients_that_the_same_options_list(command: Command):
    """Each option chooses and orders the patients of a file as it does for ``routiq-gql patients``."""

    async def write() -> list[str]:
        database = Database(DATABASE)
        await upgrade(database)
        clinic = ListedClinic(database, "org_1")
        for people in (PEOPLE, PEOPLE[:3]):
            await clinic.sync(people, completed_at=utc_now())
        await database.close()
        return clinic.sync_ids

    first_sync, _ = asyncio.run(write())
    everyone = ["--list", "all"]
    found = []
    for options in (
        [],
        everyone,
        [*everyone, "--sort", "name_desc"],
        [*everyone, "--search", "cleo"],
        [*everyone, "--practitioner", "502"],
        [*everyone, "--as-of", first_sync],
    ):
        listed = json.loads(command("patients", "org_1", "--json", *options).out)
        exported = command("export", "org_1", "--format", "jsonl", *options)
        assert [json.loads(line) for line in exported.out.splitlines()] == listed, options
        found.append([one["id"] for one in listed])
    assert found.count(found[1]) == 1, "each option makes a difference"


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), asyncio.CancelledError(), BadInput("No."), OSError(errno.ENOSPC, "No space left on device")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("earlier", [None, b"earlier"])
def test_nothing_is_left_of_an_export_that_does_not_end(folder: Path, error: BaseException, earlier: bytes | None):
    """Ctrl-C, SIGTERM, a refusal and a full disk leave no file with patients, and an earlier file as it was."""
    if earlier is not None:
        Path("out.csv").write_bytes(earlier)
    before = {one.name: one.read_bytes() for one in folder.iterdir()}
    with pytest.raises(type(error)), opened_output(Path("out.csv")) as file:
        file.write(b"name\nZoe")
        file.flush()
        raise error
    assert {one.name: one.read_bytes() for one in folder.iterdir()} == before


def test_only_a_file_is_replaced(folder: Path):
    """A pipe or a device, such as /dev/null, stays: the administrator could replace it by a file."""
    os.mkfifo("pipe")
    Path("link").symlink_to("pipe")
    before = {one: one.lstat() for one in folder.iterdir()}
    for place in ("pipe", "link", os.devnull):
        with pytest.raises(BadInput, match=f"{place} is not a file"), opened_output(Path(place)):
            raise AssertionError
    assert {one: one.lstat() for one in folder.iterdir()} == before
