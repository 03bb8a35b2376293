"""Trusted documents as generators write them and clients send them, with a server that executes no others."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.programs import PATIENCE_SECONDS, Program
from tests.client_apps import RELAY, documented_files
from tests.clients.conftest import SCHEMA, RunScript
from tests.node_projects import INSTALL_SECONDS, ROOT, installed, run, tool

HERE = Path(__file__).parent
ORGANIZATION = "org_1"
OPERATIONS = {
    "Available": "query Available($organizationId: ID!) { dashboard(organizationId: $organizationId) "
    "{ organizationId } }",
    "Start": "mutation Start($organizationId: ID!) { startSync(organizationId: $organizationId) { organizationId } }",
    "Watch": "subscription Watch($organizationId: ID!) { dashboardUpdated(organizationId: $organizationId) "
    "{ organizationId } }",
}

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 2 * PATIENCE_SECONDS)


@pytest.fixture
def codegen_manifest(node: str, tmp_path: Path) -> Path:
    """The file of graphql-codegen's ``persistedDocuments``, with the configuration of ``docs/clients.md``."""
    folder = tmp_path / "codegen"
    (folder / "src").mkdir(parents=True)
    (folder / "node_modules").symlink_to(installed(HERE) / "node_modules")
    config = documented_files("urql-react")["codegen.ts"].replace("http://localhost:8000/graphql", str(SCHEMA))
    changed = config.replace("presetConfig: {", "presetConfig: { persistedDocuments: true,")
    assert changed != config
    (folder / "codegen.ts").write_text(changed)
    (folder / "src" / "operations.graphql").write_text("\n".join(OPERATIONS.values()))
    run(tool(folder, "graphql-codegen"), folder=folder)
    return folder / "src" / "gql" / "persisted-documents.json"


@pytest.fixture
def relay_manifest(node: str, tmp_path: Path) -> Path:
    """The file of relay-compiler's ``persistConfig``."""
    folder = tmp_path / "relay"
    (folder / "src").mkdir(parents=True)
    shutil.copy(SCHEMA, folder)
    texts = [text.replace(f" {name}(", f" main{name}{text.split()[0].title()}(") for name, text in OPERATIONS.items()]
    source = "".join(f"export const o{number} = graphql`{text}`;\n" for number, text in enumerate(texts))
    (folder / "src" / "main.ts").write_text(f"import {{ graphql }} from 'relay-runtime';\n{source}")
    config = {
        "src": "src",
        "schema": "schema.graphql",
        "language": "typescript",
        "customScalarTypes": {"DateTime": "string"},
        "persistConfig": {"file": "persisted.json"},
    }
    (folder / "relay.config.json").write_text(json.dumps(config))
    (folder / "persisted.json").write_text("{}")
    run(tool(installed(ROOT / "examples" / RELAY), "relay-compiler"), folder=folder)
    return folder / "persisted.json"


def test_clients_send_ids_of_generated_documents(
    codegen_manifest: Path, relay_manifest: Path, tmp_path: Path, run_script: RunScript
):
    """What both generators write is executed by its ids over HTTP, streams and websockets, without any text."""
    environment = {
        "ROUTIQ_DOCUMENTS": f"{codegen_manifest},{relay_manifest}",
        "ROUTIQ_DOCUMENTS_ONLY": "true",
    }
    (tmp_path / "server").mkdir()
    with Program("serve", "--port", "0", folder=tmp_path / "server", settings=environment) as server:
        report = run_script("trusted.mjs", server.url(), ORGANIZATION, str(codegen_manifest), str(relay_manifest))
    assert len(report) == 2
    for manifest in report:
        assert len(manifest["ids"]) == len(OPERATIONS)
        for way, found in manifest["found"].items():
            assert "error" not in found, (way, found)
            assert [(request["text"], request["id"] in manifest["ids"]) for request in found["sent"]] == [(False, True)]
            (value,) = (value for name, value in found["data"].items() if name != "__typename")
            assert value["organizationId"] == ORGANIZATION, way


def test_a_missing_manifest_ends_the_start(tmp_path: Path):
    """The command says which file is missing, and serves nothing."""
    environment = {"ROUTIQ_DOCUMENTS": "missing.json"}
    with Program("serve", "--port", "0", folder=tmp_path, settings=environment) as server:
        assert server.end() == 2
    assert "ROUTIQ_DOCUMENTS: missing.json can't be read: No such file or directory." in server.complaints
