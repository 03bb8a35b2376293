"""Claims of ``docs/clients.md`` beyond the apps that run in Chromium: their files, types and cache policies."""

import json
import re
import shutil
from pathlib import Path

import pytest
from graphql import GraphQLNonNull, GraphQLObjectType, build_schema

from tests.cli.programs import PATIENCE_SECONDS, Program
from tests.client_apps import APPS, copied_app, documented_files
from tests.clients.conftest import SCHEMA
from tests.clients.generate import generated_types
from tests.node_projects import INSTALL_SECONDS, ROOT, run, tool

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 2 * PATIENCE_SECONDS)

CHECK_POLICIES = """
import { gql } from '@apollo/client';
import { cache } from './cache.js';

const line = (seq) => ({ __typename: 'SyncLogEntry', id: `s:${seq}`, seq });
const LOG = gql`query ($after: Int) { syncStatus(syncId: "s") { id log(after: $after) { id seq } } }`;
for (const [after, lines] of [[0, [1, 2]], [1, [2, 3]], [0, [1, 2]]]) {
  const syncStatus = { __typename: 'SyncStatus', id: 's', log: lines.map(line) };
  cache.writeQuery({ query: LOG, variables: { after }, data: { syncStatus } });
}
const HISTORY = gql`query ($after: String, $status: SyncState) {
  history(organizationId: "o", limit: 2, after: $after, status: $status) { nextCursor recentSyncs { id } }
}`;
const write = (variables, nextCursor, ...ids) => {
  const recentSyncs = ids.map((id) => ({ __typename: 'SyncStatus', id }));
  const history = { __typename: 'SyncHistory', nextCursor, recentSyncs };
  cache.writeQuery({ query: HISTORY, variables, data: { history } });
};
const read = (variables) => {
  const { history } = cache.readQuery({ query: HISTORY, variables });
  return [history.nextCursor, ...history.recentSyncs.map(({ id }) => id)];
};
write({}, 'c', 'd', 'c');
write({ after: 'c' }, null, 'b', 'a');
write({ status: 'FAILED' }, null, 'b');
const both = read({});
const failed = read({ status: 'FAILED' });
write({}, 'd', 'e', 'd');
console.log(JSON.stringify({
  log: cache.readQuery({ query: LOG, variables: { after: 0 } }).syncStatus.log.map(({ seq }) => seq),
  both, failed, anew: read({}),
}));
"""


@pytest.mark.parametrize("app", APPS.values())
def test_the_apps_equal_the_documented_files(app: str):
    """Each file in the docs is the file of the same name in the example."""
    shown = documented_files(app)
    assert {"codegen.ts", "src/socket.ts", "src/client.ts", "src/Patients.tsx", "src/operations.graphql"} <= set(shown)
    assert {name: (ROOT / "examples" / app / name).read_text() for name in shown} == shown


def test_the_documented_generator_writes_the_types_of_the_apps(tmp_path: Path):
    """With the config of the docs, graphql-codegen queries a running server and writes the committed types."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "app").mkdir()
    with Program("serve", "--port", "0", folder=tmp_path / "demo") as server:
        written = generated_types(f"{server.url()}/graphql", tmp_path / "app")
    for app in APPS.values():
        committed = ROOT / "examples" / app / "src" / "gql"
        assert {file.name: file.read_text() for file in committed.iterdir()} == written


def test_apollo_keeps_each_log_line_and_each_page_of_a_history_once(tmp_path: Path):
    """The documented cache appends later pages, separates filters, and starts over on request."""
    folder = copied_app("apollo-react", tmp_path)
    options = "--noEmit false --allowImportingTsExtensions false --rootDir src --outDir js"
    run(tool(folder, "tsc"), *options.split(), folder=folder)
    (folder / "js" / "check.js").write_text(CHECK_POLICIES)
    assert json.loads(run(str(shutil.which("node")), "js/check.js", folder=folder)) == {
        "log": [1, 2, 3],
        "both": [None, "d", "c", "b", "a"],
        "failed": [None, "b"],
        "anew": ["d", "e", "d"],
    }


def test_graphcache_has_a_key_for_each_type_without_an_id():
    """The documented keys are the schema's types without an `id` that is always there and unique, so urql is silent."""
    schema = build_schema(SCHEMA.read_text())
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    without_id = {
        name
        for name, one in schema.type_map.items()
        if isinstance(one, GraphQLObjectType) and one not in roots and name[:2] != "__"
        if "id" not in one.fields or not isinstance(one.fields["id"].type, GraphQLNonNull)
    } | {"Practitioner"}  # whose id is Cliniko's: two organizations may share it
    assert set(re.findall(r"(\w+): partOfItsParent", documented_files("urql-react")["src/client.ts"])) == without_id
