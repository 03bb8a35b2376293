"""The interface of the comparison: the plan of a sync, its effort, and its side of the work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from routiq_gql.cliniko import Horizon, Page, QueryTooSlow, Record, Resource, UnexpectedAnswer
from routiq_gql.database.drafts import Covered, PageChanges
from routiq_gql.sync.receipt import UnreadableRowReceipt

REFUSALS = (UnexpectedAnswer, QueryTooSlow)
"""Cliniko does not answer this request as it should, though it may answer others. A full sync goes without it."""


class FullReadNeeded(Exception):
    """An incremental sync can't make a list agree: the sync has to read every list. Never raised in a full sync.

    Attributes:
        reason: A sentence for the sync's log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Terms:
    """The plan of the sync.

    Attributes:
        is_full: Whether every list was read whole.
        mark: The sync's own mark. Changes that are made during the sync have an ``updated_at`` from here on.
        horizon: The appointments that are mirrored.
        recent_from: The attendees of classes that start from here,
        upcoming_to: until here are compared: the windows of the analysis.
    """

    is_full: bool
    mark: datetime
    horizon: Horizon
    recent_from: datetime
    upcoming_to: datetime


@dataclass(frozen=True, slots=True)
class Effort:
    """Requests, waits and rows of the sync so far, earlier claims included.

    Attributes:
        requests: All requests.
        waited_seconds: Seconds of waiting for Cliniko.
        requests_by_list: Requests by the name of the list.
        read_by_list: Rows read by the name of the list.
        unreadable_rows: Rows that this sync could not read. Rows that were never readable are found in the draft.
    """

    requests: int
    waited_seconds: float
    requests_by_list: Mapping[str, int] = field(default_factory=dict)
    read_by_list: Mapping[str, int] = field(default_factory=dict)
    unreadable_rows: tuple[UnreadableRowReceipt, ...] = ()


class Mirroring(Protocol):
    """The sync's side, for its claim and its draft. Each method commits before it returns; all may be repeated."""

    @property
    def changed(self) -> Mapping[str, int]:
        """By the name of a list: how many rows merged pages have changed since this object was made, from 0.

        Every merged page counts: ``PageChanges.changed`` is added with each ``merge_page``.
        """
        ...

    async def merge(self, resource: Resource[Record], page: Page[Record], covered: Covered | None) -> PageChanges:
        """Merge a page into the draft. Hidden rows and rows outside the horizon close their version.

        Notes patients whose row shows a merge, and classes that appear, for ``follow``.
        """
        ...

    async def follow(self) -> None:
        """Read again what merged pages point to, with ``merge``.

        These are the appointments and attendees of both patients of a merge (along a chain of merges), and the
        attendees of classes that are visible in the draft and not in its base. Nothing is asked twice.
        """
        ...

    async def close_attendees_of_closed_classes(self) -> None:
        """Close the attendees of classes that the draft does not show any more. Called after all repairs."""
        ...

    async def note_compared_classes(self, checked: Mapping[int, datetime]) -> int:
        """Store when classes were compared, by ``save_class_checks``; how many attendees the draft has in these."""
        ...

    def expect_search(self, list_name: str, rows: int, differing: int) -> None:
        """Note that a list of so many rows is about to be searched for rows by which it differs; for the estimate."""
        ...

    async def report(self, line: str) -> None:
        """Write a line to the sync's log: a repair, or a list that does not agree yet."""
        ...

    def effort(self) -> Effort:
        """The effort of the sync until now."""
        ...
