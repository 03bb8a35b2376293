"""What reading a list has found wrong with it: rows that can't be read, and a total that is not the number of rows.

``reading`` keeps it in the checkpoint, so a break neither loses nor doubles a count, and writes it to the sync's log
when the list is read. A few odd rows must not stop a clinic; more than a few mean that the list is not what we think.
"""

from dataclasses import dataclass, replace

from routiq_gql.cliniko import Page, Record, UnexpectedAnswer

MOST_NAMED = 20
"""Unreadable rows of a list that the log names one by one."""
UNREADABLE_ALLOWED = 5
"""Rows of a list; so many never fail a sync."""
UNREADABLE_SHARE = 0.01
"""Of a list's rows; more of them, if they are more than ``UNREADABLE_ALLOWED``, fail the sync."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in one list so far.

    Attributes:
        unreadable: Rows that no record can be made of.
        named: Id (``None`` for rows without one) and field of the first of these, each pair once.
        rows: Rows in those parts of the list whose total stayed another.
        claimed: What Cliniko's totals say of these parts.
    """

    unreadable: int = 0
    named: tuple[tuple[str | None, str], ...] = ()
    rows: int = 0
    claimed: int = 0

    def with_page(self, page: Page[Record], base: "Findings") -> "Findings":
        """These findings and those of the next page; ``base`` are those from before this reading or pass."""
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
        """What the sync's log says of them, once ``total`` rows of the list are read."""
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
        """Why the sync fails when it is too much."""
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
