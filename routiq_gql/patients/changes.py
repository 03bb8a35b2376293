"""The service for changes of patients: those of a sync, the difference between two syncs, and changes as they come.

Reading them takes the right to read patients, and is noted in the audit log with the number of changes. The watchers of
an organization share its reads, and each is checked and noted by itself.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Collection
from contextlib import closing

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.engine import Database
from routiq_gql.database.kept_syncs import PublishedSync, published_sync
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.rows import MirrorRow, SyncRow
from routiq_gql.database.syncs import sync_by_id
from routiq_gql.errors import BadInput, DatabaseAway, SyncNotFound
from routiq_gql.live.newest import Newest
from routiq_gql.live.patient_feeds import PublishedPatients
from routiq_gql.live.subscriptions import Subscriptions
from routiq_gql.organizations.feeds import Feeds
from routiq_gql.patients.change_cursors import Place, change_cursor, read_change_cursor
from routiq_gql.patients.change_feed import Behind, ChangeFeed
from routiq_gql.patients.change_keys import ChangeKey
from routiq_gql.patients.change_model import ChangePage, PatientChange
from routiq_gql.patients.change_reading import (
    Comparison,
    changes_behind,
    changes_of,
    comparison_with_base,
    has_changes_until,
    no_longer_kept,
    page_of,
)
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import Viewer, check_sync_id
from routiq_gql.shares import FOLLOW_CONNECTIONS, Shares

DEFAULT_SIZE = 50
LARGEST_SIZE = 200
MOST_SYNCS = 10
"""Syncs, or pairs of them, whose changes are read together by their ids: each needs some ten statements."""
RETRY_SECONDS = 0.5
"""Pause before another read of an unreachable database."""


class PatientChanges:
    """Reads and watches changes of patients.

    Args:
        feeds: The feeds of this process.
        subscriptions: Open subscriptions of this process.
    """

    def __init__(self, database: Database, audit: Audit, feeds: Feeds, subscriptions: Subscriptions) -> None:
        self._database = database
        self._audit = audit
        self._feeds = feeds
        self._changes: dict[str, ChangeFeed] = {}
        self._shares = Shares(FOLLOW_CONNECTIONS)
        self.subscriptions = subscriptions

    def __len__(self) -> int:
        """How many organizations are watched."""
        return len(self._changes)

    async def sync_changes(
        self,
        viewer: Viewer,
        sync_id: str,
        *,
        since: str | None = None,
        first: int | None = None,
        after: str | None = None,
        looks_back: bool = False,
    ) -> ChangePage:
        """A page of 1 to 200 changes (50) of a completed sync, by the patients' ids, behind the cursor ``after``.

        Args:
            since: An earlier sync; then the page is of the difference between both.
            looks_back: Whether to read ``has_previous`` of the page.

        Raises:
            SyncNotFound: A sync is unknown, or another organization's.
            Forbidden: The viewer may not read patients.
            BadInput: An argument has a wrong form, or the changes are not kept.
        """
        size = DEFAULT_SIZE if first is None else first
        if not 1 <= size <= LARGEST_SIZE:
            raise BadInput(f"“first” must be from 1 to {LARGEST_SIZE}.")
        place = read_change_cursor(after) if after is not None else None
        async with self._database.reading() as connection:
            sync, organization_id, comparison = await self._comparison(connection, viewer, sync_id, since)
            above = _above(place, sync, comparison)
            changes, behind = await page_of(connection, comparison, above, size) if comparison else ([], None)
            has_previous = False
            if comparison is not None and looks_back and above:
                has_previous = await has_changes_until(connection, comparison, above)
        await self._audit.read(viewer, Action.PATIENTS, organization_id, list="changes", count=len(changes))
        earlier = comparison.before if comparison is not None and since is not None else None
        cursor = change_cursor(behind or Place.behind(sync.key), earlier.key if earlier is not None else None)
        return ChangePage(
            changes=changes,
            cursor=cursor,
            has_next=behind is not None,
            has_previous=has_previous,
            organization_id=organization_id,
            sync_id=sync.sync_id,
            since=earlier.sync_id if earlier is not None else None,
            is_baseline=comparison is None,
        )

    async def changes_by_keys(self, viewer: Viewer, keys: Collection[ChangeKey]) -> dict[ChangeKey, PatientChange]:
        """The changes with these keys, without those that there are not, are no longer kept, or are another's.

        Raises:
            BadInput: They are of too many syncs.
            Forbidden: The viewer may not read patients.
        """
        wanted: dict[tuple[str, str | None], list[int]] = {}
        for key in dict.fromkeys(keys):
            wanted.setdefault((key.sync_id, key.since), []).append(key.cliniko_id)
        if len(wanted) > MOST_SYNCS:
            raise BadInput(f"Ask for changes of at most {MOST_SYNCS} syncs at once.")
        found: list[tuple[str, PatientChange]] = []
        async with self._database.reading() as connection:
            for (sync_id, since), ids in wanted.items():
                try:
                    _, organization_id, comparison = await self._comparison(connection, viewer, sync_id, since)
                except (BadInput, SyncNotFound):
                    continue
                if comparison is not None:
                    found += [(organization_id, one) for one in await changes_of(connection, comparison, ids)]
        for organization_id, count in Counter(organization_id for organization_id, _ in found).items():
            await self._audit.read(viewer, Action.PATIENTS, organization_id, list="changes", count=count)
        changes = {one.id: one for _, one in found}
        return {key: changes[key.text] for key in keys if key.text in changes}

    def require(self, viewer: Viewer, organization_id: str) -> None:
        """Raise unless the viewer may read changes of the organization's patients.

        Raises:
            BadInput: The organization's id has a wrong form.
            Forbidden: The viewer may not read the organization's patients.
            Unauthenticated: The viewer's token has expired.
        """
        self._audit.require(viewer, organization_id, Action.PATIENTS)

    async def require_watchable(self, viewer: Viewer, organization_id: str, after: str | None) -> None:
        """Raise what ``watch_changes`` would raise at its begin, so that it is an error before the first change.

        Raises:
            Forbidden, RateLimited: As there.
            BadInput: The organization's id or the cursor has a wrong form, or the changes behind it are not kept.
        """
        self._audit.require(viewer, organization_id, Action.PATIENTS)
        self.subscriptions.require_room(organization_id)
        if after is not None:
            async with self._database.reading() as connection:
                await changes_behind(connection, organization_id, _resumable(after), 1)

    async def watch_changes(
        self, viewer: Viewer, organization_id: str, after: str | None = None
    ) -> AsyncGenerator[PatientChange, None]:
        """Each change behind the cursor ``after`` once and in order, then each that a sync makes. Never ends by itself.

        Without ``after``: the changes of syncs that are published from now on.

        Raises:
            BadInput: The cursor is none of this organization, or changes behind it are not kept.
            Forbidden: The viewer may not read the organization's patients.
            RateLimited: Too many subscriptions to the organization are open.
        """
        self._audit.require(viewer, organization_id, Action.PATIENTS)
        place = _resumable(after) if after is not None else None
        newest = Newest[PublishedPatients]()
        with (
            self.subscriptions.counted(organization_id),
            closing(await self._feeds.patients.feed_of(organization_id).follow(newest)) as following,
        ):
            published = following.value
            place = place if place is not None else Place.behind(published.sync)
            feed = self._opened(organization_id, Place.behind(published.sync))
            try:
                while True:
                    while place < Place.behind(published.sync):
                        try:
                            changes, behind = await feed.behind(place, Place.behind(published.sync))
                        except DatabaseAway:
                            await asyncio.sleep(RETRY_SECONDS)
                            continue
                        if changes:
                            await self._audit.read(
                                viewer, Action.PATIENTS, organization_id, list="changes", count=len(changes)
                            )
                        for change in changes:
                            yield change
                        if behind == place:
                            break
                        place = behind
                    published = await newest.next()
            finally:
                self._leave(organization_id, feed)

    def _opened(self, organization_id: str, start: Place) -> ChangeFeed:
        feed = self._changes.get(organization_id)
        if feed is None:

            async def read(place: Place) -> Behind:
                async with self._database.reading(self._shares.of(organization_id)) as connection:
                    return await changes_behind(connection, organization_id, place, LARGEST_SIZE)

            feed = self._changes[organization_id] = ChangeFeed(start, read)
        feed.watcher_count += 1
        return feed

    def _leave(self, organization_id: str, feed: ChangeFeed) -> None:
        feed.watcher_count -= 1
        if not feed.watcher_count:
            del self._changes[organization_id]

    async def _comparison(
        self, connection: AsyncConnection, viewer: Viewer, sync_id: str, since: str | None
    ) -> tuple[PublishedSync, str, Comparison | None]:
        """A sync, its organization, and the syncs to compare, which are ``None`` in a baseline."""
        row = await self._visible_sync(connection, viewer, sync_id)
        self._audit.require(viewer, row.organization_id, Action.PATIENTS)
        mirror = await mirror_of(connection, row.organization_id)
        sync = await published_sync(connection, mirror, row.key) if mirror is not None else None
        if mirror is None or sync is None or sync.key > mirror.sync:
            raise BadInput("This sync has no changes: only a completed sync changes what readers see.")
        if since is None:
            return sync, row.organization_id, await comparison_with_base(connection, mirror, sync)
        return sync, row.organization_id, await self._difference(connection, viewer, mirror, sync, since)

    async def _visible_sync(self, connection: AsyncConnection, viewer: Viewer, sync_id: str) -> SyncRow:
        check_sync_id(sync_id)
        row = await sync_by_id(connection, sync_id, viewer.organization_id, only=viewer.sync_id)
        if row is None:  # the id may have been guessed
            raise self._audit.refused(SyncNotFound(), Action.PATIENTS, viewer)
        return row

    async def _difference(
        self, connection: AsyncConnection, viewer: Viewer, mirror: MirrorRow, sync: PublishedSync, since: str
    ) -> Comparison:
        row = await self._visible_sync(connection, viewer, since)
        if row.organization_id != mirror.organization_id:
            raise BadInput("“since” must be a sync of the same organization.")
        earlier = await published_sync(connection, mirror, row.key)
        if earlier is None or earlier.key >= sync.key:
            raise BadInput("“since” must be a completed sync that ended before the other.")
        if earlier.key < mirror.oldest_kept:
            raise await no_longer_kept(connection, mirror)
        if not earlier.has_lists:
            raise BadInput("“since” is a sync of an earlier version of Routiq, which stored no lists. Use a later one.")
        return Comparison(mirror, earlier, sync, is_difference=True)


def _resumable(after: str) -> Place:
    """The place of a cursor that a subscription may resume from."""
    place, since = read_change_cursor(after)
    if since is not None:
        raise BadInput("“after” is a cursor in the difference between two syncs. Use one of syncChanges without since.")
    return place


def _above(given: tuple[Place, int | None] | None, sync: PublishedSync, comparison: Comparison | None) -> int:
    """The id behind which a page begins."""
    if given is None:
        return 0
    place, since = given
    expected = comparison.before.key if comparison is not None and comparison.is_difference else None
    if place.sync != sync.key or since != expected:
        raise BadInput("“after” is a cursor of another sync. Use it with the arguments of the page that returned it.")
    return place.patient_id
