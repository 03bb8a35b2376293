"""Writes pages of Cliniko into the draft of a sync, each with a checkpoint, and reads again what pages point to.

A merge of two patients moves appointments and attendees without changing their ``updated_at``. A class that appears
may have attendees that are older than any mark. Both are noted in the checkpoint with the page that shows them, so an
interruption forgets none. ``reconcile`` uses this object as its ``Mirroring``.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime

from routiq_gql.cliniko import (
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    MOST_IDS,
    PATIENTS,
    ClinikoClient,
    Page,
    Record,
    Resource,
    booking_in,
    every_row,
    patient_in,
    read_matching,
)
from routiq_gql.connections.state import not_set_up
from routiq_gql.database.class_checks import save_class_checks
from routiq_gql.database.counting import attendees_of_closed_classes, count_visible
from routiq_gql.database.draft_lookups import classes_among, merged_with
from routiq_gql.database.drafts import Closing, Covered, Draft, PageChanges, ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.keep_out import KeepOut
from routiq_gql.database.keys import SealedForOthers
from routiq_gql.database.merging import close_ids, merge_page
from routiq_gql.database.mirror import BY_RESOURCE, MirrorList
from routiq_gql.sync import reconcile
from routiq_gql.sync.checkpoint import Comparing, Effort, Pending, Reading
from routiq_gql.sync.content import booking_ids, merged_patients, page_content, says_nothing
from routiq_gql.sync.findings import MOST_NAMED
from routiq_gql.sync.model import LogLevel, Progress
from routiq_gql.sync.plan import Plan
from routiq_gql.sync.receipt import UnreadableRowReceipt
from routiq_gql.sync.run import NO_PROGRESS, SyncRun

Condition = Callable[[Iterable[str]], str]

ROWS_PER_STEP = 500
"""Rows closed in a transaction, which takes some milliseconds."""


class Drafting:
    """Writes into a draft, within a claim of its sync.

    Attributes:
        changed: Rows that merged pages have changed since this object was made, by the name of the list.
    """

    def __init__(
        self, run: SyncRun, client: ClinikoClient, database: Database, keep_out: KeepOut, draft: Draft, plan: Plan
    ) -> None:
        self.changed: Counter[str] = Counter()
        self.draft = draft
        self.plan = plan
        self._run = run
        self._client = client
        self._database = database
        self._keep_out = keep_out
        self._efforts_before: Mapping[str, Effort] = getattr(run.checkpoint, "efforts", {})
        self._requests_before = Counter(client.requests)
        self._read: Counter[str] = Counter()
        self._unreadable: dict[str, dict[tuple[str | None, str], None]] = {
            name: dict.fromkeys(effort.unreadable) for name, effort in self._efforts_before.items()
        }
        self._noted: set[tuple[int, int | None]] = set()  # merges, so that second readings don't note them again

    async def content(self, resource: Resource[Record], page: Page[Record], covered: Covered | None) -> ReadPage:
        """The content of a page for the mirror."""
        classes = None
        if resource is ATTENDEES:
            async with self._database.reading() as connection:
                classes = await classes_among(connection, self.draft, booking_ids(page))
        return page_content(page, self.plan.horizon, covered, classes)

    async def store(
        self,
        resource: Resource[Record],
        content: ReadPage,
        checkpoint: Reading | Comparing,
        progress: Progress = NO_PROGRESS,
    ) -> PageChanges:
        """Merge a page's content into the draft, in a transaction with the checkpoint. Erased patients stay out."""
        checkpoint = replace(checkpoint, efforts=self.efforts())
        async with self._run.committing(checkpoint, progress) as connection:
            target = BY_RESOURCE[resource.name]
            try:
                content = await self._keep_out.filter(connection, self.draft.mirror, target, content)
            except SealedForOthers as error:  # without the list a page could bring erased patients back
                raise not_set_up(error) from None
            changes = await merge_page(connection, self.draft, target, content)
        self.changed[resource.name] += changes.changed
        return changes

    def count(self, resource: Resource[Record], page: Page[Record]) -> None:
        """Count the rows of a page as read, and note those that are unreadable."""
        self._read[resource.name] += len(page.records) + len(page.unreadable)
        named = self._unreadable.setdefault(resource.name, {})
        for row in page.unreadable:
            if len(named) < MOST_NAMED:
                named[row.id, row.field] = None

    async def pending_after(self, resource: Resource[Record], page: Page[Record], pending: Pending) -> Pending:
        """What must be read again, with what this page points to. Ask before the page is stored."""
        if resource is PATIENTS:
            merges = set(merged_patients(page).items()) - self._noted
            self._noted |= merges
            patients = {one for merge in merges for one in merge if one is not None}
            return replace(pending, patients=tuple(sorted({*pending.patients, *patients})))
        if resource is GROUP_APPOINTMENTS:
            content = page_content(page, self.plan.horizon)
            ids = {*(int(str(row["id"])) for row in content.rows), *content.unreadable}
            async with self._database.reading() as connection:
                ids -= await classes_among(connection, self.draft, ids)
            return replace(pending, classes=tuple(sorted({*pending.classes, *ids})))
        return pending

    def efforts(self) -> dict[str, Effort]:
        """Requests and waits of each list, earlier claims included."""
        requests: Counter[str] = Counter()
        for path, count in (self._client.requests - self._requests_before).items():
            requests[path.partition("/")[0]] += count
        names = {*self._efforts_before, *requests, *self._read} & BY_RESOURCE.keys()
        nothing = Effort()
        return {
            name: Effort(
                self._efforts_before.get(name, nothing).read + self._read[name],
                self._efforts_before.get(name, nothing).requests + requests[name],
                tuple(self._unreadable.get(name, {})),
            )
            for name in sorted(names)
        }

    # The side of the sync for ``reconcile``.

    async def merge(self, resource: Resource[Record], page: Page[Record], covered: Covered | None) -> PageChanges:
        """Merge a page that was read for the comparison; see ``reconcile.Mirroring``."""
        checkpoint = self._comparing()
        self.count(resource, page)
        pending = await self.pending_after(resource, page, checkpoint.pending)
        content = await self.content(resource, page, covered)
        if says_nothing(content):
            return PageChanges(frozenset())
        return await self.store(resource, content, replace(checkpoint, pending=pending))

    async def follow(self) -> None:
        """Read again what merged pages point to."""
        while patients := await self._with_survivors(self._comparing().pending.patients[:MOST_IDS]):
            for resource in (INDIVIDUAL_APPOINTMENTS, ATTENDEES):
                await self._read_again(resource, patient_in, patients)
            await self._forget(patients=patients)
        while classes := self._comparing().pending.classes[:MOST_IDS]:
            await self._read_again(ATTENDEES, booking_in, classes)
            await self._forget(classes=classes)

    async def close_attendees_of_closed_classes(self) -> None:
        """Close the attendees of classes that are not in the draft."""
        while True:
            async with self._database.reading() as connection:  # which takes too long for a writing transaction
                ids = await attendees_of_closed_classes(connection, self.draft, ROWS_PER_STEP)
            if not ids:
                return
            async with self._run.committing(self._comparing(), NO_PROGRESS) as connection:
                await close_ids(connection, self.draft, MirrorList.ATTENDEES, ids, Closing.CLASS_CLOSED)
            self.changed[ATTENDEES.name] += len(ids)

    async def note_compared_classes(self, checked: Mapping[int, datetime]) -> int:
        """Store when classes were compared; how many attendees the draft has in these."""
        async with self._run.committing(self._comparing()) as connection:
            await save_class_checks(connection, self.draft, checked)
            covered = Covered(bookings=tuple(checked))
            return await count_visible(connection, self.draft, MirrorList.ATTENDEES, covered)

    def expect_search(self, list_name: str, rows: int, differing: int) -> None:
        """Let the estimate of the end include a search; see ``reconcile.Mirroring``."""
        self._run.forecast.expect_search(list_name, rows, differing)

    async def report(self, line: str) -> None:
        """Write a line to the sync's log."""
        await self._run.log(LogLevel.INFO, line)

    def effort(self) -> reconcile.Effort:
        """Requests and waits of the sync until now."""
        efforts = self.efforts()
        return reconcile.Effort(
            self._run.requests,
            self._run.waited_seconds,
            {name: one.requests for name, one in efforts.items()},
            {name: one.read for name, one in efforts.items()},
            tuple(UnreadableRowReceipt(name, *row) for name, one in efforts.items() for row in one.unreadable),
        )

    async def _with_survivors(self, patients: Sequence[int]) -> Sequence[int]:
        """These patients and, along chains of merges, all that they were merged with."""
        found = set(patients)
        added = set(found)
        while added:
            async with self._database.reading() as connection:
                added = await merged_with(connection, self.draft, added) - found
            found |= added
        return sorted(found)

    async def _read_again(self, resource: Resource[Record], condition: Condition, ids: Sequence[int]) -> None:
        texts = [str(one) for one in ids]
        reading = read_matching(self._client, resource, condition, texts, filters=every_row(resource))
        async with aclosing(reading) as pages:
            async for _part, page in pages:
                # Rows that are missing here are left to the comparison, which asks for them by id.
                await self.merge(resource, page, None)

    async def _forget(self, patients: Sequence[int] = (), classes: Sequence[int] = ()) -> None:
        checkpoint = self._comparing()
        pending = Pending(
            tuple(sorted({*checkpoint.pending.patients} - {*patients})),
            tuple(sorted({*checkpoint.pending.classes} - {*classes})),
        )
        await self._run.commit(replace(checkpoint, pending=pending, efforts=self.efforts()))

    def _comparing(self) -> Comparing:
        checkpoint = self._run.checkpoint
        if not isinstance(checkpoint, Comparing):
            raise TypeError(f"The comparison is not under way: {type(checkpoint).__name__}")
        return checkpoint
