"""Reads parts of a list again and merges them: a range of ids, rows by id, attendees by class, and recent changes."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from routiq_gql.cliniko import (
    ATTENDEES,
    ClinikoClient,
    Page,
    Record,
    Resource,
    booking_in,
    changed_since,
    content_filters,
    every_row,
    ids_between,
    ids_in,
    read_list,
    read_matching,
)
from routiq_gql.database.drafts import Covered
from routiq_gql.sync.reconcile.terms import Mirroring, Terms

IDS_PER_REQUEST = 100
"""Rows that fit a page."""


class Rereader:
    """Reads again within a comparison. ``read_…`` methods that return ids return those of the rows they changed."""

    def __init__(self, client: ClinikoClient, terms: Terms, mirroring: Mirroring) -> None:
        self._client = client
        self._terms = terms
        self._mirroring = mirroring

    async def read_changes(self, resource: Resource[Record]) -> set[int]:
        """Read the rows that changed since this sync's own mark."""
        changed: set[int] = set()
        filters = changed_since(resource, self._terms.mark)
        async with aclosing(read_list(self._client, resource, filters=filters)) as pages:
            async for page in pages:
                changed |= await self._merge(resource, page, None)
        return changed

    async def read_range(self, resource: Resource[Record], above: int | None, up_to: int | None) -> set[int]:
        """Read the rows with ids in a range; rows of the mirror that are missing there are closed."""
        horizon = self._terms.horizon
        whole = Covered(above=above, up_to=up_to)
        if resource.has_start:
            whole = replace(whole, starts_from=horizon.start, starts_to=horizon.end)
        filters = [*content_filters(resource, horizon), *ids_between(_text(above), _text(up_to))]
        changed: set[int] = set()
        in_passes: list[Page[Record]] = []
        rest = whole
        async with aclosing(read_list(self._client, resource, filters=filters)) as pages:
            async for page in pages:
                if page.restarted:
                    in_passes.clear()
                if page.last_id is None or in_passes or page.restarted:
                    in_passes.append(page)
                    continue
                end = int(page.last_id) if page.remaining else up_to
                changed |= await self._merge(resource, page, replace(rest, up_to=end))
                rest = replace(rest, above=end)
        if in_passes:  # only together do they say what is missing
            changed |= await self._merge(resource, _joined(in_passes), whole)
        return changed

    async def read_ids(self, resource: Resource[Record], ids: Sequence[int]) -> tuple[set[int], list[Record]]:
        """Read these rows, hidden ones included; those that Cliniko does not have are closed. Returns the rows too."""
        changed: set[int] = set()
        records: list[Record] = []
        texts = [str(row_id) for row_id in ids]
        reading = read_matching(
            self._client, resource, ids_in, texts, filters=every_row(resource), most_ids=IDS_PER_REQUEST
        )
        async with aclosing(reading) as pages:
            async for part, page in pages:
                covered = Covered(ids=tuple(int(one) for one in part)) if _is_whole(page) else None
                changed |= await self._merge(resource, page, covered)
                records += page.records
        return changed, records

    async def read_attendees(self, classes: Sequence[int]) -> tuple[int, set[int]]:
        """Read the attendees of these classes. Returns how many there are, and the ids of those that can be read.

        Rows of the mirror that are missing stay.
        """
        count, ids = 0, set[int]()
        texts = [str(row_id) for row_id in classes]
        filters = content_filters(ATTENDEES)
        parts: dict[tuple[str, ...], list[Page[Record]]] = {}
        async with aclosing(read_matching(self._client, ATTENDEES, booking_in, texts, filters=filters)) as pages:
            async for part, page in pages:
                pages_of_part = parts.setdefault(tuple(part), [])
                if page.restarted:  # of several passes only the last counts
                    pages_of_part.clear()
                pages_of_part.append(page)
        for joined in map(_joined, parts.values()):
            await self._merge(ATTENDEES, joined, None)
            count += joined.read
            ids |= {int(record.id) for record in joined.records}
            ids |= {int(row.id) for row in joined.unreadable if row.id is not None}
        return count, ids

    async def _merge(self, resource: Resource[Record], page: Page[Record], covered: Covered | None) -> set[int]:
        return set((await self._mirroring.merge(resource, page, covered)).ids)


def _is_whole(page: Page[Record]) -> bool:
    return not page.remaining and not page.restarted and page.read == len(page.records) + len(page.unreadable)


def _joined(pages: Sequence[Page[Record]]) -> Page[Record]:
    """The pages of a small part as a single one; a row that was read twice counts as read last."""
    records = {record.id: record for page in pages for record in page.records}
    unreadable = [row for page in pages for row in page.unreadable]
    return Page(
        list(records.values()),
        None,
        len(records) + len(unreadable),
        0,
        unreadable=unreadable,
        unreadable_read=len(unreadable),
    )


def _text(row_id: int | None) -> str | None:
    return None if row_id is None else str(row_id)
