"""Cliniko's lists as pages that are ready to be stored. The steps of a sync pull them with ``async for``.

A source reads and writes nothing of the sync itself: it starts from the place in the checkpoint, and every page brings
the place that follows it.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields, replace
from operator import attrgetter

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.cliniko import ATTENDEES, ClinikoClient, Record, booking_in, read_list, starts_between
from routiq_gql.database.active_patients import Windows
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList, drop_attendees, drop_list, group_ids_after, save_rows
from routiq_gql.sync.lists import SyncedList
from routiq_gql.sync.place import Place

CLASSES_PER_REQUEST = 50
"""Group appointments whose attendees are asked for at once; their ids make an address of some 1,100 characters."""


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page of a list.

    Attributes:
        target: Where its rows belong.
        rows: Its readable rows, by column.
        place: Where reading resumes once the page is stored.
        remaining: Rows that follow in the list, or in the batch of attendees.
        is_repeat: Whether the page belongs to a second or later pass over the list.
        is_restart: Whether earlier rows of the list are deleted before the page is stored.
        batch: Of attendees: the group appointments whose rows a restart deletes.
    """

    target: MirrorList
    rows: Sequence[Mapping[str, object]]
    place: Place
    remaining: int
    is_repeat: bool
    is_restart: bool
    batch: Sequence[str]

    async def store(self, connection: AsyncConnection, generation: int) -> None:
        """Write the page into the mirror."""
        if self.is_restart and self.batch:
            await drop_attendees(connection, generation, self.batch)
        elif self.is_restart:
            await drop_list(connection, self.target, generation)
        await save_rows(connection, self.target, generation, self.rows)


class Source:
    """Reads the lists for a sync."""

    def __init__(self, client: ClinikoClient, database: Database, generation: int, windows: Windows) -> None:
        self._client = client
        self._database = database
        self._generation = generation
        self._windows = windows

    async def pages(self, synced: SyncedList, place: Place) -> AsyncGenerator[SourcePage, None]:
        """Yield the pages of a list that follow ``place``. Consume under ``contextlib.aclosing``.

        Attendees are read for the group appointments that are stored already, a batch of these at a time.

        Raises:
            ClinikoError: The list can't be read to its end.
        """
        pages = self._attendees(synced, place) if synced.resource is ATTENDEES else self._whole(synced, place)
        async with aclosing(pages):
            async for page in pages:
                yield page

    async def _whole(self, synced: SyncedList, place: Place) -> AsyncGenerator[SourcePage, None]:
        if place.has_ended:
            return
        windows = self._windows
        filters = starts_between(windows.recent_from, windows.upcoming_to) if synced.resource.has_start else []
        async with aclosing(self._read(synced, place, filters)) as pages:
            async for page in pages:
                yield page

    async def _attendees(self, synced: SyncedList, place: Place) -> AsyncGenerator[SourcePage, None]:
        while booking_ids := await self._next_classes(place.batch_after):
            if not place.has_ended:
                async with aclosing(self._read(synced, place, [booking_in(booking_ids)], booking_ids)) as pages:
                    async for page in pages:
                        place = page.place
                        yield page
            place = place.after_batch(booking_ids)

    async def _next_classes(self, after: str) -> list[str]:
        async with self._database.reading() as connection:
            return await group_ids_after(connection, self._generation, after, CLASSES_PER_REQUEST)

    async def _read(
        self, synced: SyncedList, place: Place, filters: Sequence[str], batch: Sequence[str] = ()
    ) -> AsyncGenerator[SourcePage, None]:
        read_before, findings_before = place.read, place.findings
        async with aclosing(read_list(self._client, synced.resource, filters=filters, after=place.last_id)) as pages:
            async for page in pages:
                if page.restarted:
                    read_before, findings_before = 0, place.findings_before
                    place = replace(place, findings=place.findings_before)
                place = replace(
                    place,
                    last_id=page.last_id,
                    has_ended=page.last_id is not None and not page.remaining,
                    read=read_before + page.read,  # pages may overlap, so their rows don't add up
                    findings=place.findings.with_page(page, findings_before),
                )
                yield SourcePage(
                    synced.target,
                    _rows_of(page.records),
                    place,
                    page.remaining,
                    is_repeat=page.pass_number > 1,
                    is_restart=page.restarted,
                    batch=batch,
                )


def _rows_of(records: Sequence[Record]) -> list[dict[str, object]]:
    """The records, all of the same kind, as values by column."""
    if not records:
        return []
    names = [field.name for field in fields(records[0])]
    values_of = attrgetter(*names)
    return [dict(zip(names, values_of(record), strict=True)) for record in records]
