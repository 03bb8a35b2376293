"""Groups refusals into rows of the audit log, so that no caller can fill the log or hide other callers' refusals.

Within a minute each person and address gets a few rows; further kinds of refusal are counted in a single row with the
same person and address and the outcome ``SEVERAL``. The rows per person over all addresses are limited too. Requests
without a valid token share half of all rows. Every refusal is counted in some row.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

MOST_KINDS_OF_ONE = 10
"""Kinds of refusal kept apart per person and address within a minute."""
MOST_ROWS_OF_ONE = 50
"""Rows per person within a minute, from all addresses."""

SEVERAL = "SEVERAL"
"""The outcome of a row that counts different refusals."""
_ANY_ACTION = "ask"


class Refusal(NamedTuple):
    """A kind of refusal: equal refusals are counted together."""

    action: str
    outcome: str
    organization_id: str | None
    subject: str | None
    address: str | None


class Rows:
    """The rows of the last minute.

    Args:
        most: Maximum for all callers. Beyond it each further person gets one row, up to twice the maximum.
        kept: The existing rows.
    """

    def __init__(self, most: int, kept: Iterable[Refusal] = ()) -> None:
        self._most = most
        self._kept: set[Refusal] = set()
        self._by_subject: Counter[str | None] = Counter()
        self._kinds_by_caller: Counter[tuple[str | None, str | None]] = Counter()
        for one in kept:
            self._keep(one)

    def __len__(self) -> int:
        return len(self._kept)

    def row_for(self, refusal: Refusal) -> Refusal:
        """The row that counts a refusal: a separate row, or a ``SEVERAL`` row. It is kept from now on."""
        row = refusal if refusal in self._kept else self._choose(refusal)
        if row not in self._kept:
            self._keep(row)
        return row

    def _choose(self, refusal: Refusal) -> Refusal:
        subject, address = refusal.subject, refusal.address
        most = self._most // 2 if subject is None else MOST_ROWS_OF_ONE
        has_room = self._by_subject[subject] < most and len(self._kept) < self._most
        if has_room and self._kinds_by_caller[subject, address] < MOST_KINDS_OF_ONE:
            return refusal
        here = _several(subject, address)
        if has_room or here in self._kept:
            return here
        anywhere = _several(subject, None)
        return anywhere if anywhere in self._kept or len(self._kept) < 2 * self._most else _several(None, None)

    def _keep(self, row: Refusal) -> None:
        self._kept.add(row)
        self._by_subject[row.subject] += 1
        if row.outcome != SEVERAL:
            self._kinds_by_caller[row.subject, row.address] += 1


def _several(subject: str | None, address: str | None) -> Refusal:
    return Refusal(_ANY_ACTION, SEVERAL, None, subject, address)
