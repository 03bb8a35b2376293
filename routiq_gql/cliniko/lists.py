"""Reads one list to its end, page by page, by key: always the first page of what lies above the last id read.

Offsets would skip a row whenever an earlier one is removed while we read. What one answer can prove is checked on it:
the number of its rows against its own total, and that ids grow. A row left out of a full page shows only in the next
answer, whose total is then lower than what had remained; that also happens when rows were removed, so the stretch is
counted again before anything is believed. Rows that are missing from pages and totals alike can't be noticed.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic

from routiq_gql.cliniko.answers import ROWS_PER_PAGE, ListAnswer, ListAsker
from routiq_gql.cliniko.client import ClinikoClient
from routiq_gql.cliniko.errors import QueryRefused
from routiq_gql.cliniko.passes import MAX_PASSES, Page, read_passes
from routiq_gql.cliniko.resources import R, Resource
from routiq_gql.cliniko.retries import unusable

UNSORTED_ANSWERS = 2
"""So many answers out of order mean that the list does not sort by id; fewer may be an accident."""


class _NoKeyReading(Exception):
    """The list does not sort by id or does not filter by it."""


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
    page that was kept. A list that refuses ``sort=id`` or a filter by id is read from its beginning in passes, until
    two agree: then the first page of each pass is ``restarted``, and a break begins the list again.

    Consume under ``contextlib.aclosing``.

    Raises:
        ClinikoError: It can't be read to its end; nothing that was yielded may be taken for the whole list.
    """
    asker = ListAsker(client, resource, filters, per_page)
    try:
        async with aclosing(_KeyReader(asker).read(after)) as pages:
            async for page in pages:
                yield page
            return
    except _NoKeyReading:
        pass
    async with aclosing(read_passes(asker, max_passes)) as pages:
        async for page in pages:
            yield page


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The ids above ``start`` up to ``end``, of which ``rows`` were read and above which ``remaining`` lay."""

    start: str | None
    end: str
    rows: int
    remaining: int


class _KeyReader(Generic[R]):
    def __init__(self, asker: ListAsker[R]) -> None:
        self._asker = asker
        self._where = asker.resource.where
        self._unsorted = 0

    async def read(self, after: str | None) -> AsyncGenerator[Page[R], None]:
        last, read, returns = after, 0, 0
        before: _Stretch | None = None
        while True:
            answer = await self._ask_above(last)
            if before is not None and answer.total < before.remaining:
                if await self._count(before) > before.rows:
                    returns += 1
                    if returns >= self._asker.client.max_attempts:
                        raise unusable(self._where, "rows left out of a page").verdict
                    last, read, before = before.start, read - before.rows, None
                    continue
                answer = await self._ask_above(last)  # it may be this answer that leaves rows out
            elif before is not None:  # right after a return nothing has been proved yet
                returns = 0
            rows = len(answer.records)
            remaining = answer.total - rows
            read += rows
            if answer.records:
                before = _Stretch(last, answer.records[-1].id, rows, remaining)
                last = before.end
            yield Page(answer.records, last, read, remaining)
            if not remaining:
                return

    async def _ask_above(self, last: str | None) -> ListAnswer[R]:
        above = [] if last is None else [("q[]", f"id:>{last}")]

        def check(answer: ListAnswer[R], size: int) -> None:
            self._asker.check_row_count(answer, size)
            ids = [int(record.id) for record in answer.records]
            if any(left >= right for left, right in pairwise(ids)):
                self._unsorted += 1
                if self._unsorted >= min(UNSORTED_ANSWERS, self._asker.client.max_attempts):
                    raise _NoKeyReading
                raise unusable(self._where, "ids out of order")
            if ids and last is not None and ids[0] <= int(last):
                raise unusable(self._where, "ids that were not asked for")

        try:
            return await self._asker.ask([("sort", "id"), ("page", "1"), *self._asker.filters, *above], check)
        except QueryRefused:
            pass
        raise _NoKeyReading

    async def _count(self, stretch: _Stretch) -> int:
        conditions = [f"id:<={stretch.end}"]
        if stretch.start is not None:
            conditions.append(f"id:>{stretch.start}")
        try:
            return await self._asker.count(*conditions)
        except QueryRefused:
            pass
        raise _NoKeyReading
