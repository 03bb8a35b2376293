"""``routiq-gql audit``: who started, connected, read and erased what, and which requests were refused."""

from datetime import datetime
from typing import Annotated

import typer

from routiq_gql.cli.running import run
from routiq_gql.cli.tables import print_table
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.cli.times import local_time, read_duration
from routiq_gql.clock import format_time, utc_now
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import open_runtime
from routiq_gql.security.audit import AuditEntry
from routiq_gql.security.viewer import check_organization_id
from routiq_gql.settings import Settings, load_settings

HEADINGS = (
    "time",
    "action",
    "outcome",
    "times",
    "organization",
    "who",
    "from",
    "sync",
    "token",
    "list",
    "patients",
    "webhook",
)

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: routiq-gql audit · routiq-gql audit org_123 --since 7d · routiq-gql audit --json")
def audit(
    organization: Annotated[
        str | None, typer.Argument(metavar="[ORG]", help="Entries of one organization only.")
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Only entries newer than this, such as 90m, 6h or 7d.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many entries, at most.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Show who did what and which requests were refused, the newest first.

    The column "who" has the subject of the token, or `command line` for this program. It is empty while ROUTIQ_AUTH
    is off. Refusals are written within a second. Repeated refusals are counted and written once a minute. SEVERAL
    stands for different refusals of one person and address, after the first ten within a minute. Reads of patients
    show the list and the number of patients shown; equal reads within a minute are one entry. Changes of webhooks show
    the id and the host of the address.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    if organization is not None:
        check_organization_id(organization)
    moment = utc_now() - read_duration(since) if since else None
    entries = run(_entries(settings, organization, moment, limit))
    terminal = open_terminal()
    if as_json:
        print_json(terminal, [_json(entry) for entry in entries])
    else:
        print_table(terminal, HEADINGS, [_row(entry) for entry in entries], "The audit log has no such entries.")


async def _entries(
    settings: Settings, organization: str | None, since: datetime | None, limit: int
) -> list[AuditEntry]:
    async with open_runtime(settings, run_syncs=False) as runtime:
        return await runtime.audit.entries(limit, organization, since)


def _row(entry: AuditEntry) -> tuple[str, ...]:
    return (
        local_time(entry.time, seconds=True),
        entry.action.value,
        entry.outcome,
        str(entry.times),
        entry.organization_id or "",
        entry.subject or "",
        entry.address or "",
        entry.sync_id or "",
        entry.token_id or "",
        entry.list or "",
        "" if entry.count is None else str(entry.count),
        f"{entry.webhook_id} {entry.webhook_host}" if entry.webhook_id else "",
    )


def _json(entry: AuditEntry) -> dict[str, object]:
    return {
        "time": format_time(entry.time),
        "action": entry.action.value,
        "outcome": entry.outcome,
        "times": entry.times,
        "organization_id": entry.organization_id,
        "subject": entry.subject,
        "address": entry.address,
        "sync_id": entry.sync_id,
        "token_id": entry.token_id,
        "list": entry.list,
        "count": entry.count,
        "webhook_id": entry.webhook_id,
        "webhook_host": entry.webhook_host,
    }
