"""The service for patients: pages of lists, single patients, figures. GraphQL, REST and the command line call it.

Every method takes the viewer first. An organization that a viewer may not reach is refused, and its patients are not
found. Each call reads in a single transaction, at a single sync.
"""

from collections import Counter
from collections.abc import Sequence

from routiq_gql.database.engine import Database
from routiq_gql.database.keys import KeyStore
from routiq_gql.errors import BadInput, Forbidden
from routiq_gql.organizations.dashboard import PatientStats
from routiq_gql.patients.keys import PatientKey
from routiq_gql.patients.model import ListSummary, Patient, PatientPage, Practitioner
from routiq_gql.patients.pages import read_page, read_patients
from routiq_gql.patients.read_sync import NoPatients, find_sync
from routiq_gql.patients.requests import PageRequest
from routiq_gql.patients.summaries import read_figures, read_practitioners, read_summaries
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import Viewer

MOST_KEYS = 100
MOST_SYNCS = 10
"""Syncs whose patients are read together: each needs statements of its own."""


class Patients:
    """Reads patients as the published sync, or a kept one, has them."""

    def __init__(self, database: Database, keys: KeyStore, audit: Audit) -> None:
        self._database = database
        self._keys = keys
        self._audit = audit

    async def page(self, viewer: Viewer, organization_id: str, request: PageRequest) -> PatientPage:
        """A page of a list.

        Raises:
            BadInput: A part of the request has a wrong form, or the sync is not kept, or there are no lists yet.
            Forbidden: The organization is not the viewer's, or the viewer may not read patients.
        """
        self._audit.require(viewer, organization_id, Action.PATIENTS)
        request.check()
        async with self._database.reading() as connection:
            page = await read_page(connection, self._keys, organization_id, request)
        await self._note(viewer, organization_id, len(page.patients), page.list.key)
        return page

    async def patient(self, viewer: Viewer, key: PatientKey) -> Patient | None:
        """A patient; ``None`` if there is none, or it is another organization's.

        Raises:
            BadInput: The sync of the key is not kept, or there are no lists yet.
            Forbidden: The viewer may not read patients.
        """
        return (await self._patients(viewer, [key]))[0]

    async def patients_by_keys(self, viewer: Viewer, keys: Sequence[PatientKey]) -> list[Patient | None]:
        """The patients with these keys, in their order; ``None`` also where a sync is not kept or there are no lists.

        Raises:
            BadInput: They are too many, or from too many syncs.
            Forbidden: As with ``patient``.
        """
        return await self._patients(viewer, keys, or_none=True)

    async def _patients(
        self, viewer: Viewer, keys: Sequence[PatientKey], *, or_none: bool = False
    ) -> list[Patient | None]:
        if len(keys) > MOST_KEYS:
            raise BadInput(f"Ask for at most {MOST_KEYS} patients at once.")
        wanted: dict[tuple[str, str | None], list[int]] = {}
        for key in dict.fromkeys(keys):
            if viewer.organization_id in {None, key.organization_id}:
                wanted.setdefault((key.organization_id, key.as_of), []).append(key.cliniko_id)
        if len(wanted) > MOST_SYNCS:
            raise BadInput(f"Ask for patients of at most {MOST_SYNCS} syncs or organizations at once.")
        found: dict[PatientKey, Patient] = {}
        for organization_id in dict.fromkeys(organization_id for organization_id, _ in wanted):
            self._audit.require(viewer, organization_id, Action.PATIENTS)
        if viewer.organization_id is not None and any(key.organization_id != viewer.organization_id for key in keys):
            # Another organization's patient is not found, as if there were none; but the attempt is recorded.
            self._audit.refused(Forbidden("This token belongs to another organization."), Action.PATIENTS, viewer)
        async with self._database.reading() as connection:
            for (organization_id, as_of), ids in wanted.items():
                try:
                    sync = await find_sync(connection, organization_id, as_of)
                except NoPatients:
                    continue
                except BadInput:
                    if or_none:
                        continue
                    raise
                found |= {one.key: one for one in await read_patients(connection, sync, ids)}
        for organization_id, count in Counter(key.organization_id for key in found).items():
            await self._note(viewer, organization_id, count)
        return [found.get(key) for key in keys]

    async def lists(self, viewer: Viewer, organization_id: str, as_of: str | None = None) -> list[ListSummary]:
        """All lists with their numbers of patients.

        Raises:
            BadInput: The sync is not kept, or there are no lists yet.
            Forbidden: The organization is not the viewer's.
        """
        self._audit.require(viewer, organization_id, Action.READ)
        async with self._database.reading() as connection:
            return await read_summaries(connection, await find_sync(connection, organization_id, as_of))

    async def stats(self, viewer: Viewer, organization_id: str, as_of: str) -> PatientStats:
        """The figures of a kept sync.

        Raises:
            BadInput: The sync is not kept.
            Forbidden: The organization is not the viewer's.
        """
        self._audit.require(viewer, organization_id, Action.READ)
        async with self._database.reading() as connection:
            return await read_figures(connection, organization_id, as_of)

    async def practitioners(self, viewer: Viewer, organization_id: str, as_of: str | None = None) -> list[Practitioner]:
        """All practitioners of the clinic, by name.

        Raises:
            BadInput: The sync is not kept, or there are no lists yet.
            Forbidden: The organization is not the viewer's, or the viewer may not read patients.
        """
        self._audit.require(viewer, organization_id, Action.PATIENTS)
        async with self._database.reading() as connection:
            return await read_practitioners(connection, await find_sync(connection, organization_id, as_of))

    async def _note(self, viewer: Viewer, organization_id: str, count: int, which: str | None = None) -> None:
        """Record a read. Nobody sees patients without that, so it comes before the answer."""
        await self._audit.read(viewer, Action.PATIENTS, organization_id, list=which, count=count)
