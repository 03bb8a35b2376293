"""GraphQL over HTTP as its specification's authors judge it: npm's ``graphql-http`` audits a running server."""

from pathlib import Path

import pytest

from tests.cli.programs import Program
from tests.clients.conftest import RunScript

RULES = 61
"""As many as version 1.22 has; a new one is to be looked at."""


@pytest.mark.parametrize("graphiql", ["true", "false"])
def test_the_audit_finds_nothing(tmp_path: Path, run_script: RunScript, graphiql: str):
    """Every rule holds, what must be and what should be, whether or not browsers are shown GraphiQL."""
    with Program("serve", "--port", "0", folder=tmp_path, settings={"ROUTIQ_GRAPHIQL": graphiql}) as server:
        results = run_script("audit.mjs", server.url() + "/graphql")
    assert len(results) == RULES
    assert [result for result in results if result["status"] != "ok"] == []
