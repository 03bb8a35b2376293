"""Runs the comparison of a sync, in the order in which repairs of a list can affect another, and writes the receipt."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from routiq_gql.cliniko import (
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    RESOURCES,
    ClinikoClient,
    Record,
    Resource,
)
from routiq_gql.clock import utc_now
from routiq_gql.database.counting import list_figures, stub_ids
from routiq_gql.database.drafts import Draft
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import BY_RESOURCE
from routiq_gql.sync.parts import LAST_PART, PARTS
from routiq_gql.sync.plan import Plan
from routiq_gql.sync.receipt import ListReceipt, Receipt, UnreadableRowReceipt
from routiq_gql.sync.reconcile.classes import ClassComparer, ClassesCompared
from routiq_gql.sync.reconcile.comparing import Comparer, Comparison
from routiq_gql.sync.reconcile.following import Follower
from routiq_gql.sync.reconcile.rereading import Rereader
from routiq_gql.sync.reconcile.searching import SearchedList
from routiq_gql.sync.reconcile.spending import Spending
from routiq_gql.sync.reconcile.terms import REFUSALS, FullReadNeeded, Mirroring, Terms
from routiq_gql.sync.reconcile.totals import ListCounts, Scope

COUNTED: tuple[Resource[Record], ...] = (PATIENTS, INDIVIDUAL_APPOINTMENTS, GROUP_APPOINTMENTS)
"""The lists that are compared by totals."""
EVERY_LIST = frozenset(resource.name for resource in RESOURCES)
MOST_NAMED = 20
"""Unreadable rows of a list that a receipt names."""
NOT_COMPARED = ClassesCompared(None, 0, None, 0, 0, None)
STUB_REASON = "starts_at"
"""Only the start of an appointment is required besides the id, so a row with an id is unreadable for this reason."""


class Reconciler:
    """Compares the draft of a sync with Cliniko; within a claim."""

    def __init__(
        self, client: ClinikoClient, database: Database, draft: Draft, terms: Terms, mirroring: Mirroring
    ) -> None:
        self._database = database
        self._draft = draft
        self._terms = terms
        self._mirroring = mirroring
        self._counts = ListCounts(client, database, draft, terms)
        rereader = Rereader(client, terms, mirroring)
        self._follower = follower = Follower(database, draft, rereader)
        spending = Spending(client)

        def search(resource: Resource[Record], scope: Scope, up_to: int | None) -> SearchedList:
            return SearchedList(resource, scope, up_to, self._counts, rereader, follower, spending)

        self._comparer = Comparer(self._counts, terms, mirroring, rereader, spending, search)
        self._classes = ClassComparer(database, draft, terms, mirroring, rereader)

    async def count_before(self, resource: Resource[Record]) -> None:
        """Ask for a list's totals before an incremental reading of its changes. Does nothing for other lists.

        Raises:
            ClinikoError: Cliniko can't be read.
        """
        if resource in COUNTED:
            await self._comparer.count_before(resource)

    async def run(self, whole: Mapping[str, int | None]) -> Receipt:
        """Compare and repair every list, and return the receipt.

        Args:
            whole: By the name of each list that was read whole (types, practitioners): its rows in Cliniko; ``None`` or
                nothing for a list that the key may not read.

        Raises:
            FullReadNeeded: The sync was incremental and has to be full.
            ClinikoError: Cliniko can't be read.
        """
        compared, classes = await self._compare(EVERY_LIST)
        checked_at = self._counts.checked_at or utc_now()
        return await self._receipt(compared, classes, whole, checked_at)

    async def run_part(self, plan: Plan, whole: Mapping[str, int | None], last: Receipt | None) -> Receipt:
        """Read again what the read pages point to, and compare and repair the lists of the plan's part of a comparison.

        The receipt shows the ``last`` comparison for the other lists. That of the last part ends the comparison, and
        has the time of the one before if a part was left out. A sync between two parts keeps their results.

        Args:
            whole: As for ``run``.

        Raises:
            FullReadNeeded: The sync has to be full.
            ClinikoError: Cliniko can't be read.
        """
        part, parts = plan.part, last.parts if last is not None else 0
        names = PARTS[part] if part is not None else frozenset[str]()
        compared, classes = await self._compare(plan.compared_lists)
        is_later = part != LAST_PART or plan.leaves_out or _is_left_out(last)
        checked_at = last.checked_at if is_later and last is not None else utc_now()
        made = await self._receipt(compared, classes, whole, checked_at)
        before, is_under_way = {} if last is None else {one.list: one for one in last.lists}, bool(names or parts)
        lists = [
            one if one.list in names or one.list not in before else _carried(one, before[one.list], is_under_way)
            for one in made.lists
        ]
        if part is not None:
            parts = (part + 1) % len(PARTS)
        return replace(made, lists=tuple(lists), is_later=is_later, parts=parts)

    async def _compare(self, names: Collection[str]) -> tuple[dict[str, Comparison], ClassesCompared]:
        """Compare and repair these lists. What the sync has read is followed in any case."""
        compared: dict[str, Comparison] = {}
        await self._follow()
        if PATIENTS.name in names:
            compared[PATIENTS.name] = await self._comparer.compare(PATIENTS)
            await self._follow()  # merges that the comparison has found
        await self._follow_closed_patients()
        for resource in (INDIVIDUAL_APPOINTMENTS, GROUP_APPOINTMENTS):
            if resource.name in names:
                compared[resource.name] = await self._comparer.compare(resource)
        await self._follow()  # the attendees of classes that have appeared
        classes = await self._compare_classes() if ATTENDEES.name in names else NOT_COMPARED
        await self._mirroring.close_attendees_of_closed_classes()
        return compared, classes

    async def _follow(self) -> None:
        try:
            await self._mirroring.follow()
        except REFUSALS:
            if not self._terms.is_full:
                raise FullReadNeeded("Cliniko does not list appointments by patient, or attendees by class") from None

    async def _compare_classes(self) -> ClassesCompared:
        try:
            return await self._classes.compare()
        except REFUSALS:
            if not self._terms.is_full:
                raise FullReadNeeded("Cliniko does not list attendees by class") from None
        await self._mirroring.report("Cliniko does not list attendees by class, so they were not compared")
        return NOT_COMPARED

    async def _follow_closed_patients(self) -> None:
        try:
            await self._follower.follow_closed_patients()
        except REFUSALS:
            if not self._terms.is_full:
                raise FullReadNeeded("Cliniko does not list appointments by id") from None

    async def _receipt(
        self,
        compared: Mapping[str, Comparison],
        classes: ClassesCompared,
        whole: Mapping[str, int | None],
        checked_at: datetime,
    ) -> Receipt:
        effort = self._mirroring.effort()
        lists: list[ListReceipt] = []
        unreadable_rows = list(effort.unreadable_rows)
        async with self._database.reading() as connection:
            figures = await list_figures(connection, self._draft)
            stubs = {
                target: await stub_ids(connection, self._draft, target, MOST_NAMED)
                for target, its in figures.items()
                if its.stubs
            }
        for resource in RESOURCES:
            name, target = resource.name, BY_RESOURCE[resource.name]
            its = figures[target]
            known = {row.id for row in unreadable_rows if row.list == name}
            unreadable_rows += [
                UnreadableRowReceipt(name, str(row_id), STUB_REASON)
                for row_id in stubs.get(target, [])
                if str(row_id) not in known
            ]
            if resource is ATTENDEES:
                found = Comparison(classes.in_cliniko, classes.in_mirror, classes.agrees)
            elif name in compared:
                found = compared[name]
            else:
                in_cliniko = whole.get(name)  # a counted list has none, and is not compared
                found = Comparison(in_cliniko, its.rows, None if in_cliniko is None else in_cliniko == its.rows)
            has_classes = resource is ATTENDEES
            lists.append(
                ListReceipt(
                    list=name,
                    in_cliniko=found.in_cliniko,
                    in_mirror=found.in_mirror,
                    agrees=found.agrees,
                    read=effort.read_by_list.get(name, 0),
                    added=its.changes.added,
                    updated=its.changes.updated,
                    removed=its.changes.removed,
                    unreadable=max(its.stubs, sum(row.list == name for row in unreadable_rows)),
                    suppressed=its.suppressed,
                    requests=effort.requests_by_list.get(name, 0),
                    compared=classes.compared if has_classes else None,
                    of=classes.of if has_classes else None,
                    oldest_check=classes.oldest_check if has_classes else None,
                )
            )
        return Receipt(
            checked_at=checked_at,
            requests=effort.requests,
            waited_seconds=effort.waited_seconds,
            lists=tuple(lists),
            unreadable_rows=tuple(unreadable_rows),
        )


def _is_left_out(last: Receipt | None) -> bool:
    """Whether an earlier part of the comparison was left out."""
    done = frozenset[str]().union(*PARTS[: last.parts]) if last is not None else frozenset[str]()
    return last is not None and any(one.is_refused for one in last.lists if one.list in done)


def _carried(one: ListReceipt, before: ListReceipt, keeps_result: bool) -> ListReceipt:
    """The receipt of a list that this sync has not compared, with the comparison before; its result if it counts on."""
    return replace(
        one,
        in_cliniko=before.in_cliniko,
        in_mirror=before.in_mirror if one.list == ATTENDEES.name else one.in_mirror,
        agrees=before.agrees if keeps_result else None,
        compared=before.compared,
        of=before.of,
        oldest_check=before.oldest_check,
    )
