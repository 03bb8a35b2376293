"""Reads patients for people: rows, bookings and names at a sync, in at most five statements whatever the size.

Which lists a patient is in, and why, is decided by the same rule as in the analysis of the sync, from the bookings that
are visible at it.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.keys import KeyStore
from routiq_gql.database.patient_lists import Anchor, Counted, ListFilter, SortKey, count_list
from routiq_gql.database.patient_pages import PatientRow, Window, page_of_list, patients_at
from routiq_gql.database.patient_reading import BookingRow, Names, bookings_at, names_at
from routiq_gql.errors import BadInput
from routiq_gql.patients.cursors import Place, cursor_of, digests_of, read_cursor, refused_cursor
from routiq_gql.patients.folding import search_words
from routiq_gql.patients.model import Patient, PatientPage, PatientSort
from routiq_gql.patients.people import Clinic, patient_of
from routiq_gql.patients.read_sync import ReadSync, find_sync
from routiq_gql.patients.requests import PageRequest
from routiq_gql.patients.summaries import practitioners_of, summary_of
from routiq_gql.time_zones import name_of

SORTS: Mapping[PatientSort, tuple[SortKey, bool]] = {
    PatientSort.NAME: (SortKey.NAME, False),
    PatientSort.NAME_DESC: (SortKey.NAME, True),
    PatientSort.LAST_APPOINTMENT: (SortKey.LAST, False),
    PatientSort.LAST_APPOINTMENT_DESC: (SortKey.LAST, True),
    PatientSort.NEXT_APPOINTMENT: (SortKey.NEXT, False),
    PatientSort.NEXT_APPOINTMENT_DESC: (SortKey.NEXT, True),
}
"""The column of each sort, and whether it descends."""


async def read_page(
    connection: AsyncConnection, keys: KeyStore, organization_id: str, request: PageRequest
) -> PatientPage:
    """A page of a list, as the connection's transaction sees it.

    Args:
        keys: Those of the cursors.

    Raises:
        BadInput: A cursor has a wrong form, or the sync is not kept, or there are no lists yet.
    """
    words = tuple(search_words(request.search))
    digests = digests_of(keys, organization_id, request, words)
    cursors = {name: text for name, text in (("after", request.after), ("before", request.before)) if text is not None}
    places = {name: read_cursor(name, text, digests) for name, text in cursors.items()}
    numbers = {place.sync for place in places.values()}
    if len(numbers) > 1:
        raise BadInput("“after” and “before” belong to different syncs. Use cursors of the same list.")
    sync = await find_sync(connection, organization_id, request.as_of, *numbers)
    wanted = ListFilter(sync.mirror, sync.key, request.list.value, words, request.practitioner)
    key, is_descending = SORTS[request.sort]
    places_of = [place.patient for place in places.values()]
    counted = await count_list(connection, wanted, places_of, key if request.skip else None)
    anchors = {name: _anchor(counted, place, name) for name, place in places.items()}
    window = Window(
        key=key,
        is_descending=is_descending,
        is_backward=request.is_backward,
        limit=request.size + 1,  # whether there are more
        after=anchors.get("after"),
        before=anchors.get("before"),
        skip=request.skip or 0,
        with_value=counted.with_value or 0,
    )
    rows = await page_of_list(connection, wanted, window)
    has_more = len(rows) > request.size
    if has_more:
        rows = rows[1:] if request.is_backward else rows[:-1]
    patients, names = await people_of(connection, sync, rows)
    skipped_some = bool(request.skip) and counted.matching > 0
    return PatientPage(
        organization_id=organization_id,
        patients=patients,
        cursors=[cursor_of(Place(sync.key, row.id), digests) for row in rows],
        # The patient of a cursor is in the list, outside of the page.
        has_next=(has_more and not request.is_backward) or request.before is not None,
        has_previous=(has_more and request.is_backward) or request.after is not None or skipped_some,
        total_count=counted.matching,
        summary=summary_of(sync, request.list, counted.whole),
        sync_id=sync.sync_id,
        analyzed_at=sync.analyzed_at,
        time_zone=name_of(sync.zone),
        practitioners=practitioners_of(names.practitioners),
    )


def _anchor(counted: Counted, place: Place, name: str) -> Anchor:
    anchor = counted.anchors.get(place.patient)
    if anchor is None:  # the cursor was changed, or the patient was erased
        raise refused_cursor(name)
    return anchor


async def read_patients(connection: AsyncConnection, sync: ReadSync, ids: Sequence[int]) -> list[Patient]:
    """Those of these patients who exist at a sync, in no particular order."""
    rows = await patients_at(connection, sync.mirror, sync.key, ids)
    return (await people_of(connection, sync, rows))[0]


async def people_of(
    connection: AsyncConnection, sync: ReadSync, rows: Sequence[PatientRow]
) -> tuple[list[Patient], Names]:
    """The patients of these rows, in their order, and the names in their appointments."""
    bookings: dict[int, list[BookingRow]] = await bookings_at(
        connection, sync.mirror, sync.key, [row.id for row in rows]
    )
    types = {one.type_id for of_patient in bookings.values() for one in of_patient if one.type_id is not None}
    names = await names_at(connection, sync.mirror, sync.key, types)
    clinic = Clinic(sync, names)
    return [patient_of(clinic, row, bookings[row.id]) for row in rows], names
