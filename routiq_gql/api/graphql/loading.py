"""Loads what fields inside lists ask for in one statement for all of them, instead of one for each.

A loader lives as long as one operation or one event of a subscription, and keeps nothing that it has loaded: a later
mutation of the same operation may have changed it.
"""

from strawberry.dataloader import DataLoader

from routiq_gql.security.viewer import Viewer
from routiq_gql.shares import turn
from routiq_gql.sync.log_requests import LogRequest
from routiq_gql.sync.model import LogLine
from routiq_gql.sync.service import SyncService


class LogLoader:
    """The logs of syncs, as one viewer may read them."""

    def __init__(self, syncs: SyncService, viewer: Viewer) -> None:
        self._syncs = syncs
        self._viewer = viewer
        self._loader: DataLoader[LogRequest, list[LogLine]] = DataLoader(self._load, cache=False)

    async def load(self, request: LogRequest) -> list[LogLine]:
        """The lines that were asked for; read together with all that are asked for in the same moment.

        Raises:
            SyncNotFound: Unknown, or another organization's.
            BadInput: A part of the request is out of range.
        """
        request.check()
        lines = await self._loader.load(request)
        await turn()  # all that were loaded together are resumed together
        return lines

    async def _load(self, requests: list[LogRequest]) -> list[list[LogLine] | BaseException]:
        found = await self._syncs.logs(self._viewer, requests)
        return [found[request] for request in requests]
