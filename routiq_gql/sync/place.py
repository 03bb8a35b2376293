"""The place in a list up to which it is read. Part of the checkpoint; ``source`` returns a new place with each page."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from routiq_gql.sync.findings import Findings


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading resumes in a list.

    Attendees are read for a batch of group appointments at a time; there ``last_id`` and ``has_ended`` belong to the
    current batch. The other lists have no batches.

    Attributes:
        last_id: The highest id that is stored; ``None`` at the beginning, and always for a list read in passes.
        has_ended: Whether the last page is stored.
        read: Rows read, including unreadable rows.
        batch_after: The last group appointment of the batch before; "" in the first batch.
        classes: Group appointments in the completed batches.
        findings: Problems found in the list so far.
        findings_before: Problems found before this batch; a new pass starts from them.
    """

    last_id: str | None = None
    has_ended: bool = False
    read: int = 0
    batch_after: str = ""
    classes: int = 0
    findings: Findings = field(default_factory=Findings)
    findings_before: Findings = field(default_factory=Findings)

    def after_batch(self, booking_ids: Sequence[str]) -> "Place":
        """The beginning of the next batch, once the attendees of ``booking_ids`` are read."""
        return replace(
            self,
            last_id=None,
            has_ended=False,
            batch_after=booking_ids[-1],
            classes=self.classes + len(booking_ids),
            findings_before=self.findings,
        )
