"""Reads the rows of a list whose id, class or patient is among given ids, many ids to a request.

Used to read again what other rows point to. An address or a query can be too long for Cliniko: then the ids are halved,
for this request and for those that follow. If Cliniko may have refused the order by id instead, it is left out first.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from itertools import pairwise

from routiq_gql.cliniko.answers import ListAnswer, ListAsker
from routiq_gql.cliniko.client import ClinikoClient
from routiq_gql.cliniko.errors import CountsDisagree, QueryRefused, QueryTooSlow
from routiq_gql.cliniko.lists import read_list
from routiq_gql.cliniko.passes import Page
from routiq_gql.cliniko.resources import R, Resource
from routiq_gql.cliniko.retries import unusable

MOST_IDS = 200
"""Ids of 18 digits make an address of some 4,300 characters; servers commonly accept 8,000."""

Condition = Callable[[Iterable[str]], str]
"""``ids_in``, ``booking_in`` or ``patient_in``."""


async def read_matching(
    client: ClinikoClient,
    resource: Resource[R],
    condition: Condition,
    ids: Sequence[str],
    *,
    filters: Sequence[str] = (),
    most_ids: int = MOST_IDS,
) -> AsyncGenerator[tuple[Sequence[str], Page[R]], None]:
    """Yield pages, each with the part of ``ids`` that it belongs to; at least one page for each part.

    The pages of a part are those of ``read_list``, and ascend by id unless the first of them is ``restarted``.

    Consume under ``contextlib.aclosing``.

    Raises:
        ClinikoError: The rows of some ids can't be read.
    """
    most = size = min(most_ids, MOST_IDS)
    order, begun = _BY_ID, 0
    while begun < len(ids):
        part = ids[begun : begun + size]
        chosen = [*filters, condition(part)]
        try:
            first = await _ask(client, resource, chosen, order)
        except (QueryRefused, QueryTooSlow) as problem:
            if order and (len(part) == 1 or (isinstance(problem, QueryRefused) and size == most)):
                order = _NO_ORDER  # most answers are a single page, which needs no order
                continue
            if len(part) > 1:
                size = len(part) // 2
                continue
            if isinstance(problem, QueryRefused):
                raise
            first = None  # ``read_list`` asks for shorter pages
        if first is not None and not (first.remaining and order is _NO_ORDER):
            yield part, first
        else:
            first = None
        if first is None or first.remaining:
            after = None if first is None else first.last_id
            async with aclosing(read_list(client, resource, filters=chosen, after=after)) as pages:
                async for page in pages:
                    yield part, page
        begun += len(part)
        if size == 1:  # the order was to blame
            size = most


_BY_ID = [("sort", "id")]
_NO_ORDER: list[tuple[str, str]] = []


async def _ask(
    client: ClinikoClient, resource: Resource[R], filters: Sequence[str], order: Sequence[tuple[str, str]]
) -> Page[R] | None:
    asker = ListAsker(client, resource, filters, can_shrink=False)

    def check(answer: ListAnswer[R], size: int) -> None:
        asker.check_row_count(answer, size)
        ids = [row_id for row_id in answer.ids if row_id is not None]
        if len(set(ids)) != len(ids):
            raise unusable(resource.where, "a row twice on one page")

    try:
        answer = await asker.ask([*order, ("page", "1"), *asker.filters], check)
    except CountsDisagree:
        return None
    ids = [int(row_id) for row_id in answer.ids if row_id is not None]
    remaining = answer.total - answer.rows
    if remaining and (len(ids) < answer.rows or any(left > right for left, right in pairwise(ids))):
        return None
    last_id = str(max(ids)) if ids else None
    return Page(
        answer.records,
        last_id,
        answer.rows,
        remaining,
        unreadable=answer.unreadable,
        unreadable_read=len(answer.unreadable),
    )
