"""Only a request that is allowed shows interest in an organization, whatever is requested and by whom."""

from types import SimpleNamespace
from typing import Any

import pytest

from routiq_gql.errors import BadInput, Forbidden, RoutiqError
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import LOCAL_OPERATOR, NO_RIGHTS, Viewer
from routiq_gql.supervision import Supervisor

VIEWERS = (
    LOCAL_OPERATOR,
    Viewer("org_1", subject="anna"),
    Viewer("org_1", NO_RIGHTS, subject="ben"),
    Viewer("org_2", subject="carl"),
)


@pytest.mark.parametrize("action", Action)
def test_a_refused_request_is_recorded_and_shows_no_interest(action: Action):
    """A stranger can't have an organization looked at more often, and each refusal is in the audit log once."""
    nothing: Any = SimpleNamespace()
    audit = Audit(nothing, Supervisor())
    asked: list[str] = []
    refused: list[Any] = []
    audit.on_request = asked.append
    audit._refusals = SimpleNamespace(add=refused.append)  # type: ignore[assignment]
    for viewer in VIEWERS:
        for organization in ("org_1", "org_2", "no organization"):
            asked.clear()
            refused.clear()
            error: RoutiqError | None = None
            try:
                audit.require(viewer, organization, action)
            except RoutiqError as raised:
                error = raised
            assert asked == ([] if error is not None else [organization])
            assert [one.outcome for one in refused] == (["FORBIDDEN"] if isinstance(error, Forbidden) else [])
            assert isinstance(error, BadInput) == (organization == "no organization")
            if viewer.organization_id not in {None, organization} and error is not None and refused:
                assert refused[0].organization_id is None
