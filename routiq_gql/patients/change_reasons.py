"""Why patients have joined and left lists: the reasons that the lists themselves give, at the sync after the change.

A list may change because another setting counts, with nothing new in Cliniko. That is so for a patient whose list
would be as before by the earlier settings; the patients are judged by both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.kept_syncs import PublishedSync
from routiq_gql.database.patient_changes import Difference
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import Patient
from routiq_gql.patients.pages import read_patients
from routiq_gql.patients.read_sync import ReadSync, find_sync

_BY_NUMBER = {one.value: one for one in PatientList}


@dataclass(frozen=True, slots=True)
class Reasons:
    """The reasons of a patient.

    Attributes:
        why: Why the patient is in a list, or not; for the lists that the patient has joined or left.
        by_settings: Those of the lists for which other settings alone are the reason.
    """

    why: dict[PatientList, str] = field(default_factory=dict)
    by_settings: frozenset[PatientList] = frozenset()


async def reasons_of(
    connection: AsyncConnection,
    organization_id: str,
    before: PublishedSync,
    after: PublishedSync,
    page: Sequence[Difference],
) -> dict[int, Reasons]:
    """The reasons of the patients whose lists differ, by id. A few statements, whatever their number."""
    ids = [one.id for one in page if (one.joined or one.left) and one.after is not None]
    if not ids:
        return {}
    sync = await find_sync(connection, organization_id, cursor=after.key)
    patients = {one.key.cliniko_id: one for one in await read_patients(connection, sync, ids)}
    earlier: dict[int, Patient] = {}
    if before.settings != after.settings:
        as_before = await read_patients(connection, _with_settings(sync, before), ids)
        earlier = {one.key.cliniko_id: one for one in as_before}
    found = {}
    for one in page:
        patient, lists = patients.get(one.id), [_BY_NUMBER[number] for number in (*one.joined, *one.left)]
        if patient is not None:
            why = {which: patient.why(which).sentence for which in lists}
            found[one.id] = Reasons(why, _by_settings(one, earlier.get(one.id), lists))
    return found


def _with_settings(sync: ReadSync, before: PublishedSync) -> ReadSync:
    """The sync as the earlier settings would judge it."""
    terms = replace(
        sync.terms,
        recent_days=before.recent_days or 0,
        upcoming_days=before.upcoming_days or 0,
        seen_within_weeks=before.seen_within_weeks or 0,
    )
    return replace(sync, terms=terms)


def _by_settings(
    difference: Difference, earlier: Patient | None, lists: Sequence[PatientList]
) -> frozenset[PatientList]:
    if earlier is None:
        return frozenset()
    return frozenset(one for one in lists if (one in earlier.lists) == (one.value in difference.left))
