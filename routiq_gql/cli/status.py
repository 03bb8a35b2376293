"""``routiq-gql status``: all organizations, with their last successful syncs and advice."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated

import typer

from routiq_gql.cli.connections import NO_ORGANIZATION, read_organizations
from routiq_gql.cli.exit_codes import EXIT_FAILED
from routiq_gql.cli.receipts import result_summary
from routiq_gql.cli.running import run
from routiq_gql.cli.tables import print_table
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.cli.times import json_time, local_time, read_duration
from routiq_gql.clock import CLOCK_TOLERANCE, utc_now
from routiq_gql.connections.state import ConnectionState
from routiq_gql.logs import configure_logging
from routiq_gql.organizations.listing import OrganizationState
from routiq_gql.settings import load_settings
from routiq_gql.sync.model import SyncState

HEADINGS = ("organization", "last success", "now", "last failure", "what to do", "receipt")

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an organization needs attention.

    Attributes:
        failure_code: Of the newest ended sync; ``None`` if it completed or there is none.
        next_step: Advice; ``None`` if all is well.
    """

    is_stale: bool
    failure_code: str | None
    next_step: str | None


@app.command(epilog="Examples: routiq-gql status · routiq-gql status --stale 6h --json")
def status(
    stale: Annotated[
        str, typer.Option(metavar="TIME", help="Report a last success older than this, such as 90m, 6h or 2d.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """List all organizations by their last successful sync, the oldest first.

    The list says what to do, and whether the rows of the last successful sync agree with Cliniko by count. For cron,
    the exit code is 1 if an organization needs attention, otherwise 0.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    limit = read_duration(stale) if stale else None
    organizations, now = run(read_organizations(settings)), utc_now()
    found = sorted(organizations, key=lambda one: age_of_success(one, now), reverse=True)
    verdicts = [(one, judge(one, limit, now)) for one in found]
    terminal = open_terminal()
    if as_json:
        print_json(terminal, [_status_json(*pair) for pair in verdicts])
    else:
        rows = [
            (
                one.organization_id,
                local_time(one.last_success_at) + (" (stale)" if verdict.is_stale else ""),
                _now(one),
                verdict.failure_code or "",
                verdict.next_step or "",
                result_summary(one.last_success) if one.last_success else "",
            )
            for one, verdict in verdicts
        ]
        print_table(terminal, HEADINGS, rows, NO_ORGANIZATION)
    if any(verdict.next_step for _, verdict in verdicts):
        raise typer.Exit(EXIT_FAILED)


def judge(one: OrganizationState, limit: timedelta | None, now: datetime) -> Verdict:
    """Whether an organization needs attention: a bad connection, a failed last sync, or no success in time.

    A success in the future is stale, with or without ``limit``: the clock is or was wrong, so its age is unknown. A
    disconnected organization never needs attention, as an operator disconnected it.
    """
    failure = one.last_sync.failure if one.last_sync and one.last_sync.status is SyncState.FAILED else None
    is_off = one.connection.state is ConnectionState.DISABLED
    is_ahead = _is_ahead(one.last_success_at, now)
    is_late = limit is not None and (one.last_success_at is None or now - one.last_success_at > limit)
    is_stale = (is_late or is_ahead) and not is_off
    next_step = None
    if not is_off:
        if one.connection.problem is not None:
            next_step = one.connection.problem.what_to_do
        elif failure is not None:
            next_step = failure.what_to_do
        elif is_ahead:
            next_step = (
                "The last success is in the future: the clock of this machine is wrong now, or was wrong then. Check "
                f"it, then sync: routiq-gql sync {one.organization_id}"
            )
        elif is_stale:
            next_step = f"Sync it: routiq-gql sync {one.organization_id}"
    return Verdict(is_stale, failure.code.value if failure else None, next_step)


def _is_ahead(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment - now > CLOCK_TOLERANCE


def age_of_success(one: OrganizationState, now: datetime) -> timedelta:
    """Time since the last success; ``timedelta.max`` if unknown."""
    if one.last_success_at is None or _is_ahead(one.last_success_at, now):
        return timedelta.max
    return now - one.last_success_at


def _status_json(one: OrganizationState, verdict: Verdict) -> dict[str, object]:
    return {
        "organization_id": one.organization_id,
        "connection": one.connection.state.value,
        "status": one.current_sync.status.value if one.current_sync else SyncState.IDLE.value,
        "last_success_at": json_time(one.last_success_at),
        "stale": verdict.is_stale,
        "failure_code": verdict.failure_code,
        "what_to_do": verdict.next_step,
        "mode": one.last_success.mode.value if one.last_success else None,
        "agrees": one.last_success.receipt.agrees if one.last_success and one.last_success.receipt else None,
        "changes": asdict(one.last_success.changes) if one.last_success and one.last_success.changes else None,
    }


def _now(one: OrganizationState) -> str:
    if one.current_sync is not None:
        return one.current_sync.status.value
    return "disconnected" if one.connection.state is ConnectionState.DISABLED else SyncState.IDLE.value
