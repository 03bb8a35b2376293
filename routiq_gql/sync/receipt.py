"""The receipt of a sync: whether the mirror agrees with Cliniko, list by list, and what the sync read and changed.

It is a statement about counts and about the changes that Cliniko reports. An edit that leaves no trace in either is
found by the next full sync only, and no receipt says otherwise. Stored as JSON in ``syncs.receipt``.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from routiq_gql.cliniko import RESOURCES

OPTIONAL_LISTS = frozenset(resource.name for resource in RESOURCES if resource.is_optional)
"""Lists that a sync does without if the key may not read them."""


@dataclass(frozen=True, slots=True)
class ListReceipt:
    """The comparison of a list.

    Attributes:
        list: Cliniko's name of the list.
        in_cliniko: Rows that Cliniko counts; ``None`` if it did not count them. Of attendees: in the compared classes.
        in_mirror: Rows of the mirror that correspond to these.
        agrees: Whether both agree after the last repair; ``None`` if they were not compared. Of attendees also
            ``None`` if the classes compared within a day agree and others were not due yet.
        read: Rows read.
        added: Rows that are new in the mirror.
        updated: Rows whose content changed.
        removed: Rows that left the mirror.
        unreadable: Rows that Cliniko lists and that can't be read.
        suppressed: Rows of erased persons, counted and never shown.
        requests: Requests for this list.
        compared: Of attendees: how many classes were compared.
        of: Of attendees: how many classes there are within the windows.
        oldest_check: Of attendees: when the class was compared whose comparison is the oldest.
    """

    list: str
    in_cliniko: int | None
    in_mirror: int
    agrees: bool | None
    read: int = 0
    added: int = 0
    updated: int = 0
    removed: int = 0
    unreadable: int = 0
    suppressed: int = 0
    requests: int = 0
    compared: int | None = None
    of: int | None = None
    oldest_check: datetime | None = None

    @property
    def is_compared(self) -> bool:
        """Whether rows were compared: all of them, or the attendees of some classes."""
        return self.agrees is not None or self.in_cliniko is not None

    @property
    def is_denied(self) -> bool:
        """Whether the list was not compared because it is optional and the key may not read it."""
        return not self.is_compared and self.list in OPTIONAL_LISTS

    @property
    def is_refused(self) -> bool:
        """Whether the list was not compared because Cliniko did not answer: a sync is meant to compare it."""
        return not self.is_compared and self.list not in OPTIONAL_LISTS


@dataclass(frozen=True, slots=True)
class UnreadableRowReceipt:
    """A row that Cliniko lists and that can't be read; ``id`` is ``None`` if even that is unreadable."""

    list: str
    id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of a completed sync.

    Attributes:
        checked_at: When the last total was taken.
        requests: Requests of the whole sync.
        waited_seconds: Seconds that the sync waited for Cliniko's limits and failures.
        lists: The lists, in the order of reading.
        unreadable_rows: The first unreadable rows of each list.
        is_later: Whether a later sync compares the lists, or the others of them. ``checked_at`` and ``in_cliniko`` are
            then of the last comparison before.
        parts: The parts of a comparison that are done; 0 without one under way. See ``parts.PARTS``.
    """

    checked_at: datetime
    requests: int
    waited_seconds: float
    lists: tuple[ListReceipt, ...]
    unreadable_rows: tuple[UnreadableRowReceipt, ...] = ()
    is_later: bool = False
    parts: int = 0

    @property
    def agrees(self) -> bool | None:
        """Whether the mirror agrees with Cliniko, derived from the lists; ``None`` if a later sync compares them.

        ``False`` if a compared list differs after the last repair. ``None`` if none differs and Cliniko refused to
        compare a list, or if no list was compared. Otherwise ``True``: also while some classes of attendees are not due
        yet, and without an optional list that the key may not read.
        """
        if any(one.agrees is False for one in self.lists):
            return False
        return None if self.refused or not self.is_compared or self.is_later else True

    @property
    def refused(self) -> tuple[ListReceipt, ...]:
        """The lists that a sync is meant to compare and that Cliniko did not count or list."""
        return tuple(one for one in self.lists if one.is_refused)

    @property
    def is_compared(self) -> bool:
        """Whether at least one list was compared."""
        return any(one.is_compared for one in self.lists)

    @property
    def added(self) -> int:
        return sum(one.added for one in self.lists)

    @property
    def updated(self) -> int:
        return sum(one.updated for one in self.lists)

    @property
    def removed(self) -> int:
        return sum(one.removed for one in self.lists)


def to_json(receipt: Receipt) -> dict[str, object]:
    """The receipt as JSON, with ``agrees`` first; times are ISO 8601 in UTC."""
    values = {name: _plain(value) for name, value in asdict(receipt).items()}
    if not receipt.is_later:  # as earlier versions wrote it
        del values["is_later"]
    if not receipt.parts:
        del values["parts"]
    return {"agrees": receipt.agrees, **values}


def read_receipt(stored: Mapping[str, Any]) -> Receipt:
    """The receipt that ``to_json`` stored. Names that a newer version added are ignored.

    The stored ``agrees`` is ignored as well, since an earlier version stored ``true`` in spite of refused lists.
    """
    lists = tuple(
        ListReceipt(**{**_known(ListReceipt, one), "oldest_check": _time(one.get("oldest_check"))})
        for one in stored["lists"]
    )
    rows = tuple(UnreadableRowReceipt(**_known(UnreadableRowReceipt, one)) for one in stored["unreadable_rows"])
    checked_at = datetime.fromisoformat(stored["checked_at"])
    return Receipt(**{**_known(Receipt, stored), "checked_at": checked_at, "lists": lists, "unreadable_rows": rows})


def _known(kind: type[ListReceipt | UnreadableRowReceipt | Receipt], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in stored.items() if name in kind.__dataclass_fields__}


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
