"""Reads a list to its end by keyset: each request is for the first page above the last id read.

With offsets, a row removed during the read would hide another row. Each response is checked on its own: the number of
rows against its total, and ascending ids. A row missing from a full page shows in the next response, whose total is
then too low. Removed rows have the same effect, so the range is counted again before either is assumed. Rows missing
from both pages and totals can't be detected. A list that can't be read this way is read in passes.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Generic

from routiq_gql.cliniko.answers import ROWS_PER_PAGE, ListAnswer, ListAsker
from routiq_gql.cliniko.client import ClinikoClient
from routiq_gql.cliniko.errors import CountsDisagree, QueryRefused, QueryTooSlow
from routiq_gql.cliniko.passes import MAX_PASSES, Page, read_passes
from routiq_gql.cliniko.resources import R, Resource
from routiq_gql.cliniko.retries import unusable

UNSORTED_ANSWERS = 2
"""After this many responses out of order, the list does not support sorting by id; fewer may be an accident."""
PAGES_ASKED_AGAIN = 5
"""How many pages with unreadable rows are requested once more, as a single response may be garbled."""


class _NoKeyReading(Exception):
    """The list can't be read by id: it refuses that order or filter, is too slow, or its total is wrong."""

    def __init__(self, *, trusts_total: bool = True) -> None:
        super().__init__()
        self.trusts_total = trusts_total


async def read_list(
    client: ClinikoClient,
    resource: Resource[R],
    *,
    filters: Sequence[str] = (),
    after: str | None = None,
    per_page: int = ROWS_PER_PAGE,
    max_passes: int = MAX_PASSES,
) -> AsyncGenerator[Page[R], None]:
    """Yield the pages of a list above the id ``after`` (``None``: from the beginning); at least one, maybe empty.

    Pages may overlap, so store records by id. To resume, pass the ``last_id`` of the last stored page.

    Some lists are read from the beginning in passes, until two agree: those that refuse ``sort=id`` or a filter by id,
    time out with them, or whose total is not their number of rows. Then the first page of each pass is ``restarted``,
    and resuming starts over. Unreadable rows are in ``Page.unreadable``.

    Consume under ``contextlib.aclosing``.

    Raises:
        ClinikoError: The list can't be read to its end; the pages yielded so far are incomplete.
    """
    asker = ListAsker(client, resource, filters, per_page)
    trusts_total = True
    try:
        async with aclosing(_KeyReader(asker).read(after)) as pages:
            async for page in pages:
                yield page
            return
    except _NoKeyReading as reason:
        trusts_total = reason.trusts_total
    asker = ListAsker(client, resource, filters, per_page)
    async with aclosing(read_passes(asker, max_passes, trusts_total=trusts_total)) as pages:
        async for page in pages:
            yield page


async def count_list(client: ClinikoClient, resource: Resource[R], filters: Sequence[str]) -> int:
    """How many rows of a list match the filters now, by one request for a single row.

    Raises:
        ClinikoError: There is no usable total. ``QueryRefused``, ``QueryTooSlow`` and ``CountsDisagree`` say that the
            list can't be counted with these filters.
    """
    return await ListAsker(client, resource, filters).count()


@dataclass(frozen=True, slots=True)
class _IdRange:
    """The ids above ``start`` up to ``end``: ``rows`` were read, and ``remaining`` were left above them."""

    start: str | None
    end: str
    rows: int
    unreadable: int
    remaining: int


class _KeyReader(Generic[R]):
    def __init__(self, asker: ListAsker[R]) -> None:
        self._asker = asker
        self._where = asker.resource.where
        self._unsorted = 0
        self._asked_again = 0

    async def read(self, after: str | None) -> AsyncGenerator[Page[R], None]:
        last, read, unreadable, returns = after, 0, 0, 0
        before: _IdRange | None = None
        while True:
            answer = await self._ask_above(last)
            if before is not None and answer.total < before.remaining:
                if await self._count(before) > before.rows:
                    returns += 1
                    if returns >= self._asker.client.max_attempts:
                        raise _NoKeyReading(trusts_total=False)
                    last, read, unreadable = before.start, read - before.rows, unreadable - before.unreadable
                    before = None
                    continue
                answer = await self._ask_above(last)  # the rows may be missing from this response
            elif before is not None:  # right after a return nothing is proved yet
                returns = 0
            remaining = answer.total - answer.rows
            read += answer.rows
            unreadable += len(answer.unreadable)
            ids = [id_ for id_ in answer.ids if id_ is not None]
            if ids:
                before = _IdRange(last, ids[-1], answer.rows, len(answer.unreadable), remaining)
                last = before.end
            yield Page(answer.records, last, read, remaining, unreadable=answer.unreadable, unreadable_read=unreadable)
            if not remaining:
                return

    async def _ask_above(self, last: str | None) -> ListAnswer[R]:
        above = [] if last is None else [("q[]", f"id:>{last}")]

        def check(answer: ListAnswer[R], size: int) -> None:
            self._asker.check_row_count(answer, size)
            ids = [int(id_) for id_ in answer.ids if id_ is not None]
            if any(left >= right for left, right in pairwise(ids)):
                self._unsorted += 1
                if self._unsorted >= min(UNSORTED_ANSWERS, self._asker.client.max_attempts):
                    raise _NoKeyReading
                raise unusable(self._where, "ids out of order")
            if ids and last is not None and ids[0] <= int(last):
                raise unusable(self._where, "ids that were not asked for")
            if not ids and answer.total > answer.rows:
                raise unusable(self._where, "no row with an id")

        params = [("sort", "id"), ("page", "1"), *self._asker.filters, *above]
        trusts_total = True
        try:
            answer = await self._asker.ask(params, check)
            if answer.unreadable and self._asked_again < PAGES_ASKED_AGAIN:
                self._asked_again += 1
                answer = await self._asker.ask(params, check)
            return _up_to_last_id(answer)
        except CountsDisagree:
            trusts_total = False
        except (QueryRefused, QueryTooSlow):
            pass
        raise _NoKeyReading(trusts_total=trusts_total)

    async def _count(self, id_range: _IdRange) -> int:
        conditions = [f"id:<={id_range.end}"]
        if id_range.start is not None:
            conditions.append(f"id:>{id_range.start}")
        try:
            return await self._asker.count(*conditions)
        except (QueryRefused, QueryTooSlow, CountsDisagree):
            pass
        raise _NoKeyReading


def _up_to_last_id(answer: ListAnswer[R]) -> ListAnswer[R]:
    """``answer`` up to its last readable id, as the next page repeats the rows after it; the last page unchanged."""
    if answer.total == answer.rows:
        return answer
    rows = max(place for place, id_ in enumerate(answer.ids, 1) if id_ is not None)
    behind = answer.rows - rows
    if not behind:
        return answer
    return replace(answer, rows=rows, ids=answer.ids[:rows], unreadable=answer.unreadable[:-behind])
