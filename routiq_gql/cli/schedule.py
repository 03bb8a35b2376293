"""``routiq-gql schedule``: syncs an organization regularly, in the process that runs syncs."""

from datetime import datetime
from typing import Annotated

import typer

from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.cli.times import interval_text, local_time, read_duration
from routiq_gql.database.rows import ScheduleRow
from routiq_gql.errors import BadInput
from routiq_gql.logs import configure_logging
from routiq_gql.organizations.freshness import FreshnessMode
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, check_organization_id
from routiq_gql.settings import Settings, load_settings
from routiq_gql.time_zones import zone_of

app = typer.Typer(add_completion=False)
_OFF = "off"


@app.command(
    epilog="Examples: routiq-gql schedule org_123 --every 1h · "
    "routiq-gql schedule org_123 --at 06:00 --at 13:00 --weekdays mon-fri --time-zone Australia/Sydney · "
    "routiq-gql schedule org_123 --live"
)
def schedule(
    organization: Annotated[str, typer.Argument(metavar="ORG", help="The organization's id, such as org_123.")],
    every: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The interval, such as 30m, 6h or 1d. `off` removes the schedule."),
    ] = None,
    at: Annotated[
        list[str] | None, typer.Option(metavar="HH:MM", help="A local time, such as 06:00. Give it once for each time.")
    ] = None,
    weekdays: Annotated[
        str | None,
        typer.Option(metavar="DAYS", help="The days for --at, such as mon-fri or mon,wed,sat. Every day without it."),
    ] = None,
    time_zone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="The time zone for --at, such as Australia/Sydney. Without it, the clinic's own as Cliniko names it.",
        ),
    ] = None,
    live: Annotated[
        bool | None,
        typer.Option(
            "--live/--no-live",
            help="Look at Cliniko every few seconds, and sync as soon as something has changed.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Sync an organization at a regular interval.

    Also at local times, or as soon as something changes in Cliniko. Without options: show its schedule.

    A server or a worker must be running. With --every, the first sync starts at a random time within the interval, so
    that many organizations don't start together. With --at, each time is due once a day, also where clocks change. A
    schedule skips a time while a sync still runs, and pauses while Cliniko refuses the key. With --live, looks
    at Cliniko begin once the first sync has completed.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_organization_id(organization)
    if every is not None and at:
        raise BadInput("Give --every or --at, not both.")
    if not at and (weekdays is not None or time_zone is not None):
        raise BadInput("--weekdays and --time-zone belong to --at. Add the times, such as --at 06:00.")
    if at:
        open_terminal().print(run(_begin_at(settings, organization, at, weekdays, time_zone)))
    elif every is not None:
        open_terminal().print(run(_begin(settings, organization, every, live=live)))
    elif live is None:
        open_terminal().print(run(_show(settings, organization)))
    if live is not None:
        open_terminal().print(run(_keep_live(settings, organization, live=live)))


async def _begin(settings: Settings, organization: str, every: str, *, live: bool | None) -> str:
    interval = None if every.strip().lower() == _OFF else read_duration(every)
    async with open_runtime(settings, run_syncs=False) as runtime:
        if interval is None:
            was_there = await runtime.schedules.end(LOCAL_OPERATOR, organization)
            if live is not None:  # the next line has the rest
                return f"{organization} has no schedule{'' if was_there else ', as before'}."
            if await runtime.schedules.is_live(LOCAL_OPERATOR, organization):
                shown = await _live(runtime, settings, organization)
                return f"{shown} To end that, too: routiq-gql schedule {organization} --no-live"
            if elsewhere := await _live_elsewhere(runtime, settings, organization):
                return f"{organization} has no schedule{'' if was_there else ', as before'}. {elsewhere}"
            return f"{organization} is synced on demand only{'' if was_there else ', as before'}."
        next_at = await runtime.schedules.begin(LOCAL_OPERATOR, organization, interval)
        return await _saved(runtime, organization, next_at)


async def _begin_at(
    settings: Settings, organization: str, at: list[str], weekdays: str | None, time_zone: str | None
) -> str:
    async with open_runtime(settings, run_syncs=False) as runtime:
        next_at = await runtime.schedules.begin_at(LOCAL_OPERATOR, organization, at, weekdays, time_zone)
        return await _saved(runtime, organization, next_at)


async def _show(settings: Settings, organization: str) -> str:
    async with open_runtime(settings, run_syncs=False) as runtime:
        found, next_at = await runtime.schedules.show(LOCAL_OPERATOR, organization)
        is_live = settings.refresh_seconds > 0 or await runtime.schedules.is_live(LOCAL_OPERATOR, organization)
        live = await (_live if is_live else _live_elsewhere)(runtime, settings, organization)
    if live is None:
        return _schedule(organization, found, next_at)
    schedule = f"\n{_schedule(organization, found, next_at)}" if found is not None else ""
    return live + schedule


async def _live_elsewhere(runtime: Runtime, settings: Settings, organization: str) -> str | None:
    """A sentence if a process looks at Cliniko though neither this terminal's settings nor a command asks for it."""
    looked_at = await runtime.schedules.last_look(LOCAL_OPERATOR, organization)
    if settings.refresh_seconds > 0 or looked_at is None:
        return None
    return (
        f"{organization} was looked at in Cliniko at {local_time(looked_at)}. If a server's ROUTIQ_REFRESH_SECONDS "
        "is set, which it is not in this terminal, that keeps every organization live."
    )


async def _live(runtime: Runtime, settings: Settings, organization: str) -> str:
    """A sentence with the time between two looks; before the first sync and while none is possible, the usual one."""
    freshness = await runtime.schedules.freshness(LOCAL_OPERATOR, organization, settings)
    seconds = freshness.look_interval_seconds if freshness is not None else None
    is_unwatched = freshness is not None and freshness.mode is FreshnessMode.UNWATCHED
    return (
        f"{organization} is kept live: a look at Cliniko every {seconds or settings.refresh_interval} s"
        f"{', as no client reads it' if is_unwatched else ''}."
    )


def _schedule(organization: str, found: ScheduleRow | None, next_at: datetime | None) -> str:
    if found is None:
        return f"{organization} has no schedule. Give it one, such as --every 1h or --at 06:00."
    if next_at is None:
        return f"{organization} is to be synced {_times(found)}, but has no working connection."
    return _next(organization, found, next_at)


async def _saved(runtime: Runtime, organization: str, next_at: datetime | None) -> str:
    found, _ = await runtime.schedules.show(LOCAL_OPERATOR, organization)
    if found is None:
        return "The schedule was removed at this moment by another command."
    if next_at is None:
        return (
            f"Saved: {_times(found)}. The schedule starts when {organization} has a working connection: "
            f"routiq-gql connect {organization}"
        )
    return _next(organization, found, next_at)


def _next(organization: str, found: ScheduleRow, next_at: datetime) -> str:
    if found.local_times is None:
        return f"Next sync of {organization} at {local_time(next_at)}, then {_times(found)}."
    there = next_at.astimezone(zone_of(found.time_zone))
    return f"Next sync of {organization} on {there:%a %Y-%m-%d at %H:%M}, then {_times(found)}."


def _times(found: ScheduleRow) -> str:
    return f"every {interval_text(found.every)}" if found.local_times is None else f"at {found.local_times}"


async def _keep_live(settings: Settings, organization: str, *, live: bool) -> str:
    async with open_runtime(settings, run_syncs=False) as runtime:
        if live:
            await runtime.schedules.begin_live(LOCAL_OPERATOR, organization)
            if not await runtime.connections.has_enabled(organization):
                return (
                    f"Saved. {organization} is kept live as soon as it has a working connection: "
                    f"routiq-gql connect {organization}"
                )
            return await _live(runtime, settings, organization)
        was_there = await runtime.schedules.end_live(LOCAL_OPERATOR, organization)
        # Looks that this command has ended are recent, too.
        elsewhere = None if was_there else await _live_elsewhere(runtime, settings, organization)
    if settings.refresh_seconds:
        return f"ROUTIQ_REFRESH_SECONDS keeps every organization live, and so {organization}. Set it to 0."
    if elsewhere is not None:
        return elsewhere
    return f"{organization} is not kept live{'' if was_there else ', as before'}."
