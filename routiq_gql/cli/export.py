"""``routiq-gql export``: writes a whole list of patients to a file, or to standard output.

The file appears under its name only when it is complete, and only its owner may read it.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from routiq_gql.api.rest.patient_files import FORMATS, FileFormat
from routiq_gql.cli.patient_options import (
    LISTS,
    SORTS,
    AsOf,
    ListName,
    Organization,
    PractitionerId,
    Search,
    SortName,
    choice,
)
from routiq_gql.cli.plain_text import counted
from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.errors import BadInput
from routiq_gql.logs import configure_logging
from routiq_gql.patients.export import Export
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.requests import PageRequest
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, check_organization_id
from routiq_gql.settings import Settings, load_settings

STANDARD_OUTPUT = Path("-")
Advance = Callable[[int], None]

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Examples: routiq-gql export org_123 --list lapsed -o lapsed.csv · routiq-gql export org_123 --format jsonl"
)
def export(
    organization: Organization,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="csv for spreadsheets, or jsonl: a JSON object per line.")
    ] = "csv",
    list_name: ListName = PatientList.ACTIVE.key,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write; `-` is standard output.")
    ] = STANDARD_OUTPUT,
    search: Search = "",
    practitioner: PractitionerId = "",
    sort: SortName = "name",
    as_of: AsOf = "",
) -> None:
    """Write a whole list of patients to a file, all of it from one sync.

    CSV has times in the clinic's time zone, and an apostrophe before texts that a spreadsheet would execute or change,
    such as phone numbers with a plus or a zero. JSON lines have the form of a patient in REST. The file is written
    completely or not at all, and only you may read it; an earlier file of this name is replaced. Progress goes to
    standard error. The audit log records the list and the number of patients.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_organization_id(organization)
    request = PageRequest(
        list=choice("--list", list_name, LISTS),
        search=search or None,
        practitioner_id=practitioner or None,
        sort=choice("--sort", sort, SORTS),
        as_of=as_of or None,
    )
    written_as = choice("--format", form, FORMATS)
    messages = open_terminal(sys.stderr)
    with opened_output(output) as file:
        found = run(_write(settings, organization, request, written_as, file, messages))
    if output != STANDARD_OUTPUT:
        messages.print(f"{counted(found.total_count, 'patient')} of {found.sync_id} written to {output}.")


async def _write(
    settings: Settings,
    organization: str,
    request: PageRequest,
    written_as: FileFormat,
    file: BinaryIO,
    messages: Console,
) -> Export:
    async with open_runtime(settings, run_syncs=False) as runtime:
        found = await runtime.patient_exports.open(LOCAL_OPERATOR, organization, request)
        file.write(written_as.head)
        async with aclosing(found.parts) as parts:
            with _progress(messages, found.total_count) as advance:
                async for part in parts:
                    file.write(written_as.encode(part, found.list))
                    advance(len(part))
        file.flush()
        return found


@contextmanager
def opened_output(output: Path) -> Iterator[BinaryIO]:
    """The stream to write to. A file gets its name at the end of the block, and is removed after an error.

    Raises:
        BadInput: The file can't be written, or is none.
    """
    if output == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        return
    if output.is_dir():
        raise BadInput(f"--output {output} is a folder. Add the name of a file.")
    if output.exists() and not output.is_file():  # a device or a pipe, which a file would replace
        raise BadInput(f"--output {output} is not a file. Leave the option out, and redirect standard output to it.")
    part = output.with_name(f".{output.name}.part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadInput(f"--output {output} can't be written: {error.strerror}.") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(output)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


@contextmanager
def _progress(messages: Console, total: int) -> Iterator[Advance]:
    """Shows a bar in a terminal, and nothing elsewhere."""
    columns = (TextColumn("Exporting patients"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda patients: bar.advance(task, patients)
