"""Reads a list that neither sorts nor filters by id: whole passes along ``links.next``, until two agree.

Called by ``lists`` only. Pages are offsets here, so a row can slip past unseen when another is removed meanwhile. A
pass counts only if no row came twice in it, and only when the next pass finds the very same rows is it believed. What
is kept of a pass is eight bytes a row and a sum; addresses are taken from Cliniko's links, but only their parameters.
"""

from array import array
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Generic
from urllib.parse import parse_qsl, urlsplit

from routiq_gql.cliniko.answers import ListAnswer, ListAsker
from routiq_gql.cliniko.errors import UnexpectedAnswer
from routiq_gql.cliniko.resources import R, Record
from routiq_gql.cliniko.retries import unusable

MAX_PASSES = 5

Params = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """A part of a list.

    Attributes:
        records: Its rows; possibly none.
        last_id: Where to go on after a break, as ``after`` of ``read_list``; ``None`` means from the beginning.
        read: Rows read so far by this call, or by this pass, including these.
        remaining: Rows still to come, by what Cliniko says now.
        pass_number: 1, or the number of this pass over a list that has to be read several times.
        restarted: Drop what was stored for this reading: it begins anew with this page.
    """

    records: list[R]
    last_id: str | None
    read: int
    remaining: int
    pass_number: int = 1
    restarted: bool = False


@dataclass(slots=True)
class _Census:
    """What two passes are compared by: how many rows, and a sum over their ids and times, whatever the order."""

    ids: "array[int]" = field(default_factory=lambda: array("Q"))
    digest: int = 0

    def add(self, records: Sequence[Record]) -> None:
        for record in records:
            self.ids.append(_hash(record.id, 8))
            self.digest = (self.digest + _hash(f"{record.id} {record.updated_at}", 16)) % 2**128

    def has_no_repeats(self) -> bool:
        ordered = array("Q", sorted(self.ids))
        return all(ordered[index] != ordered[index - 1] for index in range(1, len(ordered)))


async def read_passes(asker: ListAsker[R], max_passes: int) -> AsyncGenerator[Page[R], None]:
    """Yield the pages of pass after pass; the first page of each is ``restarted``.

    Raises:
        ClinikoError: A page can't be had, or no two passes in a row agreed.
    """
    where = asker.resource.where
    pass_number = finished = 0
    before: _Census | None = None
    while finished < max_passes:
        pass_number += 1
        census = _Census()
        number, size = 1, asker.per_page
        params: Params | None = [("page", "1"), *asker.filters]
        while params is not None:
            answer = await asker.ask(params, partial(_check_page, asker, number))
            if number == 1:
                size = asker.per_page
            elif size != asker.per_page:
                break  # pages are smaller now, so this number means other rows: begin again
            census.add(answer.records)
            remaining = max(0, answer.total - number * size)
            yield Page(answer.records, None, len(census.ids), remaining, pass_number, restarted=number == 1)
            params, number = _next_params(asker, answer, number), number + 1
        if params is not None:
            continue
        finished += 1
        if not census.has_no_repeats():
            before = None
            continue
        if before is not None and (len(before.ids), before.digest) == (len(census.ids), census.digest):
            return
        before = census
    raise UnexpectedAnswer(
        f"Cliniko's answers for {where} differed each time they were compared.",
        "Start the sync again at a time when fewer appointments and patients are changed. If it ends the same way, "
        "tell whoever runs this server.",
        f"{finished} passes without agreement",
    )


def _check_page(asker: ListAsker[R], number: int, answer: ListAnswer[R], size: int) -> None:
    asker.check_row_count(answer, size, offset=(number - 1) * size)
    if len({record.id for record in answer.records}) != len(answer.records):
        raise unusable(asker.resource.where, "a row twice on one page")
    if (answer.total > number * size) != (answer.next_url is not None):
        raise unusable(asker.resource.where, "next link and total disagree")
    _next_params(asker, answer, number)


def _next_params(asker: ListAsker[R], answer: ListAnswer[R], number: int) -> Params | None:
    """The parameters of the next page; ``None`` on the last.

    Page numbers must count up by one, so that a chain of links can neither leave pages out nor run in a circle.
    """
    if answer.next_url is None:
        return None
    here = f"{asker.client.base_url}/{asker.resource.name}"
    try:
        params = parse_qsl(urlsplit(answer.next_url).query, keep_blank_values=True, max_num_fields=200)
        is_same = _place(answer.next_url) == _place(here)
    except ValueError:
        params, is_same = [], False
    if not is_same:
        raise unusable(asker.resource.where, "a next link to another address")
    if [value for name, value in params if name == "page"] != [str(number + 1)]:
        raise unusable(asker.resource.where, "a next link to another page")
    return [(name, value) for name, value in params if name != "per_page"]


def _place(url: str) -> tuple[str, str | None, int | None, str]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port, parts.path


def _hash(text: str, size: int) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest())
