"""Fixtures of the tests of patients: a database, and an organization whose syncs are written by hand."""

from collections.abc import AsyncIterator

import pytest

from routiq_gql.database.engine import Database
from tests.patients.clinics import ListedClinic


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database without rows."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def clinic(database: Database) -> ListedClinic:
    """An organization without syncs."""
    return ListedClinic(database)
