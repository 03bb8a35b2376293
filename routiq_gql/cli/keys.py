"""``routiq-gql keys``: rotates the keys that encrypt stored Cliniko API keys."""

import typer

from routiq_gql.cli.commands import CommandGroup
from routiq_gql.cli.plain_text import counted
from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings, load_settings

app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    help="Rotate the keys that encrypt stored API keys.",
    epilog="Example: routiq-gql keys rotate",
)


@app.command(epilog="Example: routiq-gql keys rotate")
def rotate() -> None:
    """Encrypt all stored API keys again, with the newest key.

    A server may run at the same time. With a key file, the command makes a new key and removes the old one. With
    ROUTIQ_ENCRYPTION_KEYS, add the new key in front, restart the servers, run this command, then remove the old key.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    open_terminal().print(run(_rotate(settings)))


@app.callback()
def _group() -> None:
    """Rotate the keys that encrypt stored API keys."""


async def _rotate(settings: Settings) -> str:
    async with open_runtime(settings, run_syncs=False) as runtime:
        key_id, changed = await runtime.connections.rotate_keys(LOCAL_OPERATOR)
    return f"Encrypted {counted(changed, 'stored API key')} anew with the key {key_id}."
