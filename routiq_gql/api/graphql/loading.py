"""Loads the values of a field inside a list with a single statement for the whole list.

A loader lives as long as an operation or an event of a subscription. It caches no values: a later mutation of the same
operation may change them.
"""

from strawberry.dataloader import DataLoader

from routiq_gql.patients.keys import PatientKey
from routiq_gql.patients.model import Patient
from routiq_gql.patients.service import MOST_KEYS, Patients
from routiq_gql.security.viewer import Viewer
from routiq_gql.shares import turn
from routiq_gql.sync.log_pages import LogPage, LogPageRequest
from routiq_gql.sync.log_requests import LogRequest
from routiq_gql.sync.model import LogLine
from routiq_gql.sync.service import SyncService


class PatientLoader:
    """The patients whom a viewer may read."""

    def __init__(self, patients: Patients, viewer: Viewer) -> None:
        self._patients = patients
        self._viewer = viewer
        self._loader: DataLoader[PatientKey, Patient | None] = DataLoader(
            self._load, max_batch_size=MOST_KEYS, cache=False
        )

    async def load(self, key: PatientKey) -> Patient | None:
        """The patient, read together with all others of the same moment; ``None`` if there is none.

        Raises:
            Forbidden: The viewer may not read patients.
        """
        found = await self._loader.load(key)
        await turn()  # all callers of a batch are resumed together
        return found

    async def _load(self, keys: list[PatientKey]) -> list[Patient | None]:
        return await self._patients.patients_by_keys(self._viewer, keys)


class LogLoader:
    """The logs of syncs that a viewer may read."""

    def __init__(self, syncs: SyncService, viewer: Viewer) -> None:
        self._syncs = syncs
        self._viewer = viewer
        self._loader: DataLoader[LogRequest, list[LogLine]] = DataLoader(self._load, cache=False)

    async def load(self, request: LogRequest) -> list[LogLine]:
        """The requested lines, read together with all requests of the same moment.

        Raises:
            SyncNotFound: The sync is unknown, or another organization's.
            BadInput: A part of the request is out of range.
        """
        request.check()
        lines = await self._loader.load(request)
        await turn()  # all callers of a batch are resumed together
        return lines

    async def _load(self, requests: list[LogRequest]) -> list[list[LogLine] | BaseException]:
        found = await self._syncs.logs(self._viewer, requests)
        return [found[request] for request in requests]


class LogPageLoader:
    """Pages of the logs of syncs that a viewer may read."""

    def __init__(self, syncs: SyncService, viewer: Viewer) -> None:
        self._syncs = syncs
        self._viewer = viewer
        self._loader: DataLoader[LogPageRequest, LogPage] = DataLoader(self._load, cache=False)

    async def load(self, request: LogPageRequest) -> LogPage:
        """The page, read together with all pages of the same moment.

        Raises:
            SyncNotFound: The sync is unknown, or another organization's.
        """
        page = await self._loader.load(request)
        await turn()  # all callers of a batch are resumed together
        return page

    async def _load(self, requests: list[LogPageRequest]) -> list[LogPage | BaseException]:
        found = await self._syncs.log_pages(self._viewer, requests)
        return [found[request] for request in requests]
