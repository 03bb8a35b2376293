"""``routiq-gql tokens``: who may ask a server that runs with ROUTIQ_AUTH=token."""

from pathlib import Path
from typing import Annotated

import typer

from routiq_gql.cli.tables import print_table
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.errors import SettingsError
from routiq_gql.settings import load_settings
from routiq_gql.token_file import TokenFile

app = typer.Typer(
    help="Make and revoke the tokens of ROUTIQ_AUTH=token. They are kept in ROUTIQ_TOKENS_FILE, as digests.",
    epilog="Example: routiq-gql tokens add org_123 --role admin",
)


@app.command(epilog="Examples: routiq-gql tokens add org_123 · routiq-gql tokens add org_123 --role admin")
def add(
    organization: Annotated[str, typer.Argument(metavar="ORG", help="The organization that it reaches.")],
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE", help="A role or permission, as in ROUTIQ_CONNECT_ROLES; may be given again."),
    ] = None,
) -> None:
    """Make a token and show it, this once. A running server takes it from now on."""
    entry, token = _file().add(organization, role or ())
    terminal = open_terminal()
    terminal.print(token, soft_wrap=True)
    terminal.print(f"Token {entry.id} of {organization}. Keep it like a password; it can't be shown again.")


@app.command(epilog="Example: routiq-gql tokens revoke 3f9a0c52e81b")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `routiq-gql tokens list` shows it.")],
) -> None:
    """Take a token away. A running server refuses it from now on, and ends what it has open within seconds."""
    entry = _file().revoke(token_id)
    open_terminal().print(f"Token {entry.id} of {entry.organization_id} is revoked.")


@app.command("list", epilog="Example: routiq-gql tokens list")
def list_tokens() -> None:
    """List the tokens by their ids, never the tokens themselves."""
    rows = [
        (entry.id, entry.organization_id, ", ".join(entry.roles), f"{entry.made_at.astimezone():%Y-%m-%d %H:%M}")
        for entry in _file().entries()
    ]
    nobody = "There is no token. Make one: routiq-gql tokens add ORG"
    print_table(open_terminal(), ("id", "organization", "roles", "made"), rows, nobody)


def _file() -> TokenFile:
    path = load_settings().tokens_file
    if not path:
        raise SettingsError("ROUTIQ_TOKENS_FILE is missing: it says where tokens are kept, such as ./routiq.tokens.")
    return TokenFile(Path(path))
