"""A sync without steps, claims and progress: it reads an emulated clinic into a draft and compares it.

For the tests of the comparison, which need neither a server nor a run.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.cliniko import (
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    RESOURCES,
    ClinikoClient,
    Horizon,
    Page,
    Resource,
    booking_in,
    changed_since,
    content_filters,
    every_row,
    patient_in,
    read_list,
    read_matching,
    read_practitioners,
)
from routiq_gql.clock import utc_now
from routiq_gql.database.class_checks import save_class_checks
from routiq_gql.database.counting import attendees_of_closed_classes, count_visible, ids_within
from routiq_gql.database.draft_lookups import classes_among, merged_with
from routiq_gql.database.drafts import Closing, Covered, Draft, PageChanges
from routiq_gql.database.engine import Database
from routiq_gql.database.merging import close_ids, merge_page
from routiq_gql.database.mirror import BY_RESOURCE, MirrorList
from routiq_gql.database.publishing import mirror_of, open_draft, publish
from routiq_gql.database.tables import SYNC
from routiq_gql.sync.content import booking_ids, merged_patients, page_content
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode
from routiq_gql.sync.receipt import ListReceipt, Receipt
from routiq_gql.sync.reconcile import Effort, FullReadNeeded, Reconciler, Terms

ORGANIZATION = "org_a"
DAY = timedelta(days=1)
Hook = Callable[[], Awaitable[None] | None]


@dataclass
class Outcome:
    """The result of a sync.

    Attributes:
        log: The lines of the comparison.
        was_full: Whether it had to read everything.
    """

    receipt: Receipt
    log: list[str]
    was_full: bool

    def of(self, resource: Resource[Any]) -> ListReceipt:
        """The receipt of a list."""
        return next(one for one in self.receipt.lists if one.list == resource.name)


@dataclass
class SmallSync:
    """The syncs of one clinic, one after the other.

    Attributes:
        before_comparing: Called when all lists are read, before the comparison.
    """

    client: ClinikoClient
    database: Database
    now: Callable[[], datetime] = utc_now
    before_comparing: Hook | None = None
    horizon: Horizon = field(init=False)

    def __post_init__(self) -> None:
        midnight = self.now().replace(hour=0, minute=0, second=0, microsecond=0)
        self.horizon = Horizon(midnight - 730 * DAY)

    async def run(self, *, full: bool = False) -> Outcome:
        """Read, compare and publish."""
        draft = await self._begin()
        async with self.database.reading() as connection:
            mirror = await mirror_of(connection, ORGANIZATION)
        assert mirror is not None
        since = None if full else mirror.mark
        run = _Run(self, draft, self.now().replace(microsecond=0) - timedelta(minutes=10))
        before = self.client.requests.total()
        try:
            receipt = await run.read_and_compare(since)
            was_full = since is None
        except FullReadNeeded as problem:
            run.log.append(problem.reason)
            receipt = await run.read_and_compare(None)
            was_full = True
        async with self.database.writing() as connection:
            ended = update(SYNC).where(SYNC.c.key == draft.sync)
            await connection.execute(ended.values(completed_at=utc_now(), status="completed"))
            values: Any = {"published_at": utc_now(), "mark": run.terms(full=was_full).mark}
            await publish(connection, draft, values | ({"full_at": self.now()} if was_full else {}))
        assert receipt.requests == self.client.requests.total() - before
        return Outcome(receipt, run.log, was_full)

    async def ids(self, resource: Resource[Any]) -> set[int]:
        """The ids of a list that readers see."""
        return set(await self.rows(resource))

    async def rows(self, resource: Resource[Any]) -> dict[int, Mapping[str, Any]]:
        """The rows of a list that readers see, by id."""
        target = BY_RESOURCE[resource.name]
        async with self.database.reading() as connection:
            mirror = await mirror_of(connection, ORGANIZATION)
            assert mirror is not None
            columns = target.table.c
            shown = target.of(mirror.number) & (columns.from_sync <= mirror.sync) & (columns.to_sync > mirror.sync)
            rows = [dict(row._mapping) for row in await connection.execute(select(target.table).where(shown))]
        assert len({row["id"] for row in rows}) == len(rows)
        return {row["id"]: row for row in rows}

    async def _begin(self) -> Draft:
        async with self.database.writing() as connection:
            values = {**first_values(SyncMode.AUTO, utc_now()), "version": 1, "epoch": 0, "sync_id": str(utc_now())}
            row = insert(SYNC).values(**values, organization_id=ORGANIZATION).returning(SYNC.c.key)
            key = (await connection.execute(row)).scalar_one()
            draft = await open_draft(connection, ORGANIZATION, key)
        assert draft is not None
        return draft


class _Run:
    """A sync, and the side of it that the comparison uses."""

    def __init__(self, sync: SmallSync, draft: Draft, mark: datetime) -> None:
        self.changed: Counter[str] = Counter()
        self.log: list[str] = []
        self._sync = sync
        self._draft = draft
        self._mark = mark
        self._read: Counter[str] = Counter()
        self._requests_before = Counter(sync.client.requests)
        self._merged: set[int] = set()
        self._followed: set[int] = set()

    def terms(self, *, full: bool) -> Terms:
        now = self._sync.now()
        return Terms(full, self._mark, self._sync.horizon, now - 30 * DAY, now + 30 * DAY)

    async def read_and_compare(self, since: datetime | None) -> Receipt:
        client, horizon = self._sync.client, self._sync.horizon
        terms = self.terms(full=since is None)
        reconciler = Reconciler(client, self._sync.database, self._draft, terms, self)
        whole: dict[str, int] = {}
        for resource in RESOURCES:
            if resource.is_optional:
                page = await read_practitioners(client)
                if page is not None:
                    await self.merge(resource, page, Covered())
                    whole[resource.name] = page.read
            elif resource is ATTENDEES and since is None:
                await self._read_all_attendees()
            elif resource.has_changes and since is not None:
                await reconciler.count_before(resource)
                await self._pages(resource, changed_since(resource, since), None)
            else:
                covered = Covered(starts_from=horizon.start) if resource.has_start else Covered()
                whole[resource.name] = await self._pages(resource, content_filters(resource, horizon), covered)
        if self._sync.before_comparing is not None:
            result = self._sync.before_comparing()
            if result is not None:
                await result
        return await reconciler.run({name: whole[name] for name in whole if name in _WHOLE})

    async def _pages(self, resource: Resource[Any], filters: list[str], covered: Covered | None) -> int:
        above: int | None = None
        rows = 0
        async with aclosing(read_list(self._sync.client, resource, filters=filters)) as pages:
            async for page in pages:
                assert not page.restarted
                part = None
                if covered is not None:
                    end = int(page.last_id) if page.last_id is not None and page.remaining else None
                    part = Covered(above, end, covered.starts_from)
                    above = end
                await self.merge(resource, page, part)
                rows = page.read
        return rows

    async def _read_all_attendees(self) -> None:
        async with self._sync.database.reading() as connection:
            classes = await ids_within(connection, self._draft, MirrorList.GROUP_APPOINTMENTS, None, 10**6)
        await self._attendees(classes)

    async def _attendees(self, classes: list[int]) -> None:
        ids = [str(one) for one in classes]
        seen: dict[tuple[str, ...], list[Any]] = {}
        reading = read_matching(self._sync.client, ATTENDEES, booking_in, ids, filters=content_filters(ATTENDEES))
        async with aclosing(reading) as pages:
            async for part, page in pages:
                seen.setdefault(tuple(part), []).extend(page.records)
        for part, records in seen.items():
            covered = Covered(bookings=tuple(int(one) for one in part))
            await self.merge(ATTENDEES, Page(records, None, len(records), 0), covered)

    # Mirroring

    async def merge(self, resource: Resource[Any], page: Page[Any], covered: Covered | None) -> PageChanges:
        self._read[resource.name] += len(page.records) + len(page.unreadable)
        if resource is PATIENTS:
            self._merged |= {one for pair in merged_patients(page).items() for one in pair if one is not None}
        classes = None
        async with self._sync.database.writing() as connection:
            if resource is ATTENDEES:
                classes = await classes_among(connection, self._draft, booking_ids(page))
            content = page_content(page, self._sync.horizon, covered, classes)
            changes = await merge_page(connection, self._draft, BY_RESOURCE[resource.name], content)
        self.changed[resource.name] += changes.changed
        return changes

    async def follow(self) -> None:
        patients = self._merged - self._followed
        while patients:
            async with self._sync.database.reading() as connection:
                found = await merged_with(connection, self._draft, patients) - patients
            if not found:
                break
            patients |= found
        for resource in (INDIVIDUAL_APPOINTMENTS, ATTENDEES) if patients else ():
            ids = [str(one) for one in sorted(patients)]
            reading = read_matching(self._sync.client, resource, patient_in, ids, filters=every_row(resource))
            async with aclosing(reading) as pages:
                async for _part, page in pages:
                    await self.merge(resource, page, None)
        self._followed |= patients
        async with self._sync.database.reading() as connection:
            opened = await self._classes_opened(connection) if self._draft.base else []
        if new := [one for one in opened if -one not in self._followed]:
            await self._attendees(new)
            self._followed |= {-one for one in new}

    async def _classes_opened(self, connection: AsyncConnection) -> list[int]:
        """Classes in the draft that are not in its base: new, restored, or moved into the horizon."""
        classes, row = MirrorList.GROUP_APPOINTMENTS, MirrorList.GROUP_APPOINTMENTS.table.c
        in_base = select(row.id).where(classes.of(self._draft.mirror), row.to_sync == self._draft.sync)
        written = select(row.id).where(classes.in_draft(self._draft), row.from_sync == self._draft.sync)
        opened = written.where(row.id.not_in(in_base)).order_by(row.id)
        return list((await connection.execute(opened)).scalars())

    async def close_attendees_of_closed_classes(self) -> None:
        async with self._sync.database.writing() as connection:
            ids = await attendees_of_closed_classes(connection, self._draft, 10**6)
            await close_ids(connection, self._draft, MirrorList.ATTENDEES, ids, Closing.CLASS_CLOSED)

    async def note_compared_classes(self, checked: Mapping[int, datetime]) -> int:
        async with self._sync.database.writing() as connection:
            await save_class_checks(connection, self._draft, checked)
            covered = Covered(bookings=tuple(checked))
            return await count_visible(connection, self._draft, MirrorList.ATTENDEES, covered)

    def expect_search(self, list_name: str, rows: int, differing: int) -> None:
        """There is no estimate."""

    async def report(self, line: str) -> None:
        self.log.append(line)

    def effort(self) -> Effort:
        requests: Counter[str] = Counter()
        for path, count in (self._sync.client.requests - self._requests_before).items():
            requests[path.partition("/")[0]] += count
        return Effort(requests.total(), self._sync.client.waited_seconds, requests, dict(self._read))


_WHOLE = {resource.name for resource in RESOURCES if not resource.has_changes}
COUNTED = (PATIENTS, INDIVIDUAL_APPOINTMENTS, GROUP_APPOINTMENTS)
