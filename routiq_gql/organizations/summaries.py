"""The list of organizations for a chooser: name, state, last success and freshness, a page at a time.

Two statements read a page of any size. ``listing`` reads more of each organization, for the operator's command.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.connections.state import ConnectionState
from routiq_gql.database.organization_facts import OrganizationFacts, facts_of
from routiq_gql.database.organization_pages import page_of_organizations
from routiq_gql.errors import BadInput
from routiq_gql.organizations.cursors import organizations_cursor, read_organizations_cursor
from routiq_gql.organizations.freshness import Freshness, freshness_of
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncState

LONGEST_SEARCH = 100
"""Characters of a searched text. Names of clinics are shorter."""


@dataclass(frozen=True, slots=True)
class OrganizationSummary:
    """An organization in the list.

    Attributes:
        name: The clinic's name in Cliniko; ``None`` until the key was checked.
        connection_state: ``None`` if it was never connected.
        status: The status of the running sync, or IDLE.
        last_successful_sync_at: When the newest completed sync ended.
        freshness: ``None`` before the first completed sync.
    """

    organization_id: str
    name: str | None
    connection_state: ConnectionState | None
    status: SyncState
    last_successful_sync_at: datetime | None
    freshness: Freshness | None


@dataclass(frozen=True, slots=True)
class OrganizationList:
    """A page of organizations, by name; organizations without a name are sorted by their id.

    Attributes:
        next_cursor: Opaque; pass as ``after`` for the next page. ``None`` on the last page.
    """

    organizations: list[OrganizationSummary]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ListRequest:
    """Which organizations are listed; ``only`` is the organization that the viewer is limited to."""

    limit: int
    after: str | None
    search: str | None
    only: str | None


async def read_organization_list(
    connection: AsyncConnection, request: ListRequest, settings: Settings
) -> OrganizationList:
    """The requested page.

    Raises:
        BadInput: The cursor or the searched text has a wrong form.
    """
    after = read_organizations_cursor(request.after) if request.after is not None else None
    texts = _texts(request.search or "")
    found = await page_of_organizations(connection, request.limit + 1, after, texts, request.only)
    page = found[: request.limit]
    facts = await facts_of(connection, [place.organization_id for place in page]) if page else {}
    return OrganizationList(
        organizations=[_summary(facts[place.organization_id], settings) for place in page],
        next_cursor=organizations_cursor(page[-1]) if len(found) > request.limit else None,
    )


def _texts(search: str) -> list[str]:
    """The forms of a searched text, since SQLite ignores the case of ASCII letters only."""
    text = search.strip()
    if len(text) > LONGEST_SEARCH or any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise BadInput(f"“search” must be a text of at most {LONGEST_SEARCH} characters, without control characters.")
    if text.isascii():
        return [text] if text else []
    return sorted({text, text.lower(), text.upper(), text.title()})


def _summary(facts: OrganizationFacts, settings: Settings) -> OrganizationSummary:
    state, running, completed = facts.connection_state, facts.running_status, facts.completed
    return OrganizationSummary(
        organization_id=facts.organization_id,
        name=facts.name,
        connection_state=ConnectionState(state) if state is not None else None,
        status=SyncState(running) if running is not None else SyncState.IDLE,
        last_successful_sync_at=completed.completed_at if completed is not None else None,
        freshness=freshness_of(facts, settings, utc_now()),
    )
