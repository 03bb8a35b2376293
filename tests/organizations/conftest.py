"""Fixtures of the tests of what readers of an organization request."""

from typing import Any

import pytest

from routiq_gql.organizations import dashboard as dashboard_module


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The organization of each read of a whole dashboard."""
    read, done = dashboard_module.read_dashboard, []

    async def counted(connection: Any, organization_id: str) -> Any:
        done.append(organization_id)
        return await read(connection, organization_id)

    monkeypatch.setattr(dashboard_module, "read_dashboard", counted)
    return done
