"""``routiq-gql connect``: checks an organization's Cliniko API key and stores it."""

import sys
from itertools import islice
from typing import Annotated

import typer

from routiq_gql.cli.plain_text import clean_text, counted
from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.clock import utc_now
from routiq_gql.connections.service import ConnectedAccount
from routiq_gql.errors import BadInput
from routiq_gql.logs import configure_logging
from routiq_gql.organizations.stored_history import StoredHistory, stored_history
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, check_organization_id
from routiq_gql.settings import Settings, load_settings

KEY_VARIABLE = "ROUTIQ_CLINIKO_API_KEY"

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: routiq-gql connect org_123 < key.txt")
def connect(
    organization: Annotated[str, typer.Argument(metavar="ORG", help="The organization's id, such as org_123.")],
    api_key: Annotated[
        str,
        typer.Option(
            metavar="KEY",
            envvar=KEY_VARIABLE,
            help="The Cliniko API key. Without this option the command asks for it or reads it from standard input. "
            "This keeps it out of the shell's history.",
        ),
    ] = "",
    base_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The address of Cliniko's API. By default the end of the key determines it."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Check the key with Cliniko before storing it.")
    ] = True,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Accept the key of another account, and remove the data of the previous one."),
    ] = False,
) -> None:
    """Connect an organization to Cliniko, or replace its API key.

    The key is stored encrypted.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_organization_id(organization)
    key = api_key or _read_key()
    account, history = run(_connect(settings, organization, key, base_url, check=check, replace=replace))
    terminal = open_terminal()
    for line in _result_lines(account, history):
        terminal.print(line)


def _read_key() -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        key = str(typer.prompt("Cliniko API key", hide_input=True))
    else:
        lines = islice(sys.stdin or (), 100)
        key = next((line for line in lines if line.strip()), "")
    if not key.strip():
        raise BadInput(f"The API key is missing. Set {KEY_VARIABLE}, pipe the key in, or use `--api-key KEY`.")
    return key.strip()


async def _connect(
    settings: Settings, organization: str, api_key: str, base_url: str | None, *, check: bool, replace: bool
) -> tuple[ConnectedAccount, StoredHistory]:
    async with open_runtime(settings, run_syncs=False) as runtime:
        account = await runtime.connections.connect(
            LOCAL_OPERATOR, organization, api_key, base_url, check=check, replace=replace
        )
        async with runtime.database.reading() as connection:
            return account, await stored_history(connection, organization, settings, utc_now())


def _result_lines(account: ConnectedAccount, history: StoredHistory) -> list[str]:
    organization = account.connection.organization_id
    if account.access is None:
        connected = f"Stored the connection of {organization} to {account.base_url}, without checking the key."
    else:
        totals = " · ".join(
            counted(total, name.replace("_", " ").removesuffix("s")) for name, total in account.access.totals.items()
        )
        role = f" as {clean_text(account.access.role)}" if account.access.role else ""
        connected = (
            f"Connected {organization} to {clean_text(account.access.account_name or account.base_url)}{role}. "
            "The key can read everything that a sync needs, archived patients and cancelled appointments included: "
            f"{totals}."
        )
    return [connected, history_text(history), f"Sync it: routiq-gql sync {organization}"]


def history_text(history: StoredHistory) -> str:
    """A sentence about the appointments that are stored, and the setting that changes it."""
    start, end = history.horizon.start, history.horizon.end
    if end is None:
        return (
            f"Appointments are stored from {start:%Y-%m-%d} on, {counted(history.days, 'day')} back; "
            "there is no end. ROUTIQ_HISTORY_DAYS changes that."
        )
    return (
        f"Appointments are stored from {start:%Y-%m-%d} to {end:%Y-%m-%d} only, as this database was "
        "made by an earlier version. To store a longer history, set ROUTIQ_HISTORY_DAYS, such as 730; it holds more "
        "personal data."
    )
