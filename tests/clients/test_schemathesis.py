"""schemathesis checks REST and GraphQL with random valid and invalid requests, by the server's descriptions."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from routiq_gql.api.errors import GRAPHQL_CODES
from routiq_gql.security.token_file import TokenFile
from tests.cli.programs import Program
from tests.organization import ORGANIZATION

HERE = Path(__file__).parent
EXAMPLES = 20
SHOWN_CODES = set(GRAPHQL_CODES) - {"INTERNAL"}
LIMIT_SECONDS = 300


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Program]:
    """A server with a separate database."""
    with Program("serve", "--port", "0", folder=tmp_path) as program:
        program.url()
        yield program


@pytest.mark.timeout(LIMIT_SECONDS + 30)
def test_rest_conforms_to_its_description(server: Program, tmp_path: Path):
    """Each status, header and body is documented in /openapi.json, for any request."""
    _judge_rest(server, tmp_path)


@pytest.mark.timeout(LIMIT_SECONDS + 30)
def test_rest_requires_the_token_of_its_description(tmp_path: Path):
    """The same with authentication; and every route refuses a missing or wrong token."""
    settings = {"ROUTIQ_AUTH": "token", "ROUTIQ_TOKENS_FILE": "tokens", "ROUTIQ_ALLOWED_HOSTS": "127.0.0.1"}
    _, token = TokenFile(tmp_path / "tokens").add(ORGANIZATION)
    with Program("serve", "--port", "0", folder=tmp_path, settings=settings) as server:
        server.url()
        _judge_rest(server, tmp_path, "--header", f"Authorization: Bearer {token}")
        answered = re.findall(r"path=/api/v1/(?:sync/)?(?!sync/)(\w+)/.* status=(\d+)", server.complaints)
        assert ("dashboard", "200") in answered, "it reached its own organization"
        routes = {"start", "status", "dashboard", "history", "cancel", "stream", "log", "patients", "webhooks"}
        assert {route for route, status in answered if status == "401"} == routes, "it tried each without the token"


def _judge_rest(server: Program, folder: Path, *options: str) -> None:
    judged = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"{server.url()}/openapi.json", "--max-examples", str(EXAMPLES), *options),
            *("--generation-deterministic", "--suppress-health-check", "all", "--request-timeout", "30"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert judged.returncode == 0, judged.stdout
    assert "Tested: 19" in judged.stdout
    assert "[error " not in server.complaints, "the server logged a fault of its own"


@pytest.mark.timeout(LIMIT_SECONDS)
def test_graphql_conforms_to_its_schema(server: Program):
    """Every operation made from the schema is executed; every refusal has a documented code."""
    schema = schemathesis.graphql.from_url(f"{server.url()}/graphql")
    tested = []
    for found in schema.get_all_operations():
        operation = found.ok()
        tested.append(operation.label)

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def judge(case: schemathesis.Case) -> None:
            response = case.call(timeout=30)
            assert response.status_code == 200, case.as_curl_command()
            answer = response.json()
            assert set(answer) <= {"data", "errors"}
            for error in answer.get("errors", ()):
                code = error["extensions"]["code"]
                assert code in SHOWN_CODES, (error, case.as_curl_command())

        judge()
    assert len(tested) >= 15
