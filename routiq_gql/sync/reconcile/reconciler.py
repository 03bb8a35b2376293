"""Runs the comparison: patients, individual and group appointments, attendees, and the lists that are read whole."""

from collections.abc import Mapping
from typing import Any

from routiq_gql.cliniko import ClinikoClient, Resource
from routiq_gql.database.drafts import Draft
from routiq_gql.database.engine import Database
from routiq_gql.sync.receipt import Receipt
from routiq_gql.sync.reconcile.terms import Mirroring, Terms


class Reconciler:
    """Compares the draft of a sync with Cliniko; within a claim."""

    def __init__(
        self, client: ClinikoClient, database: Database, draft: Draft, terms: Terms, mirroring: Mirroring
    ) -> None:
        self._client = client
        self._database = database
        self._draft = draft
        self._terms = terms
        self._mirroring = mirroring

    async def count_before(self, resource: Resource[Any]) -> None:
        """Ask for a list's totals before an incremental reading of its changes. Does nothing for other lists."""
        raise NotImplementedError

    async def run(self, whole: Mapping[str, int | None]) -> Receipt:
        """Compare and repair every list, and return the receipt.

        Args:
            whole: By the name of each list that was read whole (types, practitioners): its rows in Cliniko, or ``None``
                if the key may not read it.

        Raises:
            FullReadNeeded: The sync was incremental and has to be full.
            ClinikoError: Cliniko can't be read.
        """
        raise NotImplementedError
