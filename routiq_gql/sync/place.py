"""The place in a list up to which it is read. Part of the checkpoint; ``source`` returns a new place with each page."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from routiq_gql.sync.findings import Findings


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of the rows of a list that were read so far.

    Attributes:
        read: Rows, including unreadable rows.
        listed: Rows that are neither archived, cancelled nor deleted.
        findings: Problems found in the list.
    """

    read: int = 0
    listed: int = 0
    findings: Findings = field(default_factory=Findings)


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading resumes in a list.

    A full sync reads attendees for a batch of group appointments at a time; there ``last_id`` and ``has_ended`` belong
    to the current batch. The other lists have no batches.

    Attributes:
        last_id: The highest id that is stored; ``None`` at the beginning, and always for a list read in passes.
        has_ended: Whether the last page is stored.
        counts: What was read so far, and
        counts_before: what was read before this batch; a new pass starts from there.
        batch_after: The last group appointment of the batch before; 0 in the first batch.
        batch_to: The last group appointment of the current batch; 0 before its first page.
        classes: Group appointments in the completed batches.
    """

    last_id: str | None = None
    has_ended: bool = False
    counts: Counts = field(default_factory=Counts)
    counts_before: Counts = field(default_factory=Counts)
    batch_after: int = 0
    batch_to: int = 0
    classes: int = 0

    @property
    def read(self) -> int:
        return self.counts.read

    @property
    def findings(self) -> Findings:
        return self.counts.findings

    def after_batch(self, booking_ids: Sequence[int]) -> "Place":
        """The beginning of the next batch, once the attendees of ``booking_ids`` are read."""
        return replace(
            self,
            last_id=None,
            has_ended=False,
            counts_before=self.counts,
            batch_after=booking_ids[-1],
            batch_to=0,
            classes=self.classes + len(booking_ids),
        )
