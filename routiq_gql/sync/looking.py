"""A look: asks Cliniko's lists for their newest changes, and tells those apart that no published sync has read.

A change is known if an earlier look has seen the same content of the row and its sync was published, or if the
published rows have it. So a second change within the same second is found, though Cliniko's times are whole seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from routiq_gql.cliniko import (
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    ClinikoClient,
    Page,
    Record,
    Resource,
    UnreadableRow,
    newest_changes,
)
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.refreshes import stored_times
from routiq_gql.database.rows import MirrorRow
from routiq_gql.sync.found import Found, change_of, change_of_second
from routiq_gql.sync.plan import OVERLAP

LOOKED_AT: tuple[Resource[Record], ...] = (PATIENTS, INDIVIDUAL_APPOINTMENTS, GROUP_APPOINTMENTS, ATTENDEES)
"""The lists that Cliniko filters by their changes."""
LOOK_REQUESTS = len(LOOKED_AT)

Row = Record | UnreadableRow


@dataclass(frozen=True, slots=True)
class Seen:
    """The answers to a look.

    Attributes:
        at: The time before the first question, by Cliniko's clock or by this server's, whichever is behind.
        pages: The newest changes, by the name of the list.
    """

    at: datetime
    pages: Mapping[str, Page[Record]]

    def whole_pages(self) -> dict[str, Page[Record]]:
        """The pages that a sync may use in place of its own reading: those with all changes, all of them readable."""
        return {name: page for name, page in self.pages.items() if not page.remaining and not page.unreadable}


async def look_at(client: ClinikoClient, since: datetime) -> Seen:
    """Ask all lists for their newest changes since a mark.

    Raises:
        ClinikoError: Cliniko can't be read.
    """
    await client.wait_turns(LOOK_REQUESTS)
    pages: dict[str, Page[Record]] = {}
    at = began = utc_now()
    for resource in LOOKED_AT:
        pages[resource.name] = await newest_changes(client, resource, since)
        if client.server_date is not None and at is began:  # of the first answer, and so later than its question
            at = min(began, client.server_date - (utc_now() - began))
    return Seen(at.replace(microsecond=0), pages)


async def what_is_new(
    database: Database, mirror: MirrorRow, found: Found, seen: Seen, *, is_outstanding: bool
) -> Found:
    """The knowledge of the looks after this one. ``lists`` has new changes, or changes that a failed sync was to read.

    Without any new change this takes no statement.
    """
    known = found.seen if is_outstanding else found.seen | found.pending
    current, cut = set[str](), set[str]()
    new: dict[str, dict[str, Row]] = {}
    for name, page in seen.pages.items():
        rows: list[Row] = [*page.records, *page.unreadable]
        for row in rows:
            change = change_of(name, row)
            current.add(change)
            if change not in known:
                new.setdefault(name, {})[change] = row
        if (second := _cut_second(page)) is not None:
            change = change_of_second(name, second, is_over=second < seen.at)
            current.add(change)
            if change not in known:
                cut.add(name)
    stored = await _stored(database, mirror, new) if new else set()
    missing = cut | {name for name, changes in new.items() if not changes.keys() <= stored}
    lists = missing | set(found.lists) if is_outstanding else missing
    if not lists and not new:
        return replace(found, lists=())  # the lists of the last look were read
    kept = (known & current) | stored
    pending = current - kept if lists else set()
    return replace(
        found, seen=frozenset(kept), pending=frozenset(pending), lists=tuple(sorted(lists)), looked_at=seen.at
    )


def _cut_second(page: Page[Record]) -> datetime | None:
    """The second of all changes of a page, if the list may have further changes of this second behind the page."""
    times = {record.updated_at for record in page.records}
    return times.pop() if page.remaining and len(times) == 1 else None


async def _stored(database: Database, mirror: MirrorRow, new: Mapping[str, Mapping[str, Row]]) -> set[str]:
    """Those of these changes that the published sync has read for sure."""
    if mirror.mark is None:
        return set()
    read_from = mirror.mark + OVERLAP  # it began to read at this time or later
    found: set[str] = set()
    async with database.reading() as connection:
        for name, changes in new.items():
            readable = {change: row for change, row in changes.items() if not isinstance(row, UnreadableRow)}
            times = await stored_times(connection, mirror, name, [int(row.id) for row in readable.values()])
            for change, row in readable.items():
                moment = row.updated_at
                if moment is not None and moment < read_from and times.get(int(row.id)) == moment:
                    found.add(change)
    return found
