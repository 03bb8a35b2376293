"""Notes which organizations the clients of this process read, so that looks at Cliniko are frequent for these only.

``Feeds`` calls ``write`` in each of its rounds. Requests only note the organization in memory; an organization costs a
part of one statement every 30 seconds, and nothing at all while no organization is kept live. The time goes through the
database, since another process may look.
"""

import time
from collections.abc import Callable, Collection

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.interest import is_any_refresh_asked, note_watched
from routiq_gql.settings import Settings
from routiq_gql.sync.look_times import WATCHED_FOR, LookTimes

WRITE_EVERY_SECONDS = 30.0
"""Between two notes about the same organization, and between two checks whether any organization is kept live."""
MOST_NOTED = 10_000
"""Organizations in memory; further ones are noted later."""


class Interest:
    """The organizations that clients of this process read.

    Attributes:
        on_news: Called when an organization should be written soon.
        on_return: Called with an organization that clients read again, once that is written.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._times = LookTimes(settings)
        self._everywhere = settings.refresh_seconds > 0
        self._is_on = self._everywhere
        self._check_at = time.monotonic() + WRITE_EVERY_SECONDS
        self._noted: set[str] = set()
        self._written: dict[str, float] = {}
        self.on_news: Callable[[], None] = _nothing
        self.on_return: Callable[[str], None] = _ignore

    def note(self, organization_id: str) -> None:
        """Note that a client reads this organization."""
        if organization_id in self._noted or len(self._noted) >= MOST_NOTED:
            return
        written_at = self._written.get(organization_id)
        if written_at is not None and time.monotonic() - written_at < WRITE_EVERY_SECONDS:
            return
        self._noted.add(organization_id)
        if self._is_on:
            self.on_news()

    async def write(self, followed: Collection[str]) -> None:
        """Store the noted organizations, and those that subscriptions follow.

        Raises:
            StorageError: The database can't be used.
        """
        now = time.monotonic()
        if now >= self._check_at and not self._everywhere:
            async with self._database.reading() as connection:
                self._is_on = await is_any_refresh_asked(connection)
            self._check_at = now + WRITE_EVERY_SECONDS
        elif not self._is_on:
            return
        for organization_id in followed:
            self.note(organization_id)
        if not self._is_on:
            self._noted.clear()
        if not self._noted:
            return
        noted, self._noted = self._noted, set()
        try:
            async with self._database.writing() as connection:
                await note_watched(
                    connection,
                    noted,
                    moment := utc_now(),
                    watched_since=self._times.watched_since(moment),
                    latest=moment + self._times.unwatched_interval,
                    everywhere=self._everywhere,
                )
        except BaseException:
            self._noted |= noted
            raise
        long_ago = now - WATCHED_FOR.total_seconds()
        returned = [one for one in noted if self._written.get(one, long_ago) <= long_ago]
        self._written = {one: at for one, at in self._written.items() if at > long_ago} | dict.fromkeys(noted, now)
        for organization_id in returned:
            self.on_return(organization_id)


def _nothing() -> None:
    pass


def _ignore(_organization_id: str) -> None:
    pass
