"""The ration of a look at Cliniko, and of the sync that it has started: their part of the pace of the key.

Requests of the minute before count too: those of the look, and of looks and syncs before it, also of processes that
were killed. So each request is stored before it is sent. A sync that has to read everything takes the whole pace, like
one that a schedule has started. Organizations with the same key share a ration.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.cliniko import Ration
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.operation_rows import RefreshRow
from routiq_gql.database.refreshes import RefreshValues, change_during, change_refresh, refresh_of
from routiq_gql.database.shared_keys import KeySharer, sharers_of
from routiq_gql.settings import Settings
from routiq_gql.sync.found import Found, read_found, to_json
from routiq_gql.sync.run import StopRequested, SyncRun

EASED_AFTER = timedelta(minutes=10)
"""How long after Cliniko's rate limit was reached the ration grows again."""


class LookOvertaken(Exception):
    """Another process has looked since. The next look finds the same changes."""


def ration_of(refresh: RefreshRow, settings: Settings, sharers: Sequence[KeySharer] = ()) -> Ration:
    """The ration of an organization's next requests.

    Args:
        sharers: The other organizations with the same key.
    """
    allowances = [refresh.allowance, *(one.allowance for one in sharers)]
    per_minute = min([settings.refresh_share, *(one for one in allowances if one is not None)])
    return Ration(per_minute, refresh.spent, _sent_by(sharers))


def _sent_by(sharers: Sequence[KeySharer]) -> list[int]:
    return [moment for one in sharers for moment in one.spent]


Store = Callable[[AsyncConnection, RefreshValues], Awaitable[bool]]
"""Changes the row of an organization; whether the caller may still do so."""


class RefreshBooking:
    """Counts in the database the requests of a look besides those it was claimed with, and those of its sync.

    Without it a successor would not know what a killed process has sent, and two organizations with a key would
    together exceed their share.

    Args:
        key_digest: Finds the organizations with the same key; ``None`` if the key can't be read.
        overtaken: Raised once the row can't be changed.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        ration: Ration,
        organization_id: str,
        key_digest: bytes | None,
        store: Store,
        overtaken: type[Exception],
    ) -> None:
        self._database = database
        self._settings = settings
        self._ration = ration
        self._organization_id = organization_id
        self._key_digest = key_digest
        self._store = store
        self._overtaken = overtaken
        self._noted: int | None = None

    async def book(self, count: int) -> float:
        """Count requests as sent now, and return 0; or the seconds until there is room.

        Raises:
            LookOvertaken, StopRequested: They can't be counted any more, so the look or its sync has to end.
            StorageError: The database can't be used.
        """
        async with self._database.writing() as connection:
            if self._key_digest is not None:
                sharers = await sharers_of(connection, self._organization_id, self._key_digest, to_change=True)
                self._ration.note_others(_sent_by(sharers))
            seconds = self._ration.seconds_until(count)
            if seconds > 0:
                return seconds
            self._ration.note(count)
            if not await self._store(connection, {"spent": self._ration.sent}):
                raise self._overtaken
        return 0.0

    async def note_limit(self) -> None:
        """Store the share that Cliniko's rate limit has left, unless that was done.

        Raises:
            LookOvertaken, StopRequested: As for ``book``.
            StorageError: The database can't be used.
        """
        if self._noted == self._ration.per_minute:
            return
        async with self._database.writing() as connection:
            refresh = await refresh_of(connection, self._organization_id)
            if refresh is None:
                raise self._overtaken
            found = read_found(refresh.found)
            values, limited_at = values_after(refresh, found, self._ration, self._settings, utc_now())
            values["found"] = to_json(replace(found, limited_at=limited_at))
            if not await self._store(connection, values):
                raise self._overtaken
        self._noted = self._ration.per_minute


def look_booking(
    database: Database, settings: Settings, ration: Ration, refresh: RefreshRow, epoch: int, key_digest: bytes | None
) -> RefreshBooking:
    """The booking of a look with this epoch, as the row has no digest before the first look."""
    organization_id = refresh.organization_id

    async def store(connection: AsyncConnection, values: RefreshValues) -> bool:
        return await change_refresh(connection, organization_id, epoch, values) is not None

    return RefreshBooking(database, settings, ration, organization_id, key_digest, store, LookOvertaken)


async def ration_for(run: SyncRun, database: Database, settings: Settings) -> Ration | None:
    """The ration of a sync; ``None`` if no look has started it."""
    if not run.is_refresh:
        return None
    organization_id = run.snapshot.organization_id
    async with database.reading() as connection:
        refresh = await refresh_of(connection, organization_id)
        if refresh is None:
            return None
        digest, sharers = refresh.key_digest, []
        if digest is not None:
            sharers = await sharers_of(connection, organization_id, digest)
    ration = ration_of(refresh, settings, sharers)

    async def store(connection: AsyncConnection, values: RefreshValues) -> bool:
        return await change_during(connection, organization_id, run.key, run.epoch, values)

    ration.booking = RefreshBooking(database, settings, ration, organization_id, digest, store, StopRequested)
    return ration


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
