"""Requests a part of a list and returns it only after all checks have passed.

Used by both ways of reading a list and by the check of a key. A response that fails a check is requested again, a page
that times out at Cliniko with fewer rows. A single unreadable row is reported and does not fail its page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from routiq_gql.cliniko.client import ClinikoClient
from routiq_gql.cliniko.errors import CountsDisagree
from routiq_gql.cliniko.resources import R, Resource
from routiq_gql.cliniko.retries import GatewayTimeout, unusable
from routiq_gql.cliniko.rows import BadRow, find_id

ROWS_PER_PAGE = 100
"""Cliniko's maximum."""
LEAST_ROWS_PER_PAGE = 10
"""Fewer rows than these would not speed up a slow query."""
TIMEOUTS_BEFORE_FEWER_ROWS = 2


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that can't be turned into a record. ``id`` is ``None`` if the id itself is unreadable.

    Attributes:
        field: Name of the unreadable field; its value is not kept.
    """

    id: str | None
    field: str


@dataclass(frozen=True, slots=True)
class ListAnswer(Generic[R]):
    """The content of a response.

    Attributes:
        rows: How many rows it holds, readable or not.
        ids: The id of each row in Cliniko's order, ``None`` where it is unreadable.
        records: Its readable rows, in Cliniko's order.
        unreadable: The other rows.
        total: Rows that match the request, on all pages.
        next_url: Cliniko's link to the next page.
    """

    rows: int
    ids: list[str | None]
    records: list[R]
    unreadable: list[UnreadableRow]
    total: int
    next_url: str | None


Check = Callable[[ListAnswer[R], int], None]
"""Takes a response and the requested rows per page; raises ``Retriable`` (see ``unusable``) to request it again."""


class ListAsker(Generic[R]):
    """Sends requests for a list and remembers how many rows per page it can deliver.

    Args:
        filters: Conditions such as ``starts_at:>=2024-01-01T00:00:00Z``; all must hold.
        can_shrink: Whether pages get smaller after timeouts; if not, ``TIMEOUTS_BEFORE_FEWER_ROWS`` in a row raise
            ``QueryTooSlow``.
    """

    def __init__(
        self,
        client: ClinikoClient,
        resource: Resource[R],
        filters: Sequence[str],
        per_page: int = ROWS_PER_PAGE,
        *,
        can_shrink: bool = True,
    ) -> None:
        self.client = client
        self.resource = resource
        self.filters = [("q[]", condition) for condition in filters]
        self.per_page = per_page
        self._can_shrink = can_shrink
        self._timeouts = 0  # in a row

    async def ask(self, params: Sequence[tuple[str, str]], check: Check[R]) -> ListAnswer[R]:
        """The response to ``params`` and the current page size, which is halved after two 504 in a row.

        Raises:
            ClinikoError: No attempt brought a usable response.
        """

        return await self._ask(params, check, parses=True)

    async def _ask(self, params: Sequence[tuple[str, str]], check: Check[R], *, parses: bool) -> ListAnswer[R]:
        async def attempt() -> ListAnswer[R]:
            size = self.per_page
            sent = [*params, ("per_page", str(size))]
            try:
                body = await self.client.ask(self.resource.path, sent, where=self.resource.where)
            except GatewayTimeout as problem:
                problem.resets_attempts = self._ask_for_fewer()
                if not self._can_shrink and self._timeouts >= TIMEOUTS_BEFORE_FEWER_ROWS:
                    raise problem.verdict from None
                raise
            self._timeouts = 0
            answer = read_answer(body, self.resource, parses=parses)
            check(answer, size)
            return answer

        return await self.client.repeat(attempt, accepts_denial=self.resource.is_optional)

    async def count(self, *conditions: str) -> int:
        """How many rows match the filters and ``conditions`` now. Parses no row."""
        params = [*self.filters, *(("q[]", condition) for condition in conditions)]
        single = ListAsker(self.client, self.resource, (), per_page=1)
        answer = await single._ask(params, self.check_row_count, parses=False)
        return answer.total

    def check_row_count(self, answer: ListAnswer[R], size: int, offset: int = 0) -> None:
        """Raise unless the response holds as many rows as its total implies for the page that starts at ``offset``."""
        expected = min(size, max(0, answer.total - offset))
        if answer.rows != expected:
            raise unusable(self.resource.where, f"{answer.rows} rows instead of {expected}", CountsDisagree)

    def _ask_for_fewer(self) -> bool:
        self._timeouts += 1
        if not self._can_shrink or self._timeouts < TIMEOUTS_BEFORE_FEWER_ROWS:
            return False
        if self.per_page <= LEAST_ROWS_PER_PAGE:
            return False
        self._timeouts = 0
        self.per_page = max(LEAST_ROWS_PER_PAGE, self.per_page // 2)
        return True


def read_answer(body: dict[str, object], resource: Resource[R], *, parses: bool = True) -> ListAnswer[R]:
    """The rows, total and next link of a response.

    Args:
        parses: Turn rows into records; if false, they are only counted.

    Raises:
        Retriable: The response has a different shape.
    """
    rows, total, links = body.get(resource.name), body.get("total_entries"), body.get("links")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise unusable(resource.where, "no list of rows")
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise unusable(resource.where, "no total")
    next_url = links.get("next") if isinstance(links, dict) else None
    ids: list[str | None] = []
    records: list[R] = []
    unreadable: list[UnreadableRow] = []
    for row in rows if parses else ():
        try:
            record = resource.parse(row)
        except BadRow as problem:
            unreadable.append(UnreadableRow(find_id(row), str(problem)))
            ids.append(unreadable[-1].id)
        else:
            records.append(record)
            ids.append(record.id)
    return ListAnswer(
        len(rows), ids, records, unreadable, total, next_url if isinstance(next_url, str) and next_url else None
    )
