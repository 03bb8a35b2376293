"""GraphQL over HTTP: npm's ``graphql-http``, by the specification's authors, audits a running server."""

from pathlib import Path

import pytest

from tests.cli.programs import Program
from tests.clients.conftest import RunScript

RULES = 61
"""The number of rules in version 1.22; a new rule needs a review."""


@pytest.mark.parametrize("graphiql", ["true", "false"])
def test_the_audit_finds_nothing(tmp_path: Path, run_script: RunScript, graphiql: str):
    """All required and recommended rules hold, with and without GraphiQL."""
    with Program("serve", "--port", "0", folder=tmp_path, settings={"ROUTIQ_GRAPHIQL": graphiql}) as server:
        results = run_script("audit.mjs", server.url() + "/graphql")
    assert len(results) == RULES
    assert [result for result in results if result["status"] != "ok"] == []
