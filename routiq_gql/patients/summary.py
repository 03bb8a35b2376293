"""Counts what a sync changes: for its log, the history and webhooks.

Called before the publication, outside of its transaction. ``changes.py`` lists the same patients; tests compare both.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.drafts import Draft
from routiq_gql.database.kept_syncs import sync_has_lists
from routiq_gql.database.patient_changes import Span, count_differences
from routiq_gql.database.webhook_events import EventType, ListChanges
from routiq_gql.patients.lists import PatientList
from routiq_gql.sync.change_counts import ChangeCounts


async def count_changes(connection: AsyncConnection, draft: Draft, *, is_baseline: bool = False) -> ChangeCounts | None:
    """What a draft changes for readers; ``None`` if nothing counts as a change.

    That is so in a baseline, and after a sync of an earlier version, which stored no lists.
    """
    if is_baseline or not draft.base or not await sync_has_lists(connection, draft.base):
        return None
    counts = await count_differences(connection, Span(draft.mirror, draft.base, draft.sync))
    active = PatientList.ACTIVE.value
    return ChangeCounts(
        patients=counts.patients,
        added=counts.added,
        changed=counts.changed,
        vanished=counts.vanished,
        became_active=counts.joined.get(active, 0),
        became_inactive=counts.left.get(active, 0),
    )


def active_changes(draft: Draft, sync_id: str, counts: ChangeCounts | None) -> ListChanges | None:
    """Who became active or inactive by a draft, as ``counts`` has counted them; ``None`` if there is none."""
    if counts is None:
        return None
    became = {
        EventType.PATIENT_BECAME_ACTIVE: counts.became_active,
        EventType.PATIENT_BECAME_INACTIVE: counts.became_inactive,
    }
    types = frozenset(kind for kind, count in became.items() if count)
    span = Span(draft.mirror, draft.base, draft.sync)
    return ListChanges(span, PatientList.ACTIVE.value, sync_id, types) if types else None
