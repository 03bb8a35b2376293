"""``routiq-gql keys``: care for the keys that encrypt the stored Cliniko API keys."""

import typer

from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import counted, open_terminal
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import open_runtime
from routiq_gql.settings import Settings, load_settings
from routiq_gql.viewer import LOCAL_OPERATOR

app = typer.Typer(help="Care for the encryption of stored API keys.", epilog="Example: routiq-gql keys rotate")


@app.command(epilog="Example: routiq-gql keys rotate")
def rotate() -> None:
    """Encrypt every stored API key anew. A server may run meanwhile.

    With a key file, a new key is made and the earlier one forgotten. With ROUTIQ_ENCRYPTION_KEYS, put the new key
    first, restart the servers, rotate, and then take the earlier key out.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    open_terminal().print(run(_rotate(settings)))


@app.callback()
def _group() -> None:
    """Care for the encryption of stored API keys."""


async def _rotate(settings: Settings) -> str:
    async with open_runtime(settings, run_syncs=False) as runtime:
        key_id, changed = await runtime.connections.rotate_keys(LOCAL_OPERATOR)
    return f"Encrypted {counted(changed, 'stored API key')} anew with the key {key_id}."
