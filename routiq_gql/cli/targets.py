"""Resolves an argument ``ORG|SYNC_ID``: the sync itself, or the organization's newest sync."""

from typing import Annotated

import typer

from routiq_gql.errors import BadInput, RoutiqError, SyncNotFound
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, ORGANIZATION_ID, SYNC_ID
from routiq_gql.sync.model import SyncSnapshot

Target = Annotated[
    str, typer.Argument(metavar="ORG|SYNC_ID", help="An organization's id, or a sync's id as `sync` prints it.")
]


class NotFound(RoutiqError):
    """There is no such organization or sync, or the organization has no sync."""

    code = "NOT_FOUND"


def check_target(target: str) -> None:
    """Raise if this can't be an id, before the database is opened.

    Raises:
        BadInput: It has neither the form of an organization's id nor that of a sync's.
    """
    if not (ORGANIZATION_ID.fullmatch(target) or SYNC_ID.fullmatch(target)):
        raise BadInput("An organization id has 1 to 64 letters, digits, dashes and underscores; a sync id has more.")


async def find_sync(runtime: Runtime, target: str) -> SyncSnapshot:
    """The sync with this id, or the newest sync of the organization with this id, running or ended.

    Raises:
        NotFound: There is none.
        BadInput: The id is that of an organization and of another organization's sync.
    """
    of_organization = await newest_sync(runtime, target) if ORGANIZATION_ID.fullmatch(target) else None
    try:
        by_id = await runtime.syncs.status(LOCAL_OPERATOR, target) if SYNC_ID.fullmatch(target) else None
    except SyncNotFound:
        by_id = None
    if by_id is not None and of_organization is not None:
        raise BadInput(
            f"{target} is both a sync of {by_id.organization_id} and an organization. Use the id of that organization "
            f"({by_id.organization_id}), or an id from: routiq-gql history {target}"
        )
    if (found := by_id or of_organization) is not None:
        return found
    raise await no_syncs(runtime, target)


async def newest_sync(runtime: Runtime, organization: str) -> SyncSnapshot | None:
    """The newest sync of an organization; ``None`` if it has none."""
    history = await runtime.syncs.history(LOCAL_OPERATOR, organization, limit=1)
    return history.recent_syncs[0] if history.recent_syncs else None


async def no_syncs(runtime: Runtime, target: str) -> NotFound:
    """The error for an organization without syncs or an unknown id, with advice."""
    known = [one.organization_id for one in await runtime.connections.organizations(LOCAL_OPERATOR)]
    if target in known:
        return NotFound(f"{target} has no sync yet. Start one: routiq-gql sync {target}")
    if target.startswith("sync_"):
        return NotFound(f"There is no sync {target}. List the syncs of an organization: routiq-gql history ORG")
    return NotFound(f"There is no organization {target}. List the organizations: routiq-gql connections")
