"""Reads again the appointments and attendees of patients who are gone, by their ids.

Cliniko deletes archived patients only, together with their appointments; a merge moves appointments to another patient.
Neither changes an ``updated_at``. So when a patient or an appointment of an archived patient is found missing, the
patient's other rows are asked for by id: missing ones are closed, and moved ones name the patient who has them now.
"""

from collections.abc import Collection, Mapping, Sequence

from routiq_gql.cliniko import ATTENDEES, INDIVIDUAL_APPOINTMENTS, PATIENTS, Record, Resource
from routiq_gql.database.counting import ids_within
from routiq_gql.database.drafts import Covered, Draft
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import BY_RESOURCE
from routiq_gql.database.patient_rows import absent_patients_of, rows_of_closed_patients
from routiq_gql.sync.reconcile.rereading import Rereader

VISITS: tuple[Resource[Record], ...] = (INDIVIDUAL_APPOINTMENTS, ATTENDEES)
"""The lists whose rows name a patient."""
IDS_PER_BATCH = 1_000


class Follower:
    """Follows patients within a comparison. No row is asked for twice."""

    def __init__(self, database: Database, draft: Draft, rereader: Rereader) -> None:
        self._database = database
        self._draft = draft
        self._rereader = rereader
        self._asked: dict[str, set[int]] = {resource.name: set() for resource in (*VISITS, PATIENTS)}

    async def follow_closed_patients(self) -> None:
        """Read again the rows of the patients that the draft has closed.

        Raises:
            ClinikoError: Cliniko can't be read, or does not take the filter; see ``REFUSALS``.
        """
        has_asked = True
        while has_asked:  # a patient who is asked for below may be gone as well
            has_asked = False
            above = dict.fromkeys(VISITS, 0)
            while found := await self._of_closed_patients(above):
                for resource, ids in found.items():
                    above[resource] = ids[-1]
                    has_asked = bool(await self._ask(resource, ids)) or has_asked

    async def follow_closed_appointments(self, changed: Collection[int]) -> set[int]:
        """Read again the other rows of archived patients whose appointments among ``changed`` the draft has closed.

        Returns the ids of the appointments that this changed.
        """
        also_changed: set[int] = set()
        async with self._database.reading() as connection:
            patients = await absent_patients_of(connection, self._draft, changed)
        if patients:
            for resource in VISITS:
                covered = Covered(patients=tuple(patients))
                async with self._database.reading() as connection:
                    ids = await ids_within(connection, self._draft, BY_RESOURCE[resource.name], covered, IDS_PER_BATCH)
                found = await self._ask(resource, ids)
                also_changed |= found if resource is INDIVIDUAL_APPOINTMENTS else set()
        return also_changed

    async def _ask(self, resource: Resource[Record], ids: Sequence[int]) -> set[int]:
        """Ask for rows that were not asked for before, and for the patients they have moved to."""
        asked = self._asked[resource.name]
        new = [row_id for row_id in ids if row_id not in asked]
        if not new:
            return set()
        asked.update(new)
        changed, records = await self._rereader.read_ids(resource, new)
        moved = [record for record in records if int(record.id) in changed]
        await self._ask(PATIENTS, sorted(_patients_of(moved)))
        return changed

    async def _of_closed_patients(self, above: Mapping[Resource[Record], int]) -> dict[Resource[Record], list[int]]:
        """The next rows of each list, above these ids; nothing of a list without more."""
        async with self._database.reading() as connection:
            found = {
                resource: await rows_of_closed_patients(
                    connection, self._draft, BY_RESOURCE[resource.name], least, IDS_PER_BATCH
                )
                for resource, least in above.items()
            }
        return {resource: ids for resource, ids in found.items() if ids}


def _patients_of(records: Sequence[Record]) -> set[int]:
    ids = (getattr(record, "patient_id", None) for record in records)
    return {int(row_id) for row_id in ids if row_id is not None}
