"""The numbers of a list's rows: Cliniko's totals, and the same rows of the draft."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from routiq_gql.cliniko import (
    PATIENTS,
    ClinikoClient,
    Record,
    Resource,
    content_filters,
    count_list,
    ids_between,
    unarchived_filters,
)
from routiq_gql.clock import utc_now
from routiq_gql.database.counting import count_visible, greatest_id, ids_within
from routiq_gql.database.drafts import Covered, Draft
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import BY_RESOURCE, MirrorList
from routiq_gql.sync.reconcile.terms import Terms

ROWS_PER_PAGE = 100
"""Cliniko's largest page; for estimates only."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows that a total counts: their conditions in Cliniko and in the mirror."""

    filters: Sequence[str]
    covered: Covered


@dataclass(frozen=True, slots=True)
class Totals:
    """Cliniko's totals of a list.

    Attributes:
        up_to: The greatest id of the mirror, rows that it no longer shows included, up to which rows are counted;
            ``None`` if the mirror has none.
        counts: One for each scope of the list.
        taken_at: When they were asked for.
    """

    up_to: int | None
    counts: tuple[int, ...]
    taken_at: datetime


class ListCounts:
    """Counts lists in Cliniko and in a draft.

    Attributes:
        checked_at: When the last total was taken; ``None`` before the first.
    """

    def __init__(self, client: ClinikoClient, database: Database, draft: Draft, terms: Terms) -> None:
        self.checked_at: datetime | None = None
        self._client = client
        self._database = database
        self._draft = draft
        self._horizon = terms.horizon

    def scopes(self, resource: Resource[Record]) -> list[Scope]:
        """All mirrored rows of a list; of patients also those who are not archived.

        A patient who is archived without a trace changes only the second.
        """
        covered = Covered()
        if resource.has_start:
            covered = Covered(starts_from=self._horizon.start, starts_to=self._horizon.end)
        scopes = [Scope(content_filters(resource, self._horizon), covered)]
        if resource is PATIENTS:
            scopes.append(Scope(unarchived_filters(resource), Covered(archived=False)))
        return scopes

    async def take_totals(self, resource: Resource[Record]) -> Totals:
        """Ask Cliniko for the totals of a list, by one request for each scope.

        Raises:
            QueryRefused, QueryTooSlow, CountsDisagree: Cliniko does not count this list.
        """
        async with self._database.reading() as connection:
            up_to = await greatest_id(connection, self._draft, BY_RESOURCE[resource.name]) or None
        taken_at = utc_now()
        counts = [await self.in_cliniko(resource, scope, None, up_to) for scope in self.scopes(resource)]
        return Totals(up_to, tuple(counts), taken_at)

    async def in_cliniko(self, resource: Resource[Record], scope: Scope, above: int | None, up_to: int | None) -> int:
        """Ask Cliniko how many rows have an id above ``above`` and up to ``up_to``."""
        bounds = ids_between(*(None if bound is None else str(bound) for bound in (above, up_to)))
        count = await count_list(self._client, resource, [*scope.filters, *bounds])
        self.checked_at = utc_now()
        return count

    async def in_mirror(self, resource: Resource[Record], up_to: int | None) -> tuple[int, ...]:
        """How many rows the draft has with an id up to ``up_to``, for each scope."""
        target = BY_RESOURCE[resource.name]
        parts = [replace(scope.covered, up_to=up_to) for scope in self.scopes(resource)]
        async with self._database.reading() as connection:
            return tuple([await count_visible(connection, self._draft, target, part) for part in parts])

    async def ids(self, resource: Resource[Record], covered: Covered, limit: int) -> list[int]:
        """The first ``limit`` ids of the draft in a part of the list, ascending."""
        async with self._database.reading() as connection:
            return await ids_within(connection, self._draft, BY_RESOURCE[resource.name], covered, limit)

    async def requests_of_full_read(self) -> int:
        """About how many requests it takes to read every list."""
        async with self._database.reading() as connection:
            counts = [await count_visible(connection, self._draft, target) for target in MirrorList]
        return sum(ceil(count / ROWS_PER_PAGE) for count in counts)
