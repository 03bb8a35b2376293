"""Reads a list that can't be read by id: complete passes along ``links.next``, until two agree.

Called by ``lists`` only. These pages are offsets, so a row can be missed when another row is removed during the read.
A pass counts only without duplicate rows, and is trusted only if the next pass finds the same rows. Each pass keeps
eight bytes per row and a sum. Of Cliniko's links only the parameters are used, never the address. A total that stays
different from the number of rows, as from a cache, is reported with the last page.
"""

from array import array
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Generic
from urllib.parse import parse_qsl, urlsplit

from routiq_gql.cliniko.answers import ListAnswer, ListAsker, UnreadableRow
from routiq_gql.cliniko.errors import CountsDisagree, UnexpectedAnswer
from routiq_gql.cliniko.resources import R, R_co, Record
from routiq_gql.cliniko.retries import unusable

MAX_PASSES = 5
LARGEST_DIFFERENCE = 0.1
"""Share of the total by which it may differ from the rows of two agreeing passes. More can't be a stale total."""
DIFFERENCE_ALLOWED = 5
"""Rows that may always differ, for small lists."""

Params = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page(Generic[R_co]):
    """A part of a list.

    Attributes:
        records: Its readable rows; possibly none.
        last_id: Where to resume, as ``after`` of ``read_list``; ``None`` means from the beginning.
        read: Rows read so far by this call or this pass, with these and with unreadable rows.
        remaining: Rows left, by Cliniko's current total.
        pass_number: 1, or the number of this pass over a list that is read several times.
        restarted: Delete the rows stored for this reading: it starts over with this page.
        unreadable: Rows of this page that can't be turned into a record.
        unreadable_read: Unreadable rows among ``read``.
        claimed_total: Cliniko's total, on the last page only and only if it differs from ``read``.
    """

    records: Sequence[R_co]
    last_id: str | None
    read: int
    remaining: int
    pass_number: int = 1
    restarted: bool = False
    unreadable: list[UnreadableRow] = field(default_factory=list)
    unreadable_read: int = 0
    claimed_total: int | None = None


@dataclass(slots=True)
class _PassSummary(Generic[R]):
    """A summary of a pass for comparison: the number of rows, and a sum over ids and times that ignores order."""

    ids: "array[int]" = field(default_factory=lambda: array("Q"))
    rows: int = 0
    unreadable: int = 0
    digest: int = 0

    def add(self, answer: ListAnswer[R]) -> None:
        self.ids.extend(_hash(row_id, 8) for row_id in answer.ids if row_id is not None)
        self.rows += answer.rows
        self.unreadable += len(answer.unreadable)
        contents = [_content(record) for record in answer.records]
        contents += [f"{row.id} unreadable {row.field}" for row in answer.unreadable]
        self.digest = (self.digest + sum(_hash(content, 16) for content in contents)) % 2**128

    def has_no_repeats(self) -> bool:
        ordered = array("Q", sorted(self.ids))
        return all(ordered[index] != ordered[index - 1] for index in range(1, len(ordered)))

    def agrees_with(self, other: "_PassSummary[R] | None") -> bool:
        return other is not None and (self.rows, self.digest) == (other.rows, other.digest)


async def read_passes(
    asker: ListAsker[R], max_passes: int, *, trusts_total: bool = True
) -> AsyncGenerator[Page[R], None]:
    """Yield the pages of each pass; the first page of a pass is ``restarted``.

    Args:
        trusts_total: Request a page again if its number of rows contradicts its total. If that does not help, or if
            this is false, each pass reads until there are no more rows.

    Raises:
        ClinikoError: A page can't be read, no two passes in a row agreed, or the total differs too much from the rows.
    """
    pass_number = finished = 0
    before: _PassSummary[R] | None = None
    while finished < max_passes:
        pass_number += 1
        summary: _PassSummary[R] = _PassSummary()
        number, size, total = 1, asker.per_page, 0
        params: Params | None = [("page", "1"), *asker.filters]
        while params is not None:
            try:
                answer = await asker.ask(params, partial(_check_page, asker, number, trusts_total))
            except CountsDisagree:
                trusts_total = False
                break
            if number == 1:
                size = asker.per_page
            elif size != asker.per_page:
                break  # pages are smaller now, so this number means other rows: start over
            summary.add(answer)
            total = answer.total
            if summary.rows > total + _allowed(total):
                raise _too_different(asker, summary.rows, total)
            remaining = max(0, total - number * size)
            yield Page(
                answer.records,
                None,
                summary.rows,
                remaining,
                pass_number,
                restarted=number == 1,
                unreadable=answer.unreadable,
                unreadable_read=summary.unreadable,
            )
            is_more = answer.next_url is not None if trusts_total else answer.rows > 0 and _may_have_more(answer, size)
            params, number = _next_params(asker, answer, number) if is_more else None, number + 1
        if params is not None:
            continue
        finished += 1
        if not summary.has_no_repeats():
            before = None
            continue
        if summary.agrees_with(before):
            if summary.rows != total:
                yield _last_page(asker, summary, total, pass_number)
            return
        before = summary
    raise UnexpectedAnswer(
        f"Cliniko's answers for {asker.resource.where} differed in every comparison.",
        "Start the sync again when fewer patients and appointments are being changed. If it fails the same way, "
        "inform the operator of this server.",
        f"{finished} passes without agreement",
    )


def _last_page(asker: ListAsker[R], summary: _PassSummary[R], total: int, pass_number: int) -> Page[R]:
    """The end of a list whose total stays different from its number of rows.

    Raises:
        UnexpectedAnswer: The difference is too large for these rows to be the whole list.
    """
    if not summary.rows or total - summary.rows > _allowed(total):
        raise _too_different(asker, summary.rows, total)
    return Page([], None, summary.rows, 0, pass_number, unreadable_read=summary.unreadable, claimed_total=total)


def _allowed(total: int) -> int:
    return max(DIFFERENCE_ALLOWED, int(total * LARGEST_DIFFERENCE))


def _too_different(asker: ListAsker[R], rows: int, total: int) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"Cliniko returned {rows} rows of {asker.resource.where}, but reports a total of {total}.",
        "Start the sync again later. If it fails the same way, ask Cliniko's support whether something is wrong with "
        "this list.",
        f"{rows} rows for a total of {total}",
    )


def _check_page(asker: ListAsker[R], number: int, trusts_total: bool, answer: ListAnswer[R], size: int) -> None:
    ids = [row_id for row_id in answer.ids if row_id is not None]
    if trusts_total:
        asker.check_row_count(answer, size, offset=(number - 1) * size)
    if len(set(ids)) != len(ids):
        raise unusable(asker.resource.where, "a row twice on one page")
    if trusts_total and (answer.total > number * size) != (answer.next_url is not None):
        raise unusable(asker.resource.where, "next link and total disagree", CountsDisagree)
    _next_params(asker, answer, number)


def _may_have_more(answer: ListAnswer[R], size: int) -> bool:
    """Whether there may be more rows, by the link or because the page is full. An empty page is the end."""
    return answer.next_url is not None or answer.rows >= size


def _next_params(asker: ListAsker[R], answer: ListAnswer[R], number: int) -> Params:
    """The parameters of the next page: the link's, with our filters in place of its filters.

    Page numbers must grow by one, so that links can neither skip pages nor form a loop. The link's host and path are
    ignored: requests only go to the connection's base URL.
    """
    if answer.next_url is None:
        return [("page", str(number + 1)), *asker.filters]
    try:
        params = parse_qsl(urlsplit(answer.next_url).query, keep_blank_values=True, max_num_fields=200)
    except ValueError:
        params = []
    if [value for name, value in params if name == "page"] != [str(number + 1)]:
        raise unusable(asker.resource.where, "a next link to another page")
    return [(name, value) for name, value in params if name not in {"per_page", "q[]"}] + asker.filters


def _content(record: Record) -> str:
    return f"{record.id} {record.updated_at}"


def _hash(text: str, size: int) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest())
