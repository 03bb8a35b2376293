"""``routiq-gql erase-patient``: removes one person from everything that is stored, and keeps that person out."""

import sys
from typing import Annotated

import typer

from routiq_gql.cli.plain_text import counted
from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.errors import BadInput
from routiq_gql.logs import configure_logging
from routiq_gql.patients.erasure import ErasedPerson
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, check_organization_id
from routiq_gql.settings import Settings, load_settings

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Examples: routiq-gql erase-patient org_123 1234567890 · routiq-gql erase-patient org_123 1234567890 --undo"
)
def erase_patient(
    organization: Annotated[str, typer.Argument(metavar="ORG", help="The organization's id, such as org_123.")],
    patient: Annotated[str, typer.Argument(metavar="ID", help="The patient's id in Cliniko.")],
    undo: Annotated[bool, typer.Option("--undo", help="Let later syncs store the patient again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
) -> None:
    """Remove one patient from everything that is stored, and keep the patient out of later syncs.

    The patient and all bookings disappear from every list and from past syncs. Patients who were merged with this one
    in Cliniko are erased too. Cliniko itself and backups are not changed. Later syncs count these rows and store
    nothing of them.

    The audit log records the time of an erasure, without the patient's id or name. With --undo, the next sync is full
    and stores the patient again.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_organization_id(organization)
    if not undo and not yes:
        _ask(organization, patient)
    open_terminal().print(
        run(_undo(settings, organization, patient) if undo else _erase(settings, organization, patient)),
        soft_wrap=True,
    )


def _ask(organization: str, patient: str) -> None:
    if sys.stdin is None or not sys.stdin.isatty():
        raise BadInput("Erasing removes the patient from past syncs too. Add --yes to confirm it.")
    if not typer.confirm(f"Erase patient {patient} from everything that is stored for {organization}?"):
        raise typer.Abort


async def _erase(settings: Settings, organization: str, patient: str) -> str:
    async with open_runtime(settings, run_syncs=False) as runtime:
        erased = await runtime.erasures.erase(LOCAL_OPERATOR, organization, patient)
    return " ".join(outcome_sentences(organization, patient, erased))


async def _undo(settings: Settings, organization: str, patient: str) -> str:
    async with open_runtime(settings, run_syncs=False) as runtime:
        await runtime.erasures.undo(LOCAL_OPERATOR, organization, patient)
    return (
        f"Patient {patient} of {organization} is kept out no more. The next sync reads everything and stores the "
        f"patient again. Type: routiq-gql sync {organization}"
    )


def outcome_sentences(organization: str, patient: str, erased: ErasedPerson) -> list[str]:
    """The outcome of an erasure in sentences: the erased rows, and those that remain in files."""
    merged = f", {counted(erased.merged, 'merged patient')}" if erased.merged else ""
    if erased.was_erased:
        sentences = [f"Patient {patient} of {organization} was erased before, and is kept out of every sync."]
        if erased.bookings or erased.merged:
            sentences.append(f"Erased {counted(erased.bookings, 'booking')}{merged} that had remained.")
    else:
        sentences = [f"Erased patient {patient} of {organization}, {counted(erased.bookings, 'booking')}{merged}."]
        sentences.append("Later syncs keep the patient out.")
    if erased.events:
        sentences.append(f"Deleted {counted(erased.events, 'event')} for webhooks. Receivers keep what they have got.")
    if not erased.is_gone:
        sentences.append(
            "Another process uses the database now, so its files still hold an older state. Type the command again "
            "later to remove that too."
        )
    return sentences
