"""Compares the published mirror with Cliniko row by row: reads everything, writes nothing.

``routiq-gql verify`` uses it, with the filters of a full sync. A difference names the row and the fields, no value.
Changes that people make in Cliniko after the last sync differ as well, and are marked as recent.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from routiq_gql.cliniko import (
    ATTENDEES,
    GROUP_APPOINTMENTS,
    PRACTITIONERS,
    RESOURCES,
    ClinikoClient,
    Horizon,
    Page,
    Record,
    Resource,
    booking_in,
    content_filters,
    every_row,
    ids_in,
    read_list,
    read_matching,
    read_practitioners,
)
from routiq_gql.database.drafts import Covered
from routiq_gql.database.engine import Database
from routiq_gql.database.keep_out import ErasedPatients
from routiq_gql.database.mirror import BY_RESOURCE
from routiq_gql.database.published_rows import PublishedRow, published_rows
from routiq_gql.database.rows import MirrorRow
from routiq_gql.sync.content import page_content

ROWS_PER_BATCH = 1_000
"""Rows of the mirror that are held at once."""
IDS_PER_REQUEST = 100
"""Rows that fit a page."""
CLASSES = "classes with attendees"


class Kind(Enum):
    """How a row differs; the values are for people."""

    ONLY_IN_CLINIKO = "only in Cliniko"
    ONLY_IN_MIRROR = "only in the mirror"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Difference:
    """A row by which the mirror differs from Cliniko.

    Attributes:
        list: Cliniko's name of the list.
        id: The row's id in Cliniko.
        fields: The columns that differ, if the row is in both.
        is_recent: Whether Cliniko's row was changed after the mark of the last sync, which may be the reason. Not known
            of a row that Cliniko has deleted completely.
    """

    list: str
    id: int
    kind: Kind
    fields: tuple[str, ...] = ()
    is_recent: bool = False


@dataclass(frozen=True, slots=True)
class ListProgress:
    """How far a list is compared.

    Attributes:
        label: The list's name in sentences.
        read: Rows of Cliniko so far,
        total: of so many, by its current total.
        is_denied: Whether the key may not read the list, so that it is not compared.
        unreadable: Rows among ``read`` that can't be read, so that they are not compared; of attendees: among those of
            the classes so far.
    """

    list: str
    label: str
    read: int
    total: int
    is_denied: bool = False
    unreadable: int = 0


Event = Difference | ListProgress


class Verifier:
    """Compares the mirror of an organization as its published sync left it, within that sync's ``horizon``.

    Rows of erased patients are not compared.
    """

    def __init__(
        self,
        client: ClinikoClient,
        database: Database,
        mirror: MirrorRow,
        horizon: Horizon,
        erased: ErasedPatients | None,
    ) -> None:
        self._client = client
        self._database = database
        self._mirror = mirror
        self._horizon = horizon
        self._erased = erased
        self._classes: set[int] = set()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield differences as they are found, and the progress with each page. Consume under ``aclosing``.

        Raises:
            ClinikoError: A list can't be read to its end.
        """
        for resource in RESOURCES:
            if resource is ATTENDEES:
                events = self._attendees()
            elif resource is PRACTITIONERS:
                events = self._practitioners()
            else:
                events = self._list(resource)
            async with aclosing(events):
                async for event in events:
                    yield event

    async def _list(self, resource: Resource[Record]) -> AsyncGenerator[Event, None]:
        whole = Covered()
        if resource.has_start:
            whole = Covered(starts_from=self._horizon.start, starts_to=self._horizon.end)
        rest, in_passes, named = whole, list[Page[Record]](), set[int]()
        filters = content_filters(resource, self._horizon)
        async with aclosing(read_list(self._client, resource, filters=filters)) as pages:
            async for page in pages:
                yield _progress(resource, page)
                if page.restarted:
                    in_passes.clear()
                if page.restarted or in_passes:  # no page of a pass says what is missing
                    in_passes.append(page)
                    continue
                end = int(page.last_id) if page.last_id is not None and page.remaining else None
                for difference in await self._compare(resource, [page], replace(rest, up_to=end)):
                    named.add(difference.id)
                    yield difference
                rest = replace(rest, above=end)
        if in_passes:
            for difference in await self._compare(resource, in_passes, whole):
                if difference.id not in named:  # by a page from before the passes
                    yield difference

    async def _attendees(self) -> AsyncGenerator[Event, None]:
        """Attendees have no total within the horizon: classes stand for them in the progress."""
        ids = [str(class_id) for class_id in sorted(self._classes)]
        filters = content_filters(ATTENDEES)
        compared = unreadable = 0
        begun: list[str] = []
        pages_of_part: list[Page[Record]] = []
        async with aclosing(read_matching(self._client, ATTENDEES, booking_in, ids, filters=filters)) as pages:
            async for part, page in pages:
                if list(part) != begun and begun:
                    for difference in await self._compare_attendees(begun, pages_of_part):
                        yield difference
                    compared += len(begun)
                    unreadable += _unreadable(pages_of_part)
                    yield ListProgress(ATTENDEES.name, CLASSES, compared, len(ids), unreadable=unreadable)
                if list(part) != begun or page.restarted:
                    begun, pages_of_part = list(part), []
                pages_of_part.append(page)
        for difference in await self._compare_attendees(begun, pages_of_part):
            yield difference
        unreadable += _unreadable(pages_of_part)
        yield ListProgress(ATTENDEES.name, CLASSES, len(ids), len(ids), unreadable=unreadable)

    async def _compare_attendees(self, classes: Sequence[str], pages: Sequence[Page[Record]]) -> list[Difference]:
        return await self._compare(ATTENDEES, pages, Covered(bookings=tuple(int(one) for one in classes)))

    async def _practitioners(self) -> AsyncGenerator[Event, None]:
        page = await read_practitioners(self._client)
        if page is None:
            yield ListProgress(PRACTITIONERS.name, PRACTITIONERS.label, 0, 0, is_denied=True)
            return
        yield _progress(PRACTITIONERS, page)
        for difference in await self._compare(PRACTITIONERS, [page], Covered()):
            yield difference

    async def _compare(
        self, resource: Resource[Record], pages: Sequence[Page[Record]], covered: Covered
    ) -> list[Difference]:
        """The differences in a part of a list that these pages hold completely."""
        contents = [page_content(page, self._horizon) for page in pages]
        if self._erased is not None:
            contents = [self._erased.filter(BY_RESOURCE[resource.name], content) for content in contents]
        listed = {int(str(row["id"])): row for content in contents for row in content.rows}
        unreadable = {row_id for content in contents for row_id in content.unreadable}
        unreadable |= {int(str(row["id"])) for content in contents for row in content.suppressed}
        found: list[Difference] = []
        left = dict(listed)
        while True:
            stored = await self._stored(resource, covered)
            if resource is GROUP_APPOINTMENTS:
                self._classes.update(stored)
            for row_id, row in stored.items():
                found += self._of_stored(resource, row_id, row, left.pop(row_id, None), unreadable)
            if len(stored) < ROWS_PER_BATCH:
                break
            covered = replace(covered, above=max(stored))
        if resource is GROUP_APPOINTMENTS:
            self._classes.update(listed)
        found = await self._with_hidden(resource, found)
        found += [
            Difference(resource.name, row_id, Kind.ONLY_IN_CLINIKO, is_recent=self._is_recent(row.get("updated_at")))
            for row_id, row in left.items()
        ]
        return sorted(found, key=lambda one: one.id)

    async def _with_hidden(self, resource: Resource[Record], found: list[Difference]) -> list[Difference]:
        """The differences, with the rows that Cliniko has hidden since the last sync marked as recent.

        Cliniko lists archived and deleted appointments only on demand, as well as those moved out of the horizon.
        """
        gone = [str(one.id) for one in found if one.kind is Kind.ONLY_IN_MIRROR] if resource.dropped else []
        recent: set[int] = set()
        filters = every_row(resource)
        reading = read_matching(self._client, resource, ids_in, gone, filters=filters, most_ids=IDS_PER_REQUEST)
        async with aclosing(reading) as pages:
            async for _, page in pages:
                recent |= {int(record.id) for record in page.records if self._is_recent(record.updated_at)}
        return [replace(one, is_recent=one.is_recent or one.id in recent) for one in found]

    async def _stored(self, resource: Resource[Record], covered: Covered) -> dict[int, PublishedRow]:
        target, mirror = BY_RESOURCE[resource.name], self._mirror
        async with self._database.reading() as connection:
            return await published_rows(connection, target, mirror.number, mirror.sync, covered, ROWS_PER_BATCH)

    def _of_stored(
        self,
        resource: Resource[Record],
        row_id: int,
        stored: PublishedRow,
        listed: Mapping[str, object] | None,
        unreadable: set[int],
    ) -> list[Difference]:
        if listed is None:
            is_known = row_id in unreadable  # an unreadable row keeps what is known of it
            return [] if is_known else [Difference(resource.name, row_id, Kind.ONLY_IN_MIRROR)]
        names = tuple(
            name
            for name, value in stored.values.items()
            if name != "updated_at" and (stored.is_stub or value != listed[name])
        )
        if not names:
            return []
        return [Difference(resource.name, row_id, Kind.DIFFERENT, names, self._is_recent(listed.get("updated_at")))]

    def _is_recent(self, changed_at: object) -> bool:
        mark = self._mirror.mark
        return mark is None or (isinstance(changed_at, datetime) and changed_at >= mark)


def _progress(resource: Resource[Record], page: Page[Record]) -> ListProgress:
    total = page.read + page.remaining
    return ListProgress(resource.name, resource.label, page.read, total, unreadable=page.unreadable_read)


def _unreadable(pages: Sequence[Page[Record]]) -> int:
    return sum(len(page.unreadable) for page in pages)
