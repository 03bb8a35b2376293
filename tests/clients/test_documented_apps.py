"""Claims of ``docs/clients.md`` beyond the apps that run in Chromium: their files, types and cache policies."""

import json
import re
import shutil
from pathlib import Path

import pytest
from graphql import GraphQLInterfaceType, GraphQLNonNull, GraphQLObjectType

from tests.built_schema import built_schema
from tests.cli.programs import PATIENCE_SECONDS, Program
from tests.client_apps import APPS, RELAY, copied_app, documented_files
from tests.clients.generate import generated_types
from tests.node_projects import INSTALL_SECONDS, ROOT, run, tool

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 2 * PATIENCE_SECONDS)

PUBLISHED = built_schema()
"""The committed schema."""
SCHEMA_TYPES = [
    one
    for name, one in PUBLISHED.type_map.items()
    if name[:2] != "__" and one not in (PUBLISHED.query_type, PUBLISHED.mutation_type, PUBLISHED.subscription_type)
]

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
const CONNECTION = gql`query ($first: Int, $after: String, $last: Int, $before: String, $status: SyncState) {
  historyConnection(organizationId: "o", first: $first, after: $after, last: $last, before: $before, status: $status) {
    edges { cursor node { id } }
    pageInfo { startCursor endCursor hasPreviousPage hasNextPage }
  }
}`;
const writePage = (variables, hasNextPage, ...ids) => {
  const edges = ids.map((id) => ({ __typename: 'SyncEdge', cursor: id, node: { __typename: 'SyncStatus', id } }));
  const ends = { startCursor: ids[0] ?? null, endCursor: ids.at(-1) ?? null, hasPreviousPage: false, hasNextPage };
  const pageInfo = { __typename: 'PageInfo', ...ends };
  const historyConnection = { __typename: 'SyncConnection', edges, pageInfo };
  cache.writeQuery({ query: CONNECTION, variables, data: { historyConnection } });
};
writePage({ first: 2 }, true, 'd', 'c');
writePage({ first: 2, after: 'c' }, false, 'b', 'a');
writePage({ first: 2, status: 'FAILED' }, false, 'b');
writePage({ last: 100, before: 'd' }, true, 'f', 'e');
writePage({ last: 100, before: 'd' }, true, 'g', 'f', 'e');
const { historyConnection } = cache.readQuery({ query: CONNECTION, variables: { first: 2 } });
const { startCursor, endCursor, hasNextPage } = historyConnection.pageInfo;
console.log(JSON.stringify({
  pages: historyConnection.edges.map(({ node }) => node.id),
  pageInfo: [startCursor, endCursor, hasNextPage],
  log: cache.readQuery({ query: LOG, variables: { after: 0 } }).syncStatus.log.map(({ seq }) => seq),
  both, failed, anew: read({}),
}));
"""


@pytest.mark.parametrize("app", APPS.values())
def test_the_apps_equal_the_documented_files(app: str):
    """Each file in the docs is the file of the same name in the example."""
    shown = documented_files(app)
    sources = {f"src/{name}" for name in ("server.ts", "socket.ts", "client.ts", "History.tsx", "Log.tsx")}
    assert {"codegen.ts"} | sources <= set(shown)
    assert {name: (ROOT / "examples" / app / name).read_text() for name in shown} == shown


def test_the_relay_app_equals_the_documented_files():
    """Each file in the docs' section about Relay is the app's, which has the socket of the other apps."""
    shown = documented_files(RELAY)
    assert set(shown) == {"src/environment.ts", "src/History.tsx", "src/Log.tsx"}
    common = ("src/server.ts", "src/socket.ts", "src/token.ts", "src/useOutage.ts")
    shown |= {name: (ROOT / "examples" / "apollo-react" / name).read_text() for name in common}
    assert {name: (ROOT / "examples" / RELAY / name).read_text() for name in shown} == shown


@pytest.mark.parametrize("app", [*APPS.values(), RELAY])
def test_one_file_of_an_app_has_the_address_of_the_server(app: str):
    """An app is pointed at another server in one place."""
    files = (file for file in (ROOT / "examples" / app / "src").rglob("*") if file.is_file())
    assert [file.name for file in files if "localhost" in file.read_text()] == ["server.ts"]


@pytest.mark.parametrize(
    ("variables", "addresses"),
    [
        ({}, ["http://localhost:8000/graphql", "ws://localhost:8000/graphql"]),
        (
            {"VITE_ROUTIQ_URL": "https://routiq.example.com/api/"},
            ["https://routiq.example.com/api/graphql", "wss://routiq.example.com/api/graphql"],
        ),
    ],
)
def test_a_variable_points_an_app_at_another_server(
    variables: dict[str, str], addresses: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Without the variable, the documented file has the address of the demo; with https, the websocket is encrypted."""
    monkeypatch.delenv("VITE_ROUTIQ_URL", raising=False)
    folder = copied_app("urql-react", tmp_path)
    run(tool(folder, "vite"), "build", "--ssr", "src/server.ts", folder=folder, **variables)
    printed = "import('./dist/server.js').then((it) => console.log(JSON.stringify([it.GRAPHQL_URL, it.SOCKET_URL])))"
    assert json.loads(run(str(shutil.which("node")), "--eval", printed, folder=folder)) == addresses


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
        "pages": list("gfedcba"),
        "pageInfo": ["g", "a", False],
        "log": [1, 2, 3],
        "both": [None, "d", "c", "b", "a"],
        "failed": [None, "b"],
        "anew": ["d", "e", "d"],
    }


def test_graphcache_has_a_key_for_each_type_without_a_unique_id():
    """The documented keys are the schema's types without an `id` that is always there and unique, so urql is silent."""
    types = (one for one in SCHEMA_TYPES if isinstance(one, GraphQLObjectType))
    parts = {one.name for one in types if not _has_unique_id(one)}
    assert {"PageInfo", "Practitioner", "UnreadableRow"} <= parts
    assert set(re.findall(r"(\w+): partOfItsParent", documented_files("urql-react")["src/client.ts"])) == parts


def test_apollo_knows_the_types_of_each_interface():
    """A fragment on an interface, such as `Problem`, matches each of its types."""
    interfaces = (one for one in SCHEMA_TYPES if isinstance(one, GraphQLInterfaceType))
    expected = {one.name: sorted(found.name for found in PUBLISHED.get_possible_types(one)) for one in interfaces}
    cache = documented_files("apollo-react")["src/cache.ts"]
    listed = cache[cache.index("possibleTypes") : cache.index("typePolicies")]
    written = re.findall(r"(\w+): \[(.*?)\]", listed, re.DOTALL)
    assert {name: re.findall(r"\w+", types) for name, types in written} == expected


def test_relay_finds_no_record_by_an_id_that_is_not_unique():
    """The documented exceptions are the types with an `id` that are no `Node`, so no two records are mixed up."""
    objects = {one.name: one for one in SCHEMA_TYPES if isinstance(one, GraphQLObjectType) and "id" in one.fields}
    (named,) = re.findall(r"PARTS = new Set\((\[.*?\])\)", documented_files(RELAY)["src/environment.ts"])
    assert json.loads(named.replace("'", '"')) == sorted(
        name for name, one in objects.items() if "Node" not in {interface.name for interface in one.interfaces}
    )


def _has_unique_id(one: GraphQLObjectType) -> bool:
    """Whether no other object of its type has the same `id`: it is global, or an organization's."""
    field = one.fields.get("id")
    if field is None or not isinstance(field.type, GraphQLNonNull):
        return False
    return "Node" in {interface.name for interface in one.interfaces} or "organizationId" in str(field.description)
