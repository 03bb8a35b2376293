"""The pages that a look has read, for the sync that it starts in the same process: that sync need not ask again.

They are kept in memory only, until that sync begins here or has ended. A sync that another process runs, or that
resumes, asks Cliniko by itself.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from routiq_gql.cliniko import Page, Record
from routiq_gql.database.drafts import Draft
from routiq_gql.sync.plan import Plan

MOST_SYNCS = 50
"""Syncs whose pages are kept at the same time, which takes some megabytes."""


@dataclass(frozen=True, slots=True)
class FoundPages:
    """The changes since the mark of a published sync.

    Attributes:
        published: That sync. Rows that a later one has read may be newer.
        pages: By the name of each list of which the look has read all changes.
    """

    published: int
    pages: Mapping[str, Page[Record]]

    def for_sync(self, plan: Plan, draft: Draft) -> Mapping[str, Page[Record]]:
        """The pages that a sync may use: none if it reads everything, or follows another published sync."""
        return {} if plan.lists is None or draft.base != self.published else self.pages


class FoundPagesKeeper:
    """Keeps the pages of a process by the key of the sync that uses them, until that sync begins."""

    def __init__(self) -> None:
        self._kept: dict[int, FoundPages] = {}

    def __iter__(self) -> Iterator[int]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, sync: int, found: FoundPages) -> None:
        """Keep the pages for a sync. Call before the sync can begin."""
        while len(self._kept) >= MOST_SYNCS:
            del self._kept[next(iter(self._kept))]  # of a sync that another process runs
        self._kept[sync] = found

    def take(self, sync: int) -> FoundPages | None:
        """The pages for a sync, which are not kept any longer; ``None`` if there are none."""
        return self._kept.pop(sync, None)

    def drop(self, syncs: Collection[int]) -> None:
        """Forget the pages for syncs that have ended."""
        for sync in syncs:
            self._kept.pop(sync, None)
