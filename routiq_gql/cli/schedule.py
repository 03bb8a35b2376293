"""``routiq-gql schedule``: syncs an organization at a regular interval, in the process that runs syncs."""

from datetime import timedelta
from typing import Annotated

import typer

from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.cli.times import interval_text, read_duration
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, check_organization_id
from routiq_gql.settings import Settings, load_settings

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: routiq-gql schedule org_123 --every 1h · routiq-gql schedule org_123 --every off")
def schedule(
    organization: Annotated[str, typer.Argument(metavar="ORG", help="The organization's id, such as org_123.")],
    every: Annotated[
        str, typer.Option(metavar="TIME", help="The interval, such as 30m, 6h or 1d. `off` removes the schedule.")
    ],
) -> None:
    """Sync an organization at a regular interval.

    A server or a worker must be running. The first sync starts at a random time within the interval, so that many
    organizations don't start together. A schedule skips a time while a sync still runs, and pauses while Cliniko
    refuses the key.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_organization_id(organization)
    interval = None if every.strip().lower() == "off" else read_duration(every)
    open_terminal().print(run(_schedule(settings, organization, interval)))


async def _schedule(settings: Settings, organization: str, every: timedelta | None) -> str:
    async with open_runtime(settings, run_syncs=False) as runtime:
        if every is None:
            was_there = await runtime.schedules.end(LOCAL_OPERATOR, organization)
            return f"{organization} is synced on demand only{'' if was_there else ', as before'}."
        next_at = await runtime.schedules.begin(LOCAL_OPERATOR, organization, every)
    if next_at is None:
        return (
            f"Saved. The schedule starts when {organization} has a working connection: "
            f"routiq-gql connect {organization}"
        )
    return f"Next sync of {organization} at {next_at.astimezone():%Y-%m-%d %H:%M}, then every {interval_text(every)}."
