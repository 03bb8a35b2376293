"""Step 3: whose key it is and whether it works, then the plan of the sync. Called by the pipeline with an open client.

A sync that a look at Cliniko has started asks nothing here, as the look has just used the key; at the end of a
comparison it checks whose key it is.
"""

from collections.abc import Collection
from contextlib import suppress
from typing import TypeVar

from routiq_gql.cliniko import (
    PATIENTS,
    Access,
    CountsDisagree,
    QueryRefused,
    check_access,
    check_user,
    count_list,
    unarchived_filters,
)
from routiq_gql.connections.clients import ClientOpener, OpenConnection
from routiq_gql.database.engine import Database
from routiq_gql.database.sync_changes import RunningChanges
from routiq_gql.settings import Settings
from routiq_gql.sync.checkpoint import Comparing, Reading
from routiq_gql.sync.lists import LISTS, Totals
from routiq_gql.sync.model import LogLevel, Progress, SyncStep
from routiq_gql.sync.parts import MOST_FAILURES, PARTS
from routiq_gql.sync.plan import Plan
from routiq_gql.sync.preparing import QuickStart, make_plan, open_draft_of, quick_start
from routiq_gql.sync.run import SyncRun

F = TypeVar("F", Reading, Comparing)

FIRST_LIST = next(iter(LISTS))
LONGEST_ZONE = 64
"""Characters of a time zone's name, as many as are stored."""


async def check_credentials(
    run: SyncRun, opened: OpenConnection, clients: ClientOpener, database: Database, settings: Settings
) -> Reading | Comparing:
    """Enter step 3, check the key, and open the draft with the plan. Nothing is read if a part is just left out.

    Raises:
        StopRequested: The sync has ended, or another process runs it.
        ClinikoError: Cliniko refuses the key or can't be reached.
    """
    await run.begin_step(SyncStep.CHECKING_CREDENTIALS)
    quick = await quick_start(run, database, settings) if run.is_refresh else None
    user = None
    if quick is not None and quick.plan.ends_comparison and not quick.plan.leaves_out:
        user = await check_user(opened.client)
    if quick is not None and (user is None or opened.account_digest(user) == quick.plan.account):
        return await _open_quickly(run, quick)
    user = user or await check_user(opened.client)
    account, date = opened.account_digest(user), opened.client.server_date
    plan, decision = await make_plan(run, database, settings, account, date)
    if plan.is_full:
        access = await check_access(opened.client, plan.horizon, user)
        line = "Cliniko accepts the key for every list that a sync reads"
    else:
        access = None  # the reads are the check; see ``Pipeline._read_lists``
        line = "Cliniko accepts the key"
    if access is not None:
        await clients.note_access(opened, access)
    lines = [(LogLevel.SUCCESS, line)]
    lines += [(LogLevel.INFO, f"This sync reads everything: {reason}") for reason in decision.reasons]
    if plan.since is not None and run.is_refresh:
        lines = [(LogLevel.INFO, "Comparing the stored rows with Cliniko")]
    elif plan.since is not None:
        lines.append((LogLevel.INFO, f"This sync reads what has changed since {plan.since:%Y-%m-%d %H:%M} UTC"))
    following = Reading(plan, FIRST_LIST, await _totals(opened, access) if access else {})
    return await _open(run, following, user.time_zone, lines)


async def _open_quickly(run: SyncRun, quick: QuickStart) -> Reading | Comparing:
    plan, lines = quick.plan, list[tuple[LogLevel, str]]()
    if quick.changed:
        lines.append((LogLevel.INFO, f"Changed in Cliniko: {_labels(quick.changed)}"))
    if plan.part is not None:
        labels = _labels(PARTS[plan.part])
        failed = f"Left out of this comparison, as {MOST_FAILURES} syncs have failed at it: {labels}"
        line = (LogLevel.WARNING, failed) if plan.leaves_out else (LogLevel.INFO, f"Comparing with Cliniko: {labels}")
        lines.append(line)
    first = next((name for name in LISTS if plan.reads(name)), None)
    if first is None:
        return await _open(run, Comparing(plan, quick.totals), quick.time_zone, lines)
    return await _open(run, Reading(plan, first, quick.totals), quick.time_zone, lines)


def _labels(names: Collection[str]) -> str:
    return ", ".join(synced.resource.label for name, synced in LISTS.items() if name in names)


async def read_everything(run: SyncRun, opened: OpenConnection, plan: Plan, reason: str) -> Reading:
    """Begin the lists again, this time with all their rows. What the draft holds already is compared with them."""
    access = await check_access(opened.client, plan.horizon)
    following = Reading(plan.reading_everything(), FIRST_LIST, await _totals(opened, access))
    line = (LogLevel.WARNING, f"This sync reads everything after all: {reason}")
    run.forecast.expect(following)
    await run.commit(following, lines=[line], changes={"mode": following.plan.mode.value})
    return following


async def _open(run: SyncRun, following: F, time_zone: str | None, lines: list[tuple[LogLevel, str]]) -> F:
    plan, zone = following.plan, time_zone[:LONGEST_ZONE] if time_zone else None
    changes: RunningChanges = {"mode": plan.mode.value, "baseline": plan.is_baseline, "time_zone": zone}
    run.forecast.expect(following)
    await open_draft_of(run, following, Progress(fraction=1), lines, changes)
    return following


async def _totals(opened: OpenConnection, access: Access) -> Totals:
    """The totals of the lists; of patients without archived ones, which clients don't see counted."""
    with suppress(QueryRefused, CountsDisagree):
        listed = await count_list(opened.client, PATIENTS, unarchived_filters(PATIENTS))
        return {**access.totals, PATIENTS.name: listed}
    return access.totals
