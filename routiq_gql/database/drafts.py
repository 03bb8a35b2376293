"""The draft of a running sync, and the parts of a list that a page answers for.

A *draft* is what the running sync has written on top of the published sync, its *base*. Readers see nothing of it
before the publication. ``merging`` writes pages into it, ``rollback`` removes it, and ``publishing`` shows it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class Draft:
    """The unpublished changes of a running sync.

    Attributes:
        mirror: The organization's number in ``mirrors``.
        base: The number of the published sync; 0 before the first.
        sync: The number of the running sync.
    """

    mirror: int
    base: int
    sync: int

    @property
    def parameters(self) -> dict[str, int]:
        """The parameters of a SELECT that is made once for all drafts: ``mirror``, ``base`` and ``sync``."""
        return {"mirror": self.mirror, "base": self.base, "sync": self.sync}


class Closing(IntEnum):
    """Why a version ended. The values are stored."""

    CHANGED = 1
    DELETED = 2
    ARCHIVED = 3
    MOVED_OUT = 4
    AGED_OUT = 5
    CLASS_CLOSED = 6


@dataclass(frozen=True, slots=True)
class Covered:
    """The part of a list that an answer holds completely. A row of the mirror that belongs here and is not in the
    answer is no longer in Cliniko's list. All given conditions must hold; ``None`` is no condition.

    Attributes:
        above: Ids above this.
        up_to: Ids up to this.
        starts_from: Appointments that start at this time or later.
        starts_to: Appointments that start at this time or earlier.
        bookings: Attendees of these classes.
        patients: Appointments or attendees of these patients.
        ids: These rows.
        archived: Archived rows only (``True``), or others only (``False``).
    """

    above: int | None = None
    up_to: int | None = None
    starts_from: datetime | None = None
    starts_to: datetime | None = None
    bookings: tuple[int, ...] | None = None
    patients: tuple[int, ...] | None = None
    ids: tuple[int, ...] | None = None
    archived: bool | None = None


@dataclass(frozen=True, slots=True)
class ReadPage:
    """An answer of Cliniko that is ready to be merged.

    Attributes:
        rows: The rows to mirror, by column.
        closing: Ids of rows that the mirror does not hold (deleted, archived, outside the horizon), with the reason.
        unreadable: Ids of rows that can't be read. They keep their version, or become stubs.
        covered: The part of the list that the answer holds completely; ``None`` if rows may be missing from it.
        suppressed: Rows of erased persons, which become stubs; see ``keep_out``.
    """

    rows: Sequence[Mapping[str, object]] = ()
    closing: Mapping[int, Closing] = field(default_factory=dict)
    unreadable: Sequence[int] = ()
    covered: Covered | None = None
    suppressed: Sequence[Mapping[str, object]] = ()


@dataclass(frozen=True, slots=True)
class PageChanges:
    """The changes of a page that the draft did not have yet; ``ids`` are the rows that were written or closed."""

    ids: frozenset[int]

    @property
    def changed(self) -> int:
        """How many rows were written or closed; 0 when the page brought nothing new."""
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class ListChanges:
    """How a draft differs from its base, in rows of a list."""

    added: int = 0
    updated: int = 0
    removed: int = 0
