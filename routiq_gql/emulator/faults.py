"""Faults on command: their kinds, and the requests that they strike.

Tests and the control routes add faults to ``Emulator.faults``. The server uses the first fault that strikes a request,
and ``misbehaviour`` carries it out. A fault counts the requests that concern it from the moment it is added.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from routiq_gql.emulator.filters import FILTER


class FaultKind(StrEnum):
    """The ways to misbehave."""

    SLOW = "slow"
    """The right answer, ``seconds`` late."""
    HANG = "hang"
    """No answer at all until the client gives up."""
    DROP_BEFORE = "drop_before"
    """The connection closes without an answer."""
    DROP_INSIDE = "drop_inside"
    """The connection closes in the middle of the body."""
    RATE_LIMIT = "rate_limit"
    """429 with ``X-RateLimit-Reset`` ``seconds`` ahead of the answer's ``Date``."""
    STATUS_500 = "status_500"
    STATUS_502_HTML = "status_502_html"
    STATUS_503 = "status_503"
    STATUS_504 = "status_504"
    CUT_JSON = "cut_json"
    """Status 200 and half of the JSON, as a complete answer."""
    HTML_200 = "html_200"
    """Status 200 and a page for people."""
    WRONG_SHAPE_JSON = "wrong_shape_json"
    """JSON of status 200 that is not the documented list."""
    WRONG_SHAPE_ROW = "wrong_shape_row"
    """The documented list, but its last ``rows`` rows have no id."""
    ROW_WITHOUT_START = "row_without_start"
    """The documented list, but its last ``rows`` rows have no ``starts_at``, in lists with that column."""
    BARE_ROW = "bare_row"
    """The last ``rows`` rows hold nothing but ``id`` and ``starts_at``."""
    ODD_ROW = "odd_row"
    """In the last ``rows`` rows everything but ``id`` and ``starts_at`` is of another type than documented."""
    REPEAT_PAGE = "repeat_page"
    """The first page of the list again, whatever the requested page or key."""
    REPEAT_ROW = "repeat_row"
    """The right page, but its last row repeats the row before it."""
    JUMP = "jump"
    """``rows`` rows between the last page and this one are skipped; ``total_entries`` still counts them."""
    SHORT_PAGE = "short_page"
    """The last ``rows`` rows of the page are missing; ``total_entries`` still counts them."""
    WRONG_TOTAL = "wrong_total"
    """The right page, but ``total_entries`` counts ``rows`` rows more than there are, as if out of a cache."""
    REFUSE_SORT = "refuse_sort"
    """``status`` for ``sort=id``; other requests pass and don't count."""
    REFUSE_ID_FILTER = "refuse_id_filter"
    """``status`` for ``q[]=id:>…``; other requests pass and don't count."""
    REFUSE_FILTER = "refuse_filter"
    """``status`` for requests with the filter of ``filter``; other requests pass and don't count."""
    REFUSE_MANY_VALUES = "refuse_many_values"
    """``status`` for a ``q[]`` that lists more than ``rows`` values; other requests pass and don't count."""
    SORT_TIMES_OUT = "sort_times_out"
    """504 for ``sort=id``, whatever the number of rows; other requests pass and don't count."""
    WRONG_DATE = "wrong_date"
    """The right answer with a ``Date`` that is off by ``clock_skew_seconds``."""
    NO_DATE = "no_date"
    """The right answer without a ``Date``."""
    STATUS_401 = "status_401"
    STATUS_402 = "status_402"
    STATUS_403 = "status_403"
    REDIRECT = "redirect"
    """301 to ``location``, as for an account that moved to another shard."""
    FOREIGN_LINK = "foreign_link"
    """The right page, but its ``links.next``, if any, points to the host of ``location``."""


@dataclass(frozen=True, slots=True)
class FaultTarget:
    """The parts of a request that decide whether a fault strikes."""

    resource: str
    parameters: Sequence[tuple[str, str]] = ()

    def value(self, name: str) -> str:
        """The last value of a query parameter, ``""`` when absent."""
        return dict(self.parameters).get(name, "")

    @property
    def filters(self) -> list[str]:
        """The values of all ``q[]``."""
        return [value for name, value in self.parameters if name == "q[]"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A misbehaviour and the requests that it strikes.

    Attributes:
        kind: What goes wrong.
        resource: The list (or ``settings``, ``user``) that it concerns; ``None`` concerns every request.
        request_number: The first request to go wrong, counted from 1 among those that the fault concerns.
        until_request_number: The last request to go wrong; ``None`` sets no end.
        times: How many requests go wrong in all; ``None`` for all of them from then on.
        only_above_per_page: Concerns only requests for more rows a page than this. 1 leaves single-row checks alone.
        seconds: For SLOW how late, for RATE_LIMIT how far ahead the reset is.
        clock_skew_seconds: How far the answer's ``Date`` is off; for WRONG_DATE, and RATE_LIMIT with its reset.
        rows: For JUMP and SHORT_PAGE: how many rows are left out; for odd rows, how many; for WRONG_TOTAL by how many;
            for REFUSE_MANY_VALUES the most values that pass.
        location: For REDIRECT and FOREIGN_LINK: where to.
        status: For the faults that refuse a part of a query: 400, 414, 422 or 504.
        filter: For REFUSE_FILTER: a field (``updated_at``), an operator (``*``), or both (``archived_at:*``).
    """

    kind: FaultKind
    resource: str | None = None
    request_number: int = 1
    until_request_number: int | None = None
    times: int | None = 1
    only_above_per_page: int = 0
    seconds: float = 1
    clock_skew_seconds: float = 0
    rows: int = 1
    location: str = "https://api.zz9.cliniko.invalid/v1/patients"
    status: int = 400
    filter: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", FaultKind(self.kind))
        if (self.kind is FaultKind.REFUSE_FILTER) != bool(self.filter):
            raise ValueError("REFUSE_FILTER needs a filter, and no other kind has one.")

    def concerns(self, target: FaultTarget) -> bool:
        """Whether a request counts for this fault."""
        if self.resource is not None and self.resource != target.resource:
            return False
        per_page = target.value("per_page") or "50"
        if self.only_above_per_page and not (per_page.isdecimal() and int(per_page) > self.only_above_per_page):
            return False
        if self.kind in {FaultKind.REFUSE_SORT, FaultKind.SORT_TIMES_OUT}:
            return "id" in re.split(r"[,:]", target.value("sort"))
        if self.kind is FaultKind.REFUSE_ID_FILTER:
            return any(value.startswith("id:>") for value in target.filters)
        if self.kind is FaultKind.REFUSE_FILTER:
            return any(self.filter in _parts_of(value) for value in target.filters)
        if self.kind is FaultKind.REFUSE_MANY_VALUES:
            return any(value.count(",") >= self.rows for value in target.filters)
        return True


def _parts_of(value: str) -> tuple[str, ...]:
    """Field, operator, and both as in ``archived_at:*``, of a ``q[]``."""
    match = FILTER.fullmatch(value)
    return () if match is None else (match[1], match[2], f"{match[1]}:{match[2]}")


def fault_from(values: dict[str, Any]) -> Fault:
    """A fault from decoded JSON with the attributes' names as keys.

    Raises:
        ValueError: A name or a value is unknown.
        TypeError: A value that must be a number is none.
    """
    unknown = set(values) - {item.name for item in fields(Fault)}
    if unknown or "kind" not in values:
        raise ValueError(f"A fault has a kind and knows no {sorted(unknown)}." if unknown else "A fault needs a kind.")
    for name in ("request_number", "until_request_number", "times", "only_above_per_page", "rows", "status"):
        value = values.get(name, 1)
        if not (isinstance(value, int) or (value is None and name in {"until_request_number", "times"})):
            raise TypeError(f"{name} must be a whole number.")
    for name in ("seconds", "clock_skew_seconds"):
        if not isinstance(values.get(name, 1), int | float):
            raise TypeError(f"{name} must be a number.")
    if not isinstance(values.get("filter", ""), str):
        raise TypeError("filter must be a text.")
    return Fault(**values)


@dataclass(slots=True)
class _Armed:
    fault: Fault
    concerned: int = 0
    fired: int = 0

    def strikes(self) -> bool:
        """Count a request that concerns the fault; whether it goes wrong."""
        self.concerned += 1
        fault = self.fault
        last = fault.until_request_number
        if self.concerned < fault.request_number or (last is not None and self.concerned > last):
            return False
        return fault.times is None or self.fired < fault.times


@dataclass(slots=True)
class Faults:
    """The faults in force, in the order in which they were added; the first fault that strikes is used."""

    _armed: list[_Armed] = field(default_factory=list)

    def add(self, *faults: Fault) -> None:
        """Put faults in force; each counts requests from now on."""
        self._armed.extend(_Armed(fault) for fault in faults)

    def clear(self) -> None:
        """Behave from now on."""
        self._armed.clear()

    def listed(self) -> list[tuple[Fault, int]]:
        """Each fault in force, and how often it has struck."""
        return [(armed.fault, armed.fired) for armed in self._armed]

    def strike(self, target: FaultTarget) -> Fault | None:
        """The fault that this request meets, if any. Every fault that it concerns counts it."""
        striking = [armed for armed in self._armed if armed.fault.concerns(target) and armed.strikes()]
        if not striking:
            return None
        striking[0].fired += 1
        return striking[0].fault
