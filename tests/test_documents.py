"""The GraphQL documents that users copy, from the examples, the README, the docs and GraphiQL's tabs, are valid.

Sources are left out that need no ids: the page in ``examples/sync_dashboard.html`` and its sources in
``examples/client`` have no cache, and Relay's compiler adds ``id`` to the documents that it compiles.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    parse,
    print_ast,
    specified_rules,
    validate,
    visit,
)

from tests.built_schema import built_schema

ROOT = Path(__file__).parent.parent
SCHEMA = built_schema()
GRAPHIQL = sorted((ROOT / "routiq_gql" / "api" / "graphql" / "graphiql").glob("*.js"))
KINDS = {".graphql", ".mjs", ".js", ".ts", ".tsx", ".py", ".sh", ".html"}
LEFT_OUT = {"sync_dashboard.html", "client", "element", "relay-react", "gql", "node_modules", "dist", "routiq_client"}

_STRING = re.compile(
    r'"""(.*?)"""'
    r"|`([^`]*)`"
    r'|"((?:[^"\\\n]|\\.)*)"'
    r"|'([^'\n]*)'",
    re.DOTALL,
)
_ROOT_FIELDS = {
    name
    for root in (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
    if root is not None
    for name in root.fields
}
_RELAY = re.compile(r"(?<![\w.`/-])graphql`[^`]*`")
"""A document that relay-compiler checks and completes."""
_CALL = re.compile(rf'\b(?:{"|".join(_ROOT_FIELDS)})\(\s*(?:organizationId|syncId): *(?:\$|\\?")')
"""A root field with its first argument: the sign of a document."""


def _files() -> list[Path]:
    examples = []
    for folder, folders, names in os.walk(ROOT / "examples"):
        folders[:] = set(folders) - LEFT_OUT
        examples += [Path(folder, name) for name in set(names) - LEFT_OUT if Path(name).suffix in KINDS]
    return sorted([*examples, ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *GRAPHIQL])


def _text(file: Path) -> str:
    """The file without Relay's documents, and with the constants of GraphiQL's tabs filled in."""
    text = _RELAY.sub("", file.read_text())
    filled = text.replace("${organization}", 'organizationId: "org_1"').replace("${sync}", 'syncId: "sync_1"')
    return re.sub(r"\$\{\w+\}", "", filled)


def _documents(file: Path) -> list[str]:
    """The GraphQL documents in a file: the whole file, or each string, code block, code span and curl body."""
    text = _text(file)
    if file.suffix == ".graphql":
        return [text]
    candidates = []
    if file.suffix == ".md":
        candidates = re.findall(r"^```graphql\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        candidates += re.findall(r"(?<!`)`((?:query|mutation|subscription)\b[^`\n]+)`", text)
        text = "\n".join(re.findall(r"^```(?:js|mjs|tsx?|sh)\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
        bodies = re.findall(r"-d '(\{\"query\".*?\})'", text)
        candidates += [json.loads(body)["query"] for body in bodies]
    candidates += [next(filter(None, groups), "") for groups in _STRING.findall(text)]
    return [one for one in candidates if _is_document(one)]


def _is_document(text: str) -> bool:
    try:
        parse(text)
    except GraphQLError:
        return False
    return True


class _Lacks(Visitor):
    """Collects the selection sets that lack ``id`` on a type that has it, fragments included."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.found: list[str] = []
        self._types = types

    def enter_selection_set(self, node: SelectionSetNode, *_: Any) -> None:
        parent = self._types.get_parent_type()
        if not isinstance(parent, GraphQLObjectType) or "id" not in parent.fields:
            return
        names = {one.name.value if one.alias is None else "" for one in node.selections if isinstance(one, FieldNode)}
        if "id" not in names and all(isinstance(one, FieldNode) for one in node.selections):
            self.found.append(f"{parent.name} {print_ast(node)}")


def _without_id(document: str) -> list[str]:
    types = TypeInfo(SCHEMA)
    lacks = _Lacks(types)
    visit(parse(document), TypeInfoVisitor(types, lacks))
    return lacks.found


@pytest.mark.parametrize("file", _files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_each_document_selects_the_id(file: Path):
    """Each copied document selects ids, so a client's cache can match objects and update the screen."""
    documents = _documents(file)
    assert [lack for document in documents for lack in _without_id(document)] == []
    rules = [rule for rule in specified_rules if rule.__name__ != "NoUnusedFragmentsRule"]
    assert [error.message for one in documents for error in validate(SCHEMA, parse(one), rules)] == []
    assert len(_CALL.findall(_text(file))) == sum(len(_CALL.findall(document)) for document in documents)


def test_the_search_finds_documents_of_every_kind():
    """The test searches GraphiQL's tabs, the README, the docs, and files in Python, JavaScript and GraphQL."""
    found = {file.relative_to(ROOT).as_posix() for file in _files() if _documents(file)}
    assert found >= {
        "README.md",
        "docs/clients.md",
        "examples/clients/apollo.mjs",
        "examples/clients/ariadne/operations.graphql",
        "examples/clients/gql_client.py",
        "examples/apollo-react/src/operations.graphql",
    }
    assert any(_documents(file) for file in GRAPHIQL)


def test_a_missing_id_is_noticed():
    """A missing id is found in a field, below a fragment and in a fragment; an alias of another field doesn't count."""
    assert len(_without_id('{ dashboard(organizationId: "o") { status currentSync { id: syncId } } }')) == 2
    assert len(_without_id("fragment F on SyncStatus { status log { id seq } }")) == 1
    assert (
        _without_id("subscription ($s: ID!) { syncProgress(syncId: $s) { ...F } } fragment F on SyncStatus { id }")
        == []
    )
