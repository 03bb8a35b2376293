"""Reads one list to its end, page by page, by key: always the first page of what lies above the last id read.

Offsets would skip a row whenever an earlier one is removed while we read. What one answer can prove is checked on it:
the number of its rows against its own total, and that ids grow. A row left out of a full page shows only in the next
answer, whose total is then lower than what had remained; that also happens when rows were removed, so the stretch is
counted again before anything is believed. Rows that are missing from pages and totals alike can't be noticed. A list
that can't be read so is read in passes.
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
"""So many answers out of order mean that the list does not sort by id; fewer may be an accident."""
PAGES_ASKED_AGAIN = 5
"""So many pages of a list are asked for once more because of unreadable rows, as an answer may be garbled once."""


class _NoKeyReading(Exception):
    """The list can't be read by id: it does not sort or filter by it, is too slow so, or its total is not its rows."""

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

    Pages may overlap, so records are to be stored by id. To go on after a break, pass the ``last_id`` of the last
    page that was kept. A list that refuses ``sort=id`` or a filter by id, times out with them, or whose total is not
    the number of its rows is read from its beginning in passes, until two agree: then the first page of each pass is
    ``restarted``, and a break begins the list again. Rows that can't be read are in ``Page.unreadable``.

    Consume under ``contextlib.aclosing``.

    Raises:
        ClinikoError: It can't be read to its end; nothing that was yielded may be taken for the whole list.
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


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The ids above ``start`` up to ``end``, of which ``rows`` were read and above which ``remaining`` lay."""

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
        before: _Stretch | None = None
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
                answer = await self._ask_above(last)  # it may be this answer that leaves rows out
            elif before is not None:  # right after a return nothing has been proved yet
                returns = 0
            remaining = answer.total - answer.rows
            read += answer.rows
            unreadable += len(answer.unreadable)
            ids = [id_ for id_ in answer.ids if id_ is not None]
            if ids:
                before = _Stretch(last, ids[-1], answer.rows, len(answer.unreadable), remaining)
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

    async def _count(self, stretch: _Stretch) -> int:
        conditions = [f"id:<={stretch.end}"]
        if stretch.start is not None:
            conditions.append(f"id:>{stretch.start}")
        try:
            return await self._asker.count(*conditions)
        except (QueryRefused, QueryTooSlow, CountsDisagree):
            pass
        raise _NoKeyReading


def _up_to_last_id(answer: ListAnswer[R]) -> ListAnswer[R]:
    """``answer`` without the rows behind its last readable id, which the next page holds again; the last page whole."""
    if answer.total == answer.rows:
        return answer
    rows = max(place for place, id_ in enumerate(answer.ids, 1) if id_ is not None)
    behind = answer.rows - rows
    if not behind:
        return answer
    return replace(answer, rows=rows, ids=answer.ids[:rows], unreadable=answer.unreadable[:-behind])
