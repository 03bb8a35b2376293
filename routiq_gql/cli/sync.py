"""``routiq-gql sync``: one sync in the terminal, or the company of one that is already running.

When a server or a worker runs syncs, it runs this one too and the command only watches; otherwise this process does.
"""

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console

from routiq_gql.api.rest.render import status_json
from routiq_gql.cli.progress import follow_sync, outcome_lines, progress_view
from routiq_gql.cli.running import EXIT_CANCELLED, EXIT_FAILED, run
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.errors import BadInput
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import open_runtime
from routiq_gql.settings import Settings, load_settings
from routiq_gql.sync.progress import SyncSnapshot, SyncState
from routiq_gql.viewer import LOCAL_OPERATOR, check_organization_id

EXAMPLES = "Example: routiq-gql sync org_123"

EXIT_CODES = {SyncState.COMPLETED: 0, SyncState.FAILED: EXIT_FAILED, SyncState.CANCELLED: EXIT_CANCELLED}


def sync(
    organization: Annotated[str, typer.Argument(metavar="ORG", help="The organization's id, such as org_123.")],
    as_json: Annotated[
        bool,
        typer.Option("--json", help="For programs: the final status as JSON; progress goes to standard error."),
    ] = False,
) -> None:
    """Sync an organization now and show the progress.

    The exit code is 0 when the sync completed, 1 when it failed, 3 when someone cancelled it, and 130 after Ctrl-C,
    which leaves the sync where it is.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_organization_id(organization)
    terminal = open_terminal()
    last = run(_sync(settings, organization, open_terminal(sys.stderr) if as_json else terminal))
    if as_json:
        print_json(terminal, status_json(last))
    raise typer.Exit(EXIT_CODES[last.status])


async def _sync(settings: Settings, organization: str, terminal: Console) -> SyncSnapshot:
    async with open_runtime(settings, only_if_alone=True) as runtime:
        if not await runtime.connections.has_enabled(organization):
            raise BadInput(f"{organization} is not connected to Cliniko. Type: routiq-gql connect {organization}")
        begun = await runtime.syncs.start(LOCAL_OPERATOR, organization)
        terminal.print(f"{begun.message}: {begun.sync.sync_id}")
        try:
            with progress_view(terminal) as view:
                last = await follow_sync(runtime.syncs, begun.sync.sync_id, view)
        except asyncio.CancelledError:
            terminal.print(_farewell(organization, runs_here=runtime.engine.runs_here))
            raise
    for line in outcome_lines(last):
        terminal.print(line)
    return last


def _farewell(organization: str, *, runs_here: bool) -> str:
    if runs_here:
        return f"Stopped. Nothing is lost; the sync goes on where it is when you type: routiq-gql sync {organization}"
    return "Stopped watching. The sync goes on in the process that runs it."
