"""``routiq-gql history``: the syncs of an organization, with the outcome of each."""

from typing import Annotated

import typer

from routiq_gql.api.rest.objects import SyncStatus
from routiq_gql.cli.receipts import MODE_TEXTS, receipt_summary
from routiq_gql.cli.running import run
from routiq_gql.cli.tables import print_table
from routiq_gql.cli.targets import no_syncs
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.cli.times import duration_text, local_time
from routiq_gql.logs import configure_logging
from routiq_gql.organizations.live_updates import LiveUpdates
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, check_organization_id
from routiq_gql.settings import Settings, load_settings
from routiq_gql.sync.log_requests import MAX_PAGE
from routiq_gql.sync.model import SyncSnapshot, SyncState

HEADINGS = (
    "sync",
    "started",
    "status",
    "took",
    "patients",
    "appointments",
    "active",
    "failure",
    "mode",
    "receipt",
    "patients changed",
)

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: routiq-gql history org_123 · routiq-gql history org_123 --limit 50 --json")
def history(
    organization: Annotated[str, typer.Argument(metavar="ORG", help="The organization's id, such as org_123.")],
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many syncs, at most.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """List the syncs of an organization, the newest first.

    A running sync is included. Consecutive syncs of looks at Cliniko (`schedule --live`) are one row, and are left out
    of the JSON array. The receipt says whether the stored rows agree with Cliniko by count, and how many rows
    were added (+), updated (~) and removed (−). Each entry of the JSON array has the form of a REST status. The exit
    code is 1 if there is no such organization or it has no sync yet.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_organization_id(organization)
    syncs, live_updates = run(_read(settings, organization, limit))
    terminal = open_terminal()
    if as_json:
        print_json(terminal, [SyncStatus.model_validate(one).model_dump() for one in syncs])
        return
    rows = []
    for sync in syncs:
        rows += [_update_row(one) for one in live_updates if one.after == sync.sync_id]
        rows.append(_row(sync))
    print_table(terminal, HEADINGS, rows, "")


async def _read(settings: Settings, organization: str, limit: int) -> tuple[list[SyncSnapshot], list[LiveUpdates]]:
    async with open_runtime(settings, run_syncs=False) as runtime:
        found: list[SyncSnapshot] = []
        live_updates: list[LiveUpdates] = []
        after: str | None = None
        while len(found) < limit:
            page = min(limit - len(found), MAX_PAGE)
            part = await runtime.syncs.history(LOCAL_OPERATOR, organization, page, after)
            found += part.recent_syncs
            live_updates += part.live_updates
            after = part.next_cursor
            if after is None:
                break
        if not found:
            raise await no_syncs(runtime, organization)
        return found, live_updates


def _update_row(one: LiveUpdates) -> tuple[str, ...]:
    until = f"until {local_time(one.last_at)}"
    return (one.updates_text, local_time(one.first_at), until, *[""] * 7, one.patients_text)


def _row(one: SyncSnapshot) -> tuple[str, ...]:
    state = one.status.value if one.is_terminal else f"{one.status.value} ({one.progress_percentage} %)"
    return (
        one.sync_id,
        local_time(one.started_at),
        state,
        duration_text(one.duration_seconds) if one.duration_seconds is not None else "",
        f"{one.patients_found:,}",
        f"{one.appointments_found:,}",
        f"{one.active_patients_stored:,}" if one.status is SyncState.COMPLETED else "",
        one.failure.code.value if one.failure else "",
        MODE_TEXTS[one.mode],
        receipt_summary(one),
        one.changes.sentence if one.changes else "",
    )
