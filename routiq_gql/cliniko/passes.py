"""Reads a list that can't be read by id: whole passes along ``links.next``, until two agree.

Called by ``lists`` only. Pages are offsets here, so a row can slip past unseen when another is removed meanwhile. A
pass counts only if no row came twice in it, and only when the next pass finds the very same rows is it believed. What
is kept of a pass is eight bytes a row and a sum; addresses are taken from Cliniko's links, but only their parameters.
A total that stays another than the number of rows, as of an answer out of a cache, is reported with the last page.
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
"""Of the total: it may differ so much from the rows that two passes agree on. More is no stale total any more."""
DIFFERENCE_ALLOWED = 5
"""Rows of a difference that small lists may have too."""

Params = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page(Generic[R_co]):
    """A part of a list.

    Attributes:
        records: Its readable rows; possibly none.
        last_id: Where to go on after a break, as ``after`` of ``read_list``; ``None`` means from the beginning.
        read: Rows read so far by this call, or by this pass, including these; unreadable ones count.
        remaining: Rows still to come, by what Cliniko says now.
        pass_number: 1, or the number of this pass over a list that has to be read several times.
        restarted: Drop what was stored for this reading: it begins anew with this page.
        unreadable: Rows of this page that no record can be made of.
        unreadable_read: How many of ``read`` these are, with those of earlier pages.
        claimed_total: On the last page only, if the total that Cliniko claims stays another than ``read``.
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
class _Census(Generic[R]):
    """What two passes are compared by: how many rows, and a sum over their ids and times, whatever the order."""

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

    def agrees_with(self, other: "_Census[R] | None") -> bool:
        return other is not None and (self.rows, self.digest) == (other.rows, other.digest)


async def read_passes(
    asker: ListAsker[R], max_passes: int, *, trusts_total: bool = True
) -> AsyncGenerator[Page[R], None]:
    """Yield the pages of pass after pass; the first page of each is ``restarted``.

    Args:
        trusts_total: Ask again for a page without the number of rows that its total calls for. If none comes, or
            without this, passes are followed to where rows end.

    Raises:
        ClinikoError: A page can't be had, no two passes in a row agreed, or the total differs too much from the rows.
    """
    pass_number = finished = 0
    before: _Census[R] | None = None
    while finished < max_passes:
        pass_number += 1
        census: _Census[R] = _Census()
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
                break  # pages are smaller now, so this number means other rows: begin again
            census.add(answer)
            total = answer.total
            if census.rows > total + _allowed(total):
                raise _too_different(asker, census.rows, total)
            remaining = max(0, total - number * size)
            yield Page(
                answer.records,
                None,
                census.rows,
                remaining,
                pass_number,
                restarted=number == 1,
                unreadable=answer.unreadable,
                unreadable_read=census.unreadable,
            )
            is_more = answer.next_url is not None if trusts_total else answer.rows > 0 and _may_go_on(answer, size)
            params, number = _next_params(asker, answer, number) if is_more else None, number + 1
        if params is not None:
            continue
        finished += 1
        if not census.has_no_repeats():
            before = None
            continue
        if census.agrees_with(before):
            if census.rows != total:
                yield _last_page(asker, census, total, pass_number)
            return
        before = census
    raise UnexpectedAnswer(
        f"Cliniko's answers for {asker.resource.where} differed in every comparison.",
        "Start the sync again when fewer patients and appointments are being changed. If it fails the same way, "
        "inform the operator of this server.",
        f"{finished} passes without agreement",
    )


def _last_page(asker: ListAsker[R], census: _Census[R], total: int, pass_number: int) -> Page[R]:
    """The end of a list whose total is another for good.

    Raises:
        UnexpectedAnswer: The rows can't be the list.
    """
    if not census.rows or total - census.rows > _allowed(total):
        raise _too_different(asker, census.rows, total)
    return Page([], None, census.rows, 0, pass_number, unreadable_read=census.unreadable, claimed_total=total)


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


def _may_go_on(answer: ListAnswer[R], size: int) -> bool:
    """Whether there may be more rows, by the link or since the page is full. An empty page is the end."""
    return answer.next_url is not None or answer.rows >= size


def _next_params(asker: ListAsker[R], answer: ListAnswer[R], number: int) -> Params:
    """The parameters of the next page, of which a link gives all but our own filters.

    Page numbers must count up by one, so that a chain of links can neither leave pages out nor run in a circle. The
    link's host and path don't matter, as none but the connection's own address is ever asked.
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
