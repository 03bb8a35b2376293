"""``routiq-gql connections`` and ``status``: every organization, its connection, and how its syncs went."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from routiq_gql.cli.running import EXIT_FAILED, run
from routiq_gql.cli.tables import print_table
from routiq_gql.cli.terminal import clean_text, open_terminal, print_json
from routiq_gql.clock import CLOCK_TOLERANCE, format_time, utc_now
from routiq_gql.errors import BadInput
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import open_runtime
from routiq_gql.settings import Settings, load_settings
from routiq_gql.sync.connection_state import ConnectionState
from routiq_gql.sync.overview import OrganizationState
from routiq_gql.sync.progress import SyncState
from routiq_gql.viewer import LOCAL_OPERATOR

CONNECTIONS_EXAMPLES = "Examples: routiq-gql connections · routiq-gql connections --json"
STATUS_EXAMPLES = "Examples: routiq-gql status · routiq-gql status --stale 6h --json"

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
NOBODY = "No organization is connected. Connect one: routiq-gql connect ORG"

AsJson = Annotated[bool, typer.Option("--json", help="For programs: a JSON array.")]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether somebody has to act for an organization.

    Attributes:
        failure_code: Of the newest ended sync; ``None`` when it completed or there was none.
        next_step: What to do; ``None`` when all is well.
    """

    is_stale: bool
    failure_code: str | None
    next_step: str | None


def connections(as_json: AsJson = False) -> None:
    """List the connections to Cliniko, never their keys."""
    settings = load_settings()
    configure_logging(settings, quiet=True)
    found = run(_organizations(settings))
    terminal = open_terminal()
    if as_json:
        print_json(terminal, [_connection_json(one) for one in found])
        return
    rows = [
        (
            one.organization_id,
            one.connection.state.value,
            one.connection.account_name or "",
            one.connection.shard,
            one.connection.role or "",
            _when(one.last_success_at),
        )
        for one in found
    ]
    print_table(terminal, ("organization", "state", "account", "shard", "role", "last success"), rows, NOBODY)


def status(
    stale: Annotated[
        str, typer.Option(metavar="TIME", help="Complain when the last success is older, such as 90m, 6h or 2d.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List all organizations by their last success, the oldest first, with what to do.

    The exit code, for cron, is 0 when all is well and 1 when somebody has to act.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    limit = read_duration(stale) if stale else None
    found = sorted(run(_organizations(settings)), key=_age_of_success, reverse=True)
    verdicts = [(one, judge(one, limit, utc_now())) for one in found]
    terminal = open_terminal()
    if as_json:
        print_json(terminal, [_status_json(*pair) for pair in verdicts])
    else:
        rows = [
            (
                one.organization_id,
                _when(one.last_success_at) + (" (stale)" if verdict.is_stale else ""),
                _now(one),
                verdict.failure_code or "",
                verdict.next_step or "",
            )
            for one, verdict in verdicts
        ]
        print_table(terminal, ("organization", "last success", "now", "last failure", "what to do"), rows, NOBODY)
    if any(verdict.next_step for _, verdict in verdicts):
        raise typer.Exit(EXIT_FAILED)


def read_duration(text: str) -> timedelta:
    """``90m``, ``6h`` or ``2d``.

    Raises:
        BadInput: It has another form.
    """
    match = re.fullmatch(r"(\d{1,5})([mhd])", text.strip())
    if match is None:
        raise BadInput(f"“{clean_text(text)}” is not a duration. Use minutes, hours or days, such as 90m, 6h or 7d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def judge(one: OrganizationState, limit: timedelta | None, now: datetime) -> Verdict:
    """Whether somebody has to act: the connection is no good, the last sync failed, or none succeeded in time.

    A success in the future is stale, with or without ``limit``: the clock is wrong or was, so its age is unknown. A
    connection that was switched off is left out, as that was meant so.
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


async def _organizations(settings: Settings) -> list[OrganizationState]:
    async with open_runtime(settings, run_syncs=False) as runtime:
        return await runtime.connections.organizations(LOCAL_OPERATOR)


def _is_ahead(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment - now > CLOCK_TOLERANCE


def _age_of_success(one: OrganizationState) -> timedelta:
    """How long ago it was; more than any other where that is unknown."""
    now = utc_now()
    if one.last_success_at is None or _is_ahead(one.last_success_at, now):
        return timedelta.max
    return now - one.last_success_at


def _connection_json(one: OrganizationState) -> dict[str, Any]:
    connection = one.connection
    return {
        "organization_id": one.organization_id,
        "state": connection.state.value,
        "account": connection.account_name,
        "shard": connection.shard,
        "role": connection.role,
        "last_validated_at": _time(connection.last_validated_at),
        "last_success_at": _time(one.last_success_at),
        "problem": connection.problem.message if connection.problem else None,
    }


def _status_json(one: OrganizationState, verdict: Verdict) -> dict[str, Any]:
    return {
        "organization_id": one.organization_id,
        "connection": one.connection.state.value,
        "status": one.current_sync.status.value if one.current_sync else SyncState.IDLE.value,
        "last_success_at": _time(one.last_success_at),
        "stale": verdict.is_stale,
        "failure_code": verdict.failure_code,
        "what_to_do": verdict.next_step,
    }


def _now(one: OrganizationState) -> str:
    if one.current_sync is not None:
        return one.current_sync.status.value
    return "disconnected" if one.connection.state is ConnectionState.DISABLED else SyncState.IDLE.value


def _when(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else "never"


def _time(moment: datetime | None) -> str | None:
    return format_time(moment) if moment else None
