"""``routiq-gql disconnect``: removes an organization's key, or all its stored data."""

import sys
from typing import Annotated

import typer

from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.errors import BadInput
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, check_organization_id
from routiq_gql.settings import Settings, load_settings

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: routiq-gql disconnect org_123 · routiq-gql disconnect org_123 --erase --yes")
def disconnect(
    organization: Annotated[str, typer.Argument(metavar="ORG", help="The organization's id, such as org_123.")],
    erase: Annotated[
        bool, typer.Option("--erase", help="Remove everything: patients, syncs, their logs and the connection.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
) -> None:
    """Remove an organization's API key and end its running sync.

    Stored patients stay, unless --erase is given. The audit log records the time of an erasure, without the
    organization's name.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_organization_id(organization)
    if erase and not yes:
        _ask(organization)
    open_terminal().print(run(_erase(settings, organization) if erase else _disconnect(settings, organization)))


def _ask(organization: str) -> None:
    if sys.stdin is None or not sys.stdin.isatty():
        raise BadInput("Erasing can't be undone. Add --yes to confirm it.")
    if not typer.confirm(f"Erase everything that is stored for {organization}? This can't be undone."):
        raise typer.Abort


async def _disconnect(settings: Settings, organization: str) -> str:
    async with open_runtime(settings, run_syncs=False) as runtime:
        await runtime.connections.disconnect(LOCAL_OPERATOR, organization)
    return f"Disconnected {organization}. Its patients stay stored. To remove them too, add --erase."


async def _erase(settings: Settings, organization: str) -> str:
    async with open_runtime(settings, run_syncs=False) as runtime:
        is_gone = await runtime.connections.erase(LOCAL_OPERATOR, organization)
    if is_gone:
        return f"Erased everything that was stored for {organization}."
    return (
        f"Erased everything that was stored for {organization}. Other processes still read an older state of the "
        "database; its files keep that state until they have finished."
    )
