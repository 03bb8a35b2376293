"""Cliniko's lists as rows in memory, and a client that asks them without a server: for tests of many random lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from routiq_gql.cliniko import Backoff, ClinikoClient, Pacer, QueryRefused, QueryTooSlow
from routiq_gql.cliniko.retries import GatewayTimeout
from routiq_gql.emulator import EMULATED_API_KEY

Params = Sequence[tuple[str, str]]
AT_ONCE = Backoff(base_seconds=0, cap_seconds=0, rate_limit_floor_seconds=0, rate_limit_cap_seconds=0)


@dataclass(frozen=True)
class PlainRow:
    """A row as Cliniko stores it, and as it sends it; ``is_hidden`` unless archived and deleted rows are asked for."""

    id: int
    sent: Mapping[str, Any]
    booking: int = 0
    is_hidden: bool = False


@dataclass
class PlainList:
    """A list that does not change.

    Attributes:
        rows: In Cliniko's own order.
        refused: What it answers with 400: ``sort``, or ``id:>`` for conditions of that kind.
        ignores_sort: Whether it answers in its own order, whatever was asked for.
        total_off: By how much its total differs from its rows, as from a cache.
        most_rows: Longer pages take it too long.
        most_ids: Longer lists of ids are refused.
        has_links: Whether its answers name the next page.
        slips: By how many rows each page behind the first begins early: these come twice, and the last ones never.
    """

    name: str
    rows: Sequence[PlainRow]
    refused: frozenset[str] = frozenset()
    ignores_sort: bool = False
    total_off: int = 0
    most_rows: int = 100
    most_ids: int = 200
    has_links: bool = True
    slips: int = 0
    requests: int = field(default=0)

    def answer(self, params: Params) -> dict[str, object]:
        """The body of the answer to these parameters."""
        self.requests += 1
        given = dict(params)
        size, page = int(given["per_page"]), int(given.get("page", "1"))
        conditions = [value for name, value in params if name == "q[]"]
        texts = [*(["sort"] if "sort" in given else []), *conditions]
        if any(text.startswith(one) for text in texts for one in self.refused):
            raise QueryRefused("Refused.", "", "status 400")
        if any(text.count(",") >= self.most_ids for text in conditions):
            raise QueryRefused("Too long.", "", "status 414")
        if size > self.most_rows:
            raise GatewayTimeout("Too slow", QueryTooSlow("Too slow.", "", "status 504"))
        found = [row for row in self.rows if all(_matches(row, text) for text in conditions)]
        if "sort" in given and not self.ignores_sort:
            found.sort(key=lambda row: row.id)
        before = (page - 1) * size
        begin = max(0, before - self.slips * (page - 1))
        has_more = len(found) > before + size
        return {
            self.name: [row.sent for row in found[begin : begin + max(0, min(size, len(found) - before))]],
            "total_entries": max(0, len(found) + self.total_off) if found else 0,
            "links": {"next": f"https://api.au1.cliniko.com/v1/any?page={page + 1}"}
            if has_more and self.has_links
            else {},
        }


def _matches(row: PlainRow, condition: str) -> bool:
    """Whether a row meets a condition on its id, its class or hidden rows; others hold for every row."""
    if condition.endswith(":!?"):
        return not row.is_hidden
    for operator, holds in (("<=", int.__le__), (">", int.__gt__)):
        name, found, value = condition.partition(f":{operator}")
        if found and name == "id":
            return holds(row.id, int(value))
    name, found, values = condition.partition(":=")
    if not found:
        return True
    return str(row.booking if name == "booking_id" else row.id) in values.split(",")


class PlainClient(ClinikoClient):
    """Asks lists in memory, by their paths."""

    def __init__(self, lists: Mapping[str, PlainList]) -> None:
        super().__init__(
            EMULATED_API_KEY,
            base_url="http://127.0.0.1:1/v1",
            contact_email="ops@example.com",
            pacer=Pacer(0),
            max_attempts=3,
            backoff=AT_ONCE,
        )
        self._lists = lists

    async def ask(self, path: str, params: Params = (), *, where: str) -> dict[str, object]:
        """The answer of the list at this path."""
        return self._lists[path].answer(params)
