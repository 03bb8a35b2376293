"""Finds the sync that a reader of patients reads, and checks that its rows are kept.

Called within the transaction that reads them. Without ``asOf`` it is the published sync, or the sync of a cursor.
"""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.connections.state import ConnectionProblem, require_usable
from routiq_gql.database.connections import connection_of
from routiq_gql.database.organization_pages import organizations_among
from routiq_gql.database.patient_reading import AskedSync, asked_sync
from routiq_gql.errors import BadInput
from routiq_gql.patients.bookings import Terms
from routiq_gql.security.viewer import SYNC_ID
from routiq_gql.time_zones import zone_of

NO_LISTS = "The patient lists of this organization are made by its next sync. Start one."
NO_ORGANIZATION = (
    "There is no such organization: it has no connection to Cliniko and no sync. Check its id, or connect it."
)
_SINCE_RULES = 2
"""The version of the rules that has lists."""


class NoPatients(BadInput):
    """Nothing is published of the organization, so it has no patients."""


@dataclass(frozen=True, slots=True)
class ReadSync:
    """A published sync, as its readers need it.

    Attributes:
        key: Its number.
        is_past: Whether its patients have ids as of this sync: the reader named it by ``asOf``, or it is that of a
            cursor and a newer one is published. Caches would replace today's patients by these otherwise.
        terms: What its analysis went by.
    """

    organization_id: str
    mirror: int
    key: int
    sync_id: str
    is_past: bool
    analyzed_at: datetime
    terms: Terms
    zone: tzinfo

    @property
    def as_of(self) -> str | None:
        """The sync in the ids of its patients; ``None`` for today's."""
        return self.sync_id if self.is_past else None


@dataclass(frozen=True, slots=True)
class KeptSync:
    """A kept sync of any version of the rules, for its figures."""

    mirror: int
    key: int
    completed_at: datetime | None
    patients_found: int


async def find_figures(connection: AsyncConnection, organization_id: str, as_of: str) -> KeptSync:
    """The sync with this id.

    Raises:
        BadInput: The organization has no such kept sync.
    """
    _check_form(as_of)
    asked = await asked_sync(connection, organization_id, as_of)
    if asked is None or asked.key is None or not asked.is_kept:
        raise BadInput(_not_kept(asked, is_cursor=False))
    return KeptSync(asked.mirror, asked.key, asked.completed_at, asked.patients_found or 0)


async def find_sync(
    connection: AsyncConnection, organization_id: str, as_of: str | None = None, cursor: int | None = None
) -> ReadSync:
    """The sync to read.

    Args:
        cursor: The number of the sync that a cursor belongs to.

    Raises:
        NoPatients: The organization has no completed sync, or there is no such organization.
        BadInput: The organization has no lists yet, or no such kept sync.
    """
    _check_form(as_of)
    asked = await asked_sync(connection, organization_id, None if cursor is not None else as_of, cursor)
    if asked is None or not asked.published:
        raise NoPatients(await _why_no_lists(connection, organization_id))
    if not asked.is_kept:
        raise BadInput(_not_kept(asked, is_cursor=cursor is not None))
    if cursor is not None and as_of not in {None, asked.sync_id}:
        raise BadInput("“asOf” (REST: as_of) and the cursor belong to different syncs. Use one of them.")
    if asked.rules is None or asked.rules < _SINCE_RULES or asked.analyzed_at is None:
        if asked.key != asked.published:
            raise BadInput(
                "This sync has no patient lists: an earlier version of the server made it. Name a later one."
            )
        raise BadInput(await _why_no_lists(connection, organization_id))
    is_past = as_of is not None or asked.key != asked.published
    return _read_sync(organization_id, asked, asked.analyzed_at, is_past=is_past)


async def _why_no_lists(connection: AsyncConnection, organization_id: str) -> str:
    """Why a sync has to come first, and what else before it."""
    row = await connection_of(connection, organization_id)
    if row is None and not await organizations_among(connection, [organization_id]):
        return NO_ORGANIZATION
    try:
        require_usable(row, organization_id)
    except ConnectionProblem as problem:
        return f"There are no patient lists yet. {problem.message} {problem.what_to_do}"
    return NO_LISTS


def _check_form(as_of: str | None) -> None:
    if as_of is not None and not SYNC_ID.fullmatch(as_of):
        raise BadInput("“asOf” (REST: as_of) must be the id of a sync, from the history.")


def _read_sync(organization_id: str, asked: AskedSync, analyzed_at: datetime, *, is_past: bool) -> ReadSync:
    return ReadSync(
        organization_id=organization_id,
        mirror=asked.mirror,
        key=asked.key or 0,
        sync_id=asked.sync_id or "",
        is_past=is_past,
        analyzed_at=analyzed_at,
        terms=Terms.at(
            analyzed_at,
            asked.recent_days or 0,
            asked.upcoming_days or 0,
            asked.seen_within_weeks or 0,
            asked.horizon_from,
        ),
        zone=zone_of(asked.time_zone),
    )


def _not_kept(asked: AskedSync | None, *, is_cursor: bool) -> str:
    oldest = f"The oldest one is {asked.oldest_kept_id}." if asked is not None and asked.oldest_kept_id else ""
    if is_cursor:
        return "The cursor belongs to a sync whose patients are no longer kept. Begin again without a cursor."
    return (
        f"“asOf” (REST: as_of) must be a completed sync of this organization whose patients are kept. {oldest}".strip()
    )
