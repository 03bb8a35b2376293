"""Makes a list agree with Cliniko: totals, the changes that follow them, and repairs where the totals differ.

Equal totals are not enough, since an edit between the reading and the total may hide another. A list agrees when a
total that was taken between two reads of its changes equals the mirror, and the second read brought nothing new. An
incremental sync takes the first total before it reads the changes, so a calm list needs no second read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from routiq_gql.cliniko import Record, Resource
from routiq_gql.clock import utc_now
from routiq_gql.sync.reconcile.bisecting import repair_differences
from routiq_gql.sync.reconcile.rereading import Rereader
from routiq_gql.sync.reconcile.searching import SearchedList
from routiq_gql.sync.reconcile.spending import OverSpent, Spending
from routiq_gql.sync.reconcile.terms import REFUSALS, FullReadNeeded, Mirroring, Terms
from routiq_gql.sync.reconcile.totals import ListCounts, Scope, Totals

ROUNDS = 3
"""Totals of a list that is being edited meanwhile. Then it does not agree yet."""
TOTAL_IS_FRESH = timedelta(minutes=10)
"""A total from before the reading counts for this long."""

Search = Callable[[Resource[Record], Scope, int | None], SearchedList]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result for a list; ``None`` in place of what could not be asked."""

    in_cliniko: int | None
    in_mirror: int
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class _Judgement:
    """A comparison with totals.

    Attributes:
        is_calm: Whether the sync has not changed the list since the totals were taken.
    """

    comparison: Comparison
    is_calm: bool


class Comparer:
    """Compares lists within a claim of a sync.

    Args:
        search: Makes the list that is searched for differences.
    """

    def __init__(
        self,
        counts: ListCounts,
        terms: Terms,
        mirroring: Mirroring,
        rereader: Rereader,
        spending: Spending,
        search: Search,
    ) -> None:
        self._counts = counts
        self._terms = terms
        self._mirroring = mirroring
        self._rereader = rereader
        self._spending = spending
        self._search = search
        self._early: dict[str, tuple[Totals, int]] = {}

    async def count_before(self, resource: Resource[Record]) -> None:
        """Take the totals of a list whose changes are read next. A list that can't be counted is left for later."""
        before = self._changed(resource)
        try:
            self._early[resource.name] = (await self._counts.take_totals(resource), before)
        except REFUSALS:
            self._early.pop(resource.name, None)

    async def compare(self, resource: Resource[Record]) -> Comparison:
        """Compare and repair a list until it agrees, or for ``ROUNDS`` rounds.

        Raises:
            FullReadNeeded: An incremental sync can't count or repair the list.
        """
        may_search = True
        if resource.name in self._early:
            totals, before = self._early.pop(resource.name)
            if utc_now() - totals.taken_at < TOTAL_IS_FRESH:
                judged = await self._judge(resource, totals, before)
                if judged.comparison.agrees:
                    return judged.comparison
                if judged.is_calm:
                    may_search = await self._repair(resource, totals)
        for number in range(1, ROUNDS + 1):
            before = self._changed(resource)
            try:
                totals = await self._counts.take_totals(resource)
                await self._rereader.read_changes(resource)
            except REFUSALS:
                return await self._leave_uncounted(resource)
            judged = await self._judge(resource, totals, before)
            if judged.comparison.agrees:
                return judged.comparison
            if judged.is_calm and number < ROUNDS:
                if not may_search:
                    break
                may_search = await self._repair(resource, totals)
        in_cliniko, in_mirror = totals.counts[0], (await self._counts.in_mirror(resource, totals.up_to))[0]
        await self._mirroring.report(
            f"The list of {resource.label} does not agree with Cliniko yet: {in_cliniko} rows there, {in_mirror} here"
        )
        return Comparison(in_cliniko, in_mirror, agrees=False)

    def _changed(self, resource: Resource[Record]) -> int:
        return self._mirroring.changed.get(resource.name, 0)

    async def _judge(self, resource: Resource[Record], totals: Totals, changed_before: int) -> _Judgement:
        mirrored = await self._counts.in_mirror(resource, totals.up_to)
        is_calm = self._changed(resource) == changed_before
        agrees = is_calm and mirrored == totals.counts
        return _Judgement(Comparison(totals.counts[0], mirrored[0], agrees), is_calm)

    async def _repair(self, resource: Resource[Record], totals: Totals) -> bool:
        """Find and repair the rows by which the totals differ; whether another search may find more."""
        before = self._changed(resource)
        in_mirror = await self._counts.in_mirror(resource, totals.up_to)
        mirrored, is_consistent = in_mirror[0], True
        differing = sum(abs(here - there) for here, there in zip(in_mirror, totals.counts, strict=True))
        self._mirroring.expect_search(resource.name, mirrored, differing)
        self._spending.set_limit(await self._counts.requests_of_full_read())
        try:
            with self._spending.counting():
                for scope, in_cliniko in zip(self._counts.scopes(resource), totals.counts, strict=True):
                    searched = self._search(resource, scope, totals.up_to)
                    await searched.load()
                    is_consistent = await repair_differences(searched, totals.up_to, in_cliniko) and is_consistent
        except OverSpent:
            if not self._terms.is_full:
                raise FullReadNeeded(
                    f"the list of {resource.label} differs from Cliniko in so many places that reading everything "
                    "takes fewer requests"
                ) from None
            is_consistent = False
        except REFUSALS:
            if not self._terms.is_full:
                raise FullReadNeeded(f"Cliniko does not count the list of {resource.label} by id") from None
            is_consistent = False
        if repaired := self._changed(resource) - before:
            await self._mirroring.report(
                f"Cliniko counted {totals.counts[0]} {resource.label} and the mirror {mirrored}: {repaired} repaired"
            )
        return is_consistent

    async def _leave_uncounted(self, resource: Resource[Record]) -> Comparison:
        if not self._terms.is_full:
            raise FullReadNeeded(f"Cliniko does not count the list of {resource.label} by id")
        await self._mirroring.report(f"Cliniko does not count the list of {resource.label}, so it was not compared")
        (mirrored, *_) = await self._counts.in_mirror(resource, None)
        return Comparison(None, mirrored, None)
