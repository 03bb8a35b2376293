"""The ration of a sync that a look at Cliniko has started: its part of the pace of the key.

Requests of the minute before count too: those of the look, and of looks and syncs before it. A sync that has to read
everything takes the whole pace, like one that a schedule has started. Organizations with the same key share a ration,
and a sync of only one of them uses it at a time.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from routiq_gql.cliniko import Ration
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.operation_rows import RefreshRow
from routiq_gql.database.refreshes import RefreshValues, note_spent, refresh_of
from routiq_gql.database.shared_keys import KeySharer, sharers_of
from routiq_gql.settings import Settings
from routiq_gql.sync.found import Found, read_found, to_json
from routiq_gql.sync.run import SyncRun

EASED_AFTER = timedelta(minutes=10)
"""How long after Cliniko's rate limit was reached the ration grows again."""


def ration_of(refresh: RefreshRow, settings: Settings, sharers: Sequence[KeySharer] = ()) -> Ration:
    """The ration of an organization's next requests.

    Args:
        sharers: The other organizations with the same key.
    """
    allowances = [refresh.allowance, *(one.allowance for one in sharers)]
    per_minute = min([settings.refresh_share, *(one for one in allowances if one is not None)])
    by_others = [moment for one in sharers for moment in one.spent]
    for one in sharers:
        if not one.is_counted and one.ended_at is not None:  # it was stopped, so that its requests are not known
            by_others += [round(one.ended_at.timestamp() * 1000)] * per_minute
    ration = Ration(per_minute, refresh.spent, by_others)
    if refresh.spent_by != refresh.sync:  # a sync that was stopped, so that its requests are not known
        ration.fill()
    return ration


async def ration_for(run: SyncRun, database: Database, settings: Settings) -> Ration | None:
    """The ration of a sync; ``None`` if no look has started it."""
    if not run.is_refresh:
        return None
    async with database.reading() as connection:
        refresh = await refresh_of(connection, run.snapshot.organization_id)
        if refresh is None:
            return None
        digest, sharers = refresh.key_digest, []
        if digest is not None:
            sharers = await sharers_of(connection, refresh.organization_id, digest)
    ration = ration_of(replace(refresh, spent_by=refresh.sync), settings, sharers)
    if run.epoch > 1:  # another process has begun it
        ration.fill()
    return ration


async def note_ration(run: SyncRun, database: Database, ration: Ration | None) -> None:
    """Store the requests of a sync, and whether Cliniko's rate limit was reached, for the next look."""
    if ration is None:
        return
    organization_id, values = run.snapshot.organization_id, RefreshValues(spent=ration.sent)
    async with database.writing() as connection:
        if ration.is_limited and ration.per_minute:
            refresh = await refresh_of(connection, organization_id)
            found = read_found(refresh.found) if refresh is not None else Found()
            values["allowance"] = ration.per_minute
            values["found"] = to_json(replace(found, limited_at=utc_now()))
        await note_spent(connection, organization_id, run.key, values)


def values_after(
    refresh: RefreshRow, found: Found, ration: Ration, known: Sequence[int], settings: Settings, now: datetime
) -> tuple[RefreshValues, datetime | None]:
    """What to store of the ration after a look, and ``Found.limited_at``; no value if nothing has changed.

    Less after Cliniko's rate limit was reached, and twice as much again some time after that, up to the share.

    Args:
        known: When the requests were sent that are stored already. Requests that had to be repeated count too.
    """
    if ration.is_limited:
        return {"allowance": ration.per_minute or None, "spent": ration.sent}, now
    sent, allowance = ration.sent, refresh.allowance
    values: RefreshValues = {"spent": sent} if sent[-1:] != known[-1:] else {}
    if allowance is None:
        return values, None
    since = found.limited_at or now
    if now - since < EASED_AFTER:
        return values, since
    values["allowance"] = None if allowance * 2 >= settings.refresh_share else allowance * 2
    return values, now
