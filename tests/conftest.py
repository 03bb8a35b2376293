"""What all tests share: no setting of the developer's machine, and a database of its own for each test."""

import os
from pathlib import Path

import pytest

from routiq_gql.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ROUTIQ_"):
            monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an empty database. Requests are not paced, and repeated soon after they failed."""
    return Settings(
        database_url=f"sqlite+aiosqlite:///{tmp_path}/routiq.db",
        cliniko_requests_per_minute=0,
        cliniko_retry_seconds=0.01,
        shutdown_grace_seconds=5,
    )
