"""``routiq-gql cancel``: ends a running sync, in any process."""

import typer

from routiq_gql.cli.running import run
from routiq_gql.cli.targets import Target, check_target, find_sync
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.cli.times import local_time
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings, load_settings
from routiq_gql.sync.outcomes import CancelledSync

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: routiq-gql cancel org_123 · routiq-gql cancel sync_org_123_20260302_090000")
def cancel(target: Target) -> None:
    """Cancel a running sync.

    The stored patients stay as they were before the sync. The exit code is 0 if the sync is cancelled or has already
    ended, and 1 if there is no such organization or sync.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_target(target)
    outcome = run(_cancel(settings, target))
    sync = outcome.sync
    if outcome.cancelled:
        sentence = f"Cancelled {sync.sync_id} at {sync.progress_percentage} %."
    else:
        ending = f"{sync.status.value} at {local_time(sync.completed_at, seconds=True)}"
        sentence = f"No sync is running: {sync.sync_id} {ending}."
    open_terminal().print(sentence, soft_wrap=True)


async def _cancel(settings: Settings, target: str) -> CancelledSync:
    async with open_runtime(settings, run_syncs=False) as runtime:
        sync = await find_sync(runtime, target)
        return await runtime.syncs.cancel(LOCAL_OPERATOR, sync.sync_id)
