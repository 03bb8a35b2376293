"""Problems found while a list is read: unreadable rows, and a total that differs from the number of rows.

They are part of the checkpoint, so an interruption neither loses nor doubles a count. ``reading`` writes them to the
sync's log when the list is read. A few unreadable rows must not fail a sync; many mean that we misread the list.
"""

from dataclasses import dataclass, replace

from routiq_gql.cliniko import Page, Record, UnexpectedAnswer

MOST_NAMED = 20
"""Unreadable rows of a list that the log names separately."""
UNREADABLE_ALLOWED = 5
"""Unreadable rows of a list that never fail a sync."""
UNREADABLE_SHARE = 0.01
"""Share of a list's rows. More unreadable rows fail the sync, unless they are within ``UNREADABLE_ALLOWED``."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Problems found in a list so far.

    Attributes:
        unreadable: Rows that can't become a record.
        named: Id (``None`` for a row without an id) and field of the first of these, each pair once.
        rows: Rows in the parts of the list whose total stayed different.
        claimed: The sum of Cliniko's totals of these parts.
    """

    unreadable: int = 0
    named: tuple[tuple[str | None, str], ...] = ()
    rows: int = 0
    claimed: int = 0

    def with_page(self, page: Page[Record], base: "Findings") -> "Findings":
        """These findings with those of the next page; ``base`` are the findings from before this pass."""
        named = list(self.named)
        for row in page.unreadable:
            if len(named) < MOST_NAMED and (row.id, row.field) not in named:
                named.append((row.id, row.field))
        found = replace(self, unreadable=base.unreadable + page.unreadable_read, named=tuple(named))
        if page.claimed_total is None:
            return found
        return replace(found, rows=base.rows + page.read, claimed=base.claimed + page.claimed_total)

    def is_too_much(self, total: int) -> bool:
        """Whether more of a list of ``total`` rows is unreadable than a sync may leave out."""
        return self.unreadable > max(UNREADABLE_ALLOWED, total * UNREADABLE_SHARE)

    def lines(self, where: str, total: int) -> list[str]:
        """The lines for the sync's log, once ``total`` rows of the list are read."""
        lines = [_naming(row_id, field, where) for row_id, field in self.named]
        if self.unreadable > 1:
            lines.append(f"Skipped {self.unreadable} of {total} rows of {where} that can't be read")
        if self.rows != self.claimed:
            lines.append(
                f"Cliniko reports a total of {self.claimed} for {where}, but two readings returned the same "
                f"{self.rows} rows"
            )
        return lines

    def failure(self, where: str, total: int) -> UnexpectedAnswer:
        """The failure of a sync with too many unreadable rows."""
        field = self.named[0][1]
        return UnexpectedAnswer(
            f"{self.unreadable} of {total} rows of {where} can't be read: the first has no usable “{field}”.",
            "The sync's log lists the rows. Check them in Cliniko, and ask Cliniko's support whether something is "
            "wrong with this list.",
            f"{self.unreadable} of {total} rows without {field}",
        )


def _naming(row_id: str | None, field: str, where: str) -> str:
    row = "a row" if row_id is None else f"row {row_id}"
    return f"Skipped {row} of {where}: its “{field}” can't be read"
