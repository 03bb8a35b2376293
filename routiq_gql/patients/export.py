"""Exports a list of patients, in parts: for a file, whatever its size, from one sync and in flat memory.

Each part is a short transaction, and none is open while the client reads. The audit log has the export, with its list
and the number of its patients, before the first part is read. An export whose sync is pruned meanwhile fails; it never
continues with another sync, and never ends as if it were whole.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime

from routiq_gql.database.engine import Database
from routiq_gql.database.patient_export import place_at
from routiq_gql.database.patient_lists import Anchor, ListFilter, count_list
from routiq_gql.database.patient_pages import Window, page_of_list
from routiq_gql.database.patient_reading import asked_sync
from routiq_gql.errors import BadInput
from routiq_gql.patients.folding import search_words
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import Patient
from routiq_gql.patients.pages import SORTS, people_of
from routiq_gql.patients.read_sync import ReadSync, find_sync
from routiq_gql.patients.requests import PageRequest
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import Viewer
from routiq_gql.time_zones import name_of

_IS_LOST = (
    "The patients of this sync were removed while they were exported, since newer syncs replaced it. Export them again."
)
PART_PATIENTS = 100
"""Patients in memory per export. Judging their bookings blocks the event loop for some milliseconds."""


@dataclass(frozen=True, slots=True)
class Export:
    """An export that is about to be read.

    Attributes:
        sync_id: The sync whose patients these are.
        total_count: How many patients there are.
        parts: The patients in order; close it.
    """

    organization_id: str
    list: PatientList
    sync_id: str
    analyzed_at: datetime
    time_zone: str
    total_count: int
    parts: AsyncGenerator[Sequence[Patient], None]


class PatientExports:
    """Opens exports, for viewers who may read patients."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def open(self, viewer: Viewer, organization_id: str, request: PageRequest) -> Export:
        """An export of the list, sort and filters of ``request``; its page is not regarded.

        Raises:
            BadInput: A part of the request has a wrong form, or the sync is not kept, or there are no lists yet.
            Forbidden: The organization is not the viewer's, or the viewer may not read patients.
            Unauthenticated: The viewer's token has expired.
            StorageError: The audit log can't be written.
        """
        self._audit.require(viewer, organization_id, Action.EXPORT)
        request.check()
        words = tuple(search_words(request.search))
        async with self._database.reading() as connection:
            sync = await find_sync(connection, organization_id, request.as_of)
            wanted = ListFilter(sync.mirror, sync.key, request.list.value, words, request.practitioner)
            counted = await count_list(connection, wanted)
        await self._audit.exported(viewer, organization_id, list=request.list.key, count=counted.matching)
        return Export(
            organization_id=organization_id,
            list=request.list,
            sync_id=sync.sync_id,
            analyzed_at=sync.analyzed_at,
            time_zone=name_of(sync.zone),
            total_count=counted.matching,
            parts=self._parts(sync, wanted, request),
        )

    async def _parts(
        self, sync: ReadSync, wanted: ListFilter, request: PageRequest
    ) -> AsyncGenerator[Sequence[Patient], None]:
        key, is_descending = SORTS[request.sort]
        last: Anchor | None = None
        while True:
            window = Window(key, is_descending, is_backward=False, limit=PART_PATIENTS, after=last)
            async with self._database.reading() as connection:
                asked = await asked_sync(connection, sync.organization_id, key=sync.key)
                if asked is None or not asked.is_kept:
                    raise BadInput(_IS_LOST)
                rows = await page_of_list(connection, wanted, window)
                patients, _ = await people_of(connection, sync, rows)
                if len(rows) == PART_PATIENTS:
                    last = await place_at(connection, wanted, rows[-1].id)
            if patients:
                yield patients
            if len(rows) < PART_PATIENTS:
                return
