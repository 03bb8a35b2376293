"""Reads the figures of a sync: the number of patients in each list, the counts of the dashboard, the practitioners."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.activity import active_counts_at
from routiq_gql.database.patient_lists import count_lists
from routiq_gql.database.patient_reading import names_at
from routiq_gql.organizations.dashboard import PatientStats
from routiq_gql.patients.lists import LISTS, PatientList
from routiq_gql.patients.model import ListSummary, Practitioner
from routiq_gql.patients.read_sync import ReadSync, find_figures


async def read_summaries(connection: AsyncConnection, sync: ReadSync) -> list[ListSummary]:
    """All lists with their numbers of patients, in the order in which they are shown."""
    counts = await count_lists(connection, sync.mirror, sync.key)
    return [summary_of(sync, one, counts.get(one.value, 0)) for one in LISTS]


def summary_of(sync: ReadSync, which: PatientList, total: int) -> ListSummary:
    """A list with its number of patients, and how it was counted at a sync."""
    rule, terms = LISTS[which], sync.terms
    counting = rule.counted(terms.recent_days, terms.upcoming_days, terms.seen_within_weeks)
    return ListSummary(which, rule.title, counting, total)


async def read_figures(connection: AsyncConnection, organization_id: str, as_of: str) -> PatientStats:
    """The counts of the dashboard at a kept sync.

    Raises:
        BadInput: It is not kept.
    """
    sync = await find_figures(connection, organization_id, as_of)
    counts = await active_counts_at(connection, sync.mirror, sync.key)
    return PatientStats(
        total_patients=counts.stored,
        active_patients=counts.active,
        patients_with_upcoming=counts.with_upcoming,
        patients_with_recent=counts.with_recent,
        patients_in_cliniko=sync.patients_found,
        last_sync_time=sync.completed_at,
    )


async def read_practitioners(connection: AsyncConnection, sync: ReadSync) -> list[Practitioner]:
    """All practitioners of the clinic at a sync, by name."""
    return practitioners_of((await names_at(connection, sync.mirror, sync.key, ())).practitioners)


def practitioners_of(names: Mapping[int, str | None]) -> list[Practitioner]:
    """Practitioners by name; those without a name come last."""
    ordered = sorted(names.items(), key=lambda one: (one[1] is None, (one[1] or "").casefold(), one[0]))
    return [Practitioner(str(row_id), name) for row_id, name in ordered]
