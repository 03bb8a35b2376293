"""The ration of a look at Cliniko, and of the sync that it has started: their part of the pace of the key.

Requests of the minute before count too: those of the look, and of looks and syncs before it. A sync that has to read
everything takes the whole pace, like one that a schedule has started. Organizations with the same key share a ration,
and a sync of only one of them uses it at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from routiq_gql.cliniko import Ration
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.operation_rows import RefreshRow
from routiq_gql.database.refreshes import RefreshValues, change_refresh, note_spent, refresh_of
from routiq_gql.database.shared_keys import KeySharer, is_any_running, sharers_of
from routiq_gql.settings import Settings
from routiq_gql.sync.found import Found, read_found, to_json
from routiq_gql.sync.run import SyncRun

EASED_AFTER = timedelta(minutes=10)
"""How long after Cliniko's rate limit was reached the ration grows again."""


class LookOvertaken(Exception):
    """Another process has looked since, or a sync with the same key has begun. The next look finds the same changes."""


def ration_of(refresh: RefreshRow, settings: Settings, sharers: Sequence[KeySharer] = ()) -> Ration:
    """The ration of an organization's next requests.

    Args:
        sharers: The other organizations with the same key.
    """
    allowances = [refresh.allowance, *(one.allowance for one in sharers)]
    per_minute = min([settings.refresh_share, *(one for one in allowances if one is not None)])
    ration = Ration(per_minute, refresh.spent, _sent_by(sharers, per_minute))
    if refresh.spent_by != refresh.sync:  # a sync that was stopped, so that its requests are not known
        ration.fill()
    return ration


def _sent_by(sharers: Sequence[KeySharer], per_minute: int) -> list[int]:
    sent = [moment for one in sharers for moment in one.spent]
    for one in sharers:
        if not one.is_counted and one.ended_at is not None:  # it was stopped, so that its requests are not known
            sent += [round(one.ended_at.timestamp() * 1000)] * per_minute
    return sent


@dataclass(frozen=True, slots=True)
class LookBooking:
    """Counts the requests that a look sends besides those it was claimed with: repeated ones, and late ones.

    Without it two organizations with a key would each repeat their requests while the network is interrupted, and
    together exceed their share.

    Attributes:
        epoch: That of the look.
        key_digest: Finds the organizations with the same key; ``None`` if the key can't be read.
    """

    database: Database
    organization_id: str
    epoch: int
    key_digest: bytes | None
    ration: Ration

    async def book(self, count: int) -> float:
        """Count requests of the look as sent now, and return 0; or the seconds until there is room.

        Raises:
            LookOvertaken: They can't be counted any more, so the look has to end.
            StorageError: The database can't be used.
        """
        async with self.database.writing() as connection:
            if self.key_digest is not None:
                sharers = await sharers_of(connection, self.organization_id, self.key_digest, to_change=True)
                if is_any_running(sharers):  # it does not say how many requests it sends until it ends
                    raise LookOvertaken
                self.ration.note_others(_sent_by(sharers, self.ration.per_minute))
            seconds = self.ration.seconds_until(count)
            if seconds > 0:
                return seconds
            self.ration.note(count)
            if await change_refresh(connection, self.organization_id, self.epoch, {"spent": self.ration.sent}) is None:
                raise LookOvertaken
        return 0.0


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
    refresh: RefreshRow, found: Found, ration: Ration, settings: Settings, now: datetime
) -> tuple[RefreshValues, datetime | None]:
    """What to store of the ration after a look, whose requests are stored already, and ``Found.limited_at``.

    Less after Cliniko's rate limit was reached, and twice as much again some time after that, up to the share.
    """
    if ration.is_limited:
        return {"allowance": ration.per_minute or None, "spent": ration.sent}, now
    if refresh.allowance is None:
        return {}, None
    since = found.limited_at or now
    if now - since < EASED_AFTER:
        return {}, since
    more = refresh.allowance * 2
    return {"allowance": None if more >= settings.refresh_share else more}, now
