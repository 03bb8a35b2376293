"""Analyzes a draft: assesses its patients, and writes the results that differ from the published ones.

Called by the pipeline in slices, each in a short transaction, and by time-only syncs for the patients that are due.
``rules`` decides; ``stored_results`` compares and writes, for activity and lists alike.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.analysis_scope import patients_after, touched_after
from routiq_gql.database.drafts import Draft
from routiq_gql.database.patient_bookings import PatientRange, bookings_in_draft
from routiq_gql.database.patient_facts import PatientFacts, patients_in_draft
from routiq_gql.database.stored_results import Content, Key, StoredResult, stored_results, write_results
from routiq_gql.database.tables import ACTIVITY, CURRENT, LISTING
from routiq_gql.patients.bookings import Booking, Terms, to_moment
from routiq_gql.patients.folding import name_key, search_text
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.rules import Assessment, assess

LIST_NUMBERS = [one.value for one in PatientList]

_Activity = tuple[bool, bool, int | None, int, int, int, int | None, int | None, int | None]
"""``is_active``, ``was_active``, ``active_since``, the three counts, ``last_appointment_at``, ``next_appointment_at``
and ``changes_at``: the content of ``activity_versions``, in its order."""


async def analyze_slice(
    connection: AsyncConnection, draft: Draft, terms: Terms, after: int, size: int, *, everything: bool
) -> int | None:
    """Analyze at most ``size`` patients whose ids are above ``after``, in the order of their ids.

    Writes versions for results that differ from the draft's base. Versions that an earlier run of the draft wrote for
    these patients are removed if they no longer differ. So repeating a slice is harmless.

    Args:
        everything: Analyze all patients; otherwise those that ``analysis_scope`` has counted.

    Returns:
        The id that the next slice starts after; ``None`` after the last slice.
    """
    if not everything:
        moments = to_moment(terms.analyzed_at), to_moment(terms.horizon_from)
        ids = await touched_after(connection, draft, *moments, after, size)
        await analyze_patients(connection, draft, terms, ids)
        return ids[-1] if len(ids) == size else None
    ids = await patients_after(connection, draft, after, size)
    following = ids[-1] if len(ids) == size else None
    if connection.dialect.name == "postgresql":
        # It has no statistics of rows that were just written, and expects a handful. For 641 patients it compared 70
        # million pairs, in 24 s. A hash join takes 2 ms, and suits any number of rows.
        await connection.execute(text("SET LOCAL enable_nestloop = off"))
    # Behind the last patient there may be results of patients who have left the mirror.
    await analyze_patients(connection, draft, terms, (after, CURRENT if following is None else following))
    return following


async def analyze_patients(
    connection: AsyncConnection, draft: Draft, terms: Terms, patients: PatientRange | Sequence[int]
) -> None:
    """Analyze these patients, and write what differs; see ``analyze_slice``."""
    if not patients:
        return
    facts = await patients_in_draft(connection, draft, patients)
    bookings = await bookings_in_draft(connection, draft, patients)
    activity = await stored_results(connection, draft, ACTIVITY, patients)
    listings = await stored_results(connection, draft, LISTING, patients, LIST_NUMBERS)
    active: dict[Key, Content] = {}
    listed: dict[Key, Content] = {}
    for patient in facts:
        if not patient.is_listed:
            continue
        own = [Booking._make(one) for one in bookings.get(patient.id, ())]
        assessment = assess(own, True, patient.created_at, terms)
        result = _activity(draft, assessment, activity.get((patient.id,)))
        if result is not None:
            active[(patient.id,)] = result
        content = _listing(patient, assessment)
        for one in assessment.lists:
            listed[one.value, patient.id] = content
    for key in activity.keys() - active.keys():
        result = _activity(draft, None, activity[key])
        if result is not None:
            active[key] = result
    await write_results(connection, draft, ACTIVITY, active, activity)
    await write_results(connection, draft, LISTING, listed, listings)


def _activity(draft: Draft, found: Assessment | None, stored: StoredResult | None) -> _Activity | None:
    """The result to show; ``None`` for a patient who never was active, and whose results don't change by time."""
    base = stored.base if stored is not None else None
    was_active = base is not None and bool(base[1])
    if found is None or found.changes_at is None:
        return (False, True, None, 0, 0, 0, None, None, None) if was_active else None
    if not found.is_active:
        return False, was_active, None, 0, 0, 0, None, None, found.changes_at
    active_since = base[2] if base is not None and base[0] else draft.sync
    return (
        True,
        True,
        active_since if isinstance(active_since, int) else draft.sync,
        found.recent,
        found.upcoming,
        found.recently_missed,
        found.last_visit.starts_at if found.last_visit is not None and found.recent else None,
        found.next_booking.starts_at if found.next_booking is not None and found.upcoming else None,
        found.changes_at,
    )


def _listing(patient: PatientFacts, found: Assessment) -> Content:
    """The content of ``listing_versions``, in its order; the same in each list."""
    last, following = found.last_visit, found.next_booking
    return (
        name_key(patient.first_name, patient.last_name),
        search_text(patient.first_name, patient.last_name, patient.preferred_first_name, patient.email, patient.phone),
        last.starts_at if last is not None else None,
        following.starts_at if following is not None else None,
        last.practitioner_id if last is not None else None,
        following.practitioner_id if following is not None else None,
    )
