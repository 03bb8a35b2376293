"""``routiq-gql sync``: starts a sync, or joins the running sync, and shows it in the terminal.

If a server or a worker runs syncs, it also runs this sync, and the command only watches; otherwise this process runs
it.
"""

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console

from routiq_gql.api.rest.objects import SyncStatus
from routiq_gql.cli.exit_codes import EXIT_CANCELLED, EXIT_FAILED
from routiq_gql.cli.progress import follow_sync, outcome_lines, progress_view
from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.errors import BadInput
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, check_organization_id
from routiq_gql.settings import Settings, load_settings
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from routiq_gql.sync.outcomes import StartedSync
from routiq_gql.sync.problems import StartProblemCode

EXIT_CODES = {SyncState.COMPLETED: 0, SyncState.FAILED: EXIT_FAILED, SyncState.CANCELLED: EXIT_CANCELLED}

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Examples: routiq-gql sync org_123 · routiq-gql sync org_123 --full · routiq-gql sync org_123 --no-wait"
)
def sync(
    organization: Annotated[str, typer.Argument(metavar="ORG", help="The organization's id, such as org_123.")],
    full: Annotated[bool, typer.Option("--full", help="Read everything from Cliniko, not only what changed.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Show the sync until it ends, or only print its id.")
    ] = True,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the last status as a JSON object. Progress goes to standard error."),
    ] = False,
) -> None:
    """Sync an organization now and show the progress.

    A sync reads what changed in Cliniko since the last one, and compares counts with Cliniko. The first sync reads
    everything, and so does a sync from time to time; --full asks for that.

    The exit code is 0 if the sync completed, 1 if it failed, 3 if it was cancelled, and 130 after Ctrl-C. Ctrl-C does
    not cancel the sync: a server continues it, and without a server the next `routiq-gql sync` resumes it. With
    --no-wait the exit code is 0 once the sync is started.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_organization_id(organization)
    mode = SyncMode.FULL if full else SyncMode.AUTO
    terminal = open_terminal()
    messages = open_terminal(sys.stderr) if as_json else terminal
    last = run((_sync if wait else _start)(settings, organization, mode, messages))
    if as_json:
        print_json(terminal, SyncStatus.model_validate(last).model_dump())
    if wait:
        raise typer.Exit(EXIT_CODES[last.status])


async def _sync(settings: Settings, organization: str, mode: SyncMode, messages: Console) -> SyncSnapshot:
    async with open_runtime(settings, only_if_alone=True) as runtime:
        begun = await _begin(runtime, organization, mode, messages, shows_end=True)
        try:
            with progress_view(messages) as view:
                last = await follow_sync(runtime.syncs, begun.sync.sync_id, view)
        except asyncio.CancelledError:
            messages.print(_farewell(organization, runs_here=runtime.engine.runs_here))
            raise
    for line in outcome_lines(last):
        messages.print(line)
    return last


async def _start(settings: Settings, organization: str, mode: SyncMode, messages: Console) -> SyncSnapshot:
    """Start a sync for another process to run, and print the command that follows it."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        begun = await _begin(runtime, organization, mode, messages, shows_end=False)
        has_worker = await runtime.engine.has_worker()
    messages.print(f"Follow it: routiq-gql log {begun.sync.sync_id} --follow", soft_wrap=True)
    if not has_worker:
        command = "worker" if settings.uses_postgres else "serve"
        open_terminal(sys.stderr).print(
            f"No process runs syncs on this database now. The sync starts with the next one: routiq-gql {command}"
        )
    return begun.sync


async def _begin(
    runtime: Runtime, organization: str, mode: SyncMode, messages: Console, *, shows_end: bool
) -> StartedSync:
    """Start a sync, and print what stands against it; if its end is shown, only what its end would not say."""
    if not await runtime.connections.has_enabled(organization):
        raise BadInput(f"{organization} is not connected to Cliniko. Type: routiq-gql connect {organization}")
    begun = await runtime.syncs.start(LOCAL_OPERATOR, organization, mode)
    messages.print(f"{begun.message}: {begun.sync.sync_id}", soft_wrap=True)
    if begun.problem is not None and (not shows_end or begun.problem.code is StartProblemCode.OTHER_MODE_RUNS):
        messages.print(f"{begun.problem.message} {begun.problem.what_to_do}", soft_wrap=True)
    return begun


def _farewell(organization: str, *, runs_here: bool) -> str:
    if runs_here:
        return f"Stopped. Nothing is lost. To resume the sync: routiq-gql sync {organization}"
    return "Stopped watching. The process that runs the sync continues it."
