"""``routiq-gql tokens``: the tokens that a server with ROUTIQ_AUTH=token accepts.

Changes the token file first: a token must be revocable while the database is down. The audit log is written afterwards,
if that takes only seconds; if not, a sentence on standard error says so.
"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from routiq_gql.cli.commands import CommandGroup
from routiq_gql.cli.exit_codes import Stopped
from routiq_gql.cli.plain_text import clean_text
from routiq_gql.cli.running import run
from routiq_gql.cli.tables import print_table
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.cli.times import local_time
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.errors import RoutiqError, SettingsError
from routiq_gql.logs import configure_logging
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.token_file import TokenEntry, TokenFile
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings, load_settings
from routiq_gql.supervision import Supervisor

RECORD_SECONDS = 10.0
"""How long a command waits for a database that does not respond or is locked by another writer."""

app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    help="Create, list and revoke the tokens of ROUTIQ_AUTH=token.\n\nROUTIQ_TOKENS_FILE holds their digests.",
    epilog="Example: routiq-gql tokens add org_123 --role admin",
)


@app.command(epilog="Examples: routiq-gql tokens add org_123 · routiq-gql tokens add org_123 --role admin")
def add(
    organization: Annotated[
        str, typer.Argument(metavar="ORG", help="The organization that the token gives access to.")
    ],
    role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE", help="A role or permission, as in ROUTIQ_CONNECT_ROLES. May be given several times."
        ),
    ] = None,
) -> None:
    """Create a token and print it.

    This is the only time that the token is shown. A running server accepts it from now on.
    """
    settings = load_settings()
    entry, token = _file(settings).add(organization, role or ())
    terminal = open_terminal()
    terminal.print(token, soft_wrap=True)
    terminal.print(f"Token {entry.id} of {organization}. Keep it like a password. It can't be shown again.")
    _record(settings, Action.ADD_TOKEN, entry)


@app.command(epilog="Example: routiq-gql tokens revoke 3f9a0c52e81b")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `routiq-gql tokens list` shows.")],
) -> None:
    """Revoke a token.

    A running server refuses it from now on, and closes its open connections within seconds.
    """
    settings = load_settings()
    entry = _file(settings).revoke(token_id)
    open_terminal().print(f"Token {entry.id} of {entry.organization_id} is revoked.")
    _record(settings, Action.REVOKE_TOKEN, entry)


@app.command("list", epilog="Example: routiq-gql tokens list")
def list_tokens() -> None:
    """List the ids of the tokens, with their organizations and roles."""
    rows = [
        (entry.id, entry.organization_id, ", ".join(entry.roles), local_time(entry.made_at))
        for entry in _file(load_settings()).entries()
    ]
    if_none = "There is no token. Create one: routiq-gql tokens add ORG"
    print_table(open_terminal(), ("id", "organization", "roles", "made"), rows, if_none)


def _file(settings: Settings) -> TokenFile:
    if not settings.tokens_file:
        raise SettingsError(
            "ROUTIQ_TOKENS_FILE is not set. Set it to the file that holds the tokens, such as ./routiq.tokens."
        )
    return TokenFile(Path(settings.tokens_file))


def _record(settings: Settings, action: Action, entry: TokenEntry) -> None:
    """Write an entry to the audit log, or print why it could not be written."""
    configure_logging(settings, quiet=True)
    try:
        run(_write(settings, action, entry))
    except Stopped:
        reason = "It was interrupted."
    except TimeoutError:
        reason = "The database does not respond."
    except RoutiqError as error:
        reason = error.message
    except Exception as error:  # the token is created or revoked already, so the command succeeded
        reason = f"The database can't be used ({type(error).__name__})."
    else:
        return
    open_terminal(sys.stderr).print(clean_text(f"The audit log has no entry of this: {reason}"), soft_wrap=True)


async def _write(settings: Settings, action: Action, entry: TokenEntry) -> None:
    async with asyncio.timeout(RECORD_SECONDS):
        database = Database(settings.database_url)
        try:
            await upgrade(database)
            await Audit(database, Supervisor()).record(LOCAL_OPERATOR, action, entry.organization_id, token_id=entry.id)
        finally:
            await database.close()
