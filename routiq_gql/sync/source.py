"""Cliniko's lists as pages that are ready to be merged. The steps of a sync pull them with ``async for``.

A source reads and writes nothing of the sync itself: it starts from the place in the checkpoint, and every page brings
the place that follows it, and the part of the list that it answers for.
"""

from array import array
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from routiq_gql.cliniko import (
    ATTENDEES,
    MOST_IDS,
    PRACTITIONERS,
    ClinikoClient,
    Page,
    QueryRefused,
    QueryTooSlow,
    Record,
    Resource,
    booking_in,
    changed_since,
    content_filters,
    read_list,
    read_practitioners,
)
from routiq_gql.database.counting import ids_within
from routiq_gql.database.drafts import Covered, ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList
from routiq_gql.sync.content import count_listed
from routiq_gql.sync.drafting import Drafting
from routiq_gql.sync.place import Counts, Place

CLASSES_PER_REQUEST = MOST_IDS
"""Group appointments whose attendees are asked for at once; halved when Cliniko refuses so many."""
NOTHING_FOUND: Mapping[str, Page[Record]] = {}
IDS_PER_STEP = 1_000
"""Rows of a list read in passes whose neighbours are checked in a transaction."""


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page of a list.

    Attributes:
        content: Its rows for the mirror.
        place: Where reading resumes once the page is stored.
        remaining: Rows that follow in the list, or in the batch of attendees.
        page: The page as it was read; ``None`` if it only closes rows that a list read in passes does not hold.
        is_repeat: Whether the page belongs to a second or later pass over the list.
    """

    content: ReadPage
    place: Place
    remaining: int
    page: Page[Record] | None
    is_repeat: bool = False


class Source:
    """Reads the lists for a sync.

    Args:
        found: Pages with all changes since the plan's mark, by the name of the list, which are not asked for again.
    """

    def __init__(
        self,
        client: ClinikoClient,
        database: Database,
        drafting: Drafting,
        found: Mapping[str, Page[Record]] = NOTHING_FOUND,
    ) -> None:
        self._client = client
        self._database = database
        self._drafting = drafting
        self._plan = drafting.plan
        self._found = found
        self._classes_per_request = CLASSES_PER_REQUEST
        self.is_denied = False

    async def pages(self, resource: Resource[Record], place: Place) -> AsyncGenerator[SourcePage, None]:
        """Yield the pages of a list that follow ``place``. Consume under ``contextlib.aclosing``.

        A full sync reads attendees for the group appointments in the draft, a batch of these at a time.

        Raises:
            ClinikoError: The list can't be read to its end.
        """
        if resource is PRACTITIONERS:
            pages = self._practitioners(place)
        elif self._plan.since is not None and resource.has_changes:
            pages = self._list(resource, place, changed_since(resource, self._plan.since), None)
        elif resource is ATTENDEES:
            pages = self._attendees(place)
        else:
            pages = self._list(resource, place, content_filters(resource, self._plan.horizon), self._whole(resource))
        async with aclosing(pages):
            async for page in pages:
                yield page

    def _whole(self, resource: Resource[Record]) -> Covered:
        horizon = self._plan.horizon
        return Covered(starts_from=horizon.start, starts_to=horizon.end) if resource.has_start else Covered()

    async def _list(
        self, resource: Resource[Record], place: Place, filters: Sequence[str], covered: Covered | None
    ) -> AsyncGenerator[SourcePage, None]:
        if place.has_ended:
            return
        async with aclosing(self._read(resource, place, filters, covered)) as pages:
            async for page in pages:
                yield page

    async def _practitioners(self, place: Place) -> AsyncGenerator[SourcePage, None]:
        """Both lists of practitioners as a single page; none if the key may not read them."""
        page: Page[Record] | None = await read_practitioners(self._client)
        if page is None:
            self.is_denied = True
            return
        self._drafting.count(PRACTITIONERS, page)
        content = await self._drafting.content(PRACTITIONERS, page, Covered())
        counts = _counts_after(page, Counts(), Counts())
        yield SourcePage(content, replace(place, counts=counts, has_ended=True), 0, page)

    async def _attendees(self, place: Place) -> AsyncGenerator[SourcePage, None]:
        while classes := await self._next_classes(place):
            if not place.has_ended:
                filters = [*content_filters(ATTENDEES), booking_in(str(one) for one in classes)]
                begun = replace(place, batch_to=classes[-1])
                try:
                    async with aclosing(
                        self._read(ATTENDEES, begun, filters, Covered(bookings=tuple(classes)))
                    ) as pages:
                        async for page in pages:
                            place = page.place
                            yield page
                except (QueryRefused, QueryTooSlow):
                    if len(classes) == 1:
                        raise
                    self._classes_per_request = len(classes) // 2
                    place = replace(place, last_id=None, batch_to=0, counts=place.counts_before)
                    continue
            place = place.after_batch(classes)

    async def _next_classes(self, place: Place) -> list[int]:
        """The classes of the batch that was interrupted, or of the next batch."""
        between = Covered(above=place.batch_after, up_to=place.batch_to or None)
        limit = CLASSES_PER_REQUEST if place.batch_to else self._classes_per_request
        async with self._database.reading() as connection:
            return await ids_within(connection, self._drafting.draft, MirrorList.GROUP_APPOINTMENTS, between, limit)

    async def _read(
        self, resource: Resource[Record], place: Place, filters: Sequence[str], covered: Covered | None
    ) -> AsyncGenerator[SourcePage, None]:
        """Pages of ``read_list``; behind a list that was read in passes, pages that close what they did not find."""
        counts = place.counts
        seen: array[int] | None = None  # the ids of a pass
        knows_ids = True
        async with aclosing(self._asked(resource, place, filters)) as pages:
            async for page in pages:
                self._drafting.count(resource, page)
                if page.restarted:
                    counts = place.counts_before
                    seen, knows_ids = array("q"), True
                    place = replace(place, last_id=None, counts=counts)
                is_last = page.last_id is not None and not page.remaining
                answered = None
                if covered is not None and seen is None:
                    above = int(place.last_id) if place.last_id is not None else None
                    up_to = int(page.last_id) if page.remaining and page.last_id is not None else None
                    answered = replace(covered, above=above, up_to=up_to)
                content = await self._drafting.content(resource, page, answered)
                if seen is not None:
                    seen.extend(int(str(row["id"])) for row in content.rows)
                    seen.extend(content.unreadable)
                    knows_ids = knows_ids and all(row.id is not None for row in page.unreadable)
                place = replace(
                    place,
                    last_id=page.last_id,
                    has_ended=is_last,
                    counts=_counts_after(page, counts, place.counts),
                )
                yield SourcePage(content, place, page.remaining, page, is_repeat=page.pass_number > 1)
        if covered is not None and seen is not None and knows_ids:
            for content in _unseen(seen, covered):
                yield SourcePage(content, place, 0, None, is_repeat=True)

    async def _asked(
        self, resource: Resource[Record], place: Place, filters: Sequence[str]
    ) -> AsyncGenerator[Page[Record], None]:
        """Pages of Cliniko, unless a look has read them."""
        found = self._found.get(resource.name) if place == Place() else None
        if found is not None:
            yield found
            return
        async with aclosing(read_list(self._client, resource, filters=filters, after=place.last_id)) as pages:
            async for page in pages:
                yield page


def _counts_after(page: Page[Record], before: Counts, now: Counts) -> Counts:
    """The counts behind a page: of a reading that began with ``before``, and has come to ``now`` before the page."""
    return Counts(
        read=before.read + page.read,  # pages may overlap, so their rows don't add up
        listed=now.listed + count_listed(page),
        findings=now.findings.with_page(page, before.findings),
    )


def _unseen(seen: "array[int]", covered: Covered) -> Iterator[ReadPage]:
    """Pages without rows, each for a range of ids: what the range holds besides the ids that were seen is closed."""
    ids = sorted(set(seen))
    above: int | None = None
    for begin in range(0, max(len(ids), 1), IDS_PER_STEP):
        some = ids[begin : begin + IDS_PER_STEP]
        is_last = begin + IDS_PER_STEP >= len(ids)
        up_to = None if is_last else some[-1]
        yield ReadPage((), {}, some, replace(covered, above=above, up_to=up_to))
        above = up_to
