"""A selection gives the same answer however a client writes it: in any order, and split into fragments."""

import random
from typing import Any

import pytest
from graphql import (
    BooleanValueNode,
    ConstArgumentNode,
    ConstDirectiveNode,
    DirectiveNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    SelectionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    parse,
    print_ast,
    visit,
)

from routiq_gql.clock import utc_now
from tests.built_schema import built_schema
from tests.organization import ORGANIZATION
from tests.patients.clinics import NOW, ListedClinic
from tests.patients.small_clinic import PEOPLE
from tests.server import Server

BUILT = built_schema()
DOCUMENTS = {
    "historyConnection": """{ historyConnection(organizationId: "org_1", first: 1) {
      totalCount liveUpdates { count } pageInfo { hasNextPage hasPreviousPage endCursor }
      edges { cursor node { id steps { step } changes { patients } } } nodes { id status } } }""",
    "history": """{ history(organizationId: "org_1", limit: 1) {
      totalSyncs liveUpdates { count } nextCursor recentSyncs { id version } } }""",
    "syncChanges": """{ syncChanges(syncId: "SYNC", first: 2) { cursor since isBaseline
      pageInfo { hasNextPage hasPreviousPage } nodes { name kinds patient { id why { sentence } } } } }""",
    "patients": """{ patients(organizationId: "org_1", first: 2) { totalCount summary { title }
      pageInfo { hasNextPage hasPreviousPage } nodes { id name why { sentence appointments { startsAt } }
      lastAppointment { type practitioner { name } } } } }""",
    "dashboard": """{ dashboard(organizationId: "org_1") { id status lastSync { id log(limit: 2) { seq } }
      connection { state } patientStats { activePatients totalPatients } freshness { mode } } }""",
}
"""Queries whose resolvers read less if a field is not selected, and some others."""


class Rewriting(Visitor):
    """Writes each selection in another way."""

    def __init__(self, chance: random.Random, types: TypeInfo) -> None:
        super().__init__()
        self.fragments: list[FragmentDefinitionNode] = []
        self._chance = chance
        self._types = types

    def leave_selection_set(self, node: SelectionSetNode, *_: object) -> SelectionSetNode:
        parent = self._types.get_parent_type()
        assert parent is not None
        selections = list(node.selections)
        self._chance.shuffle(selections)
        written: list[SelectionNode] = []
        while selections:
            size = self._chance.randint(1, len(selections))
            part, selections = selections[:size], selections[size:]
            written += self._written(parent.name, part)
        again = self._chance.choice(written)  # a repeated selection merges with the first
        return SelectionSetNode(selections=tuple([*written, again] if self._chance.random() < 0.3 else written))

    def _written(self, parent: str, part: list[SelectionNode]) -> list[SelectionNode]:
        inside, on = SelectionSetNode(selections=tuple(part)), NamedTypeNode(name=NameNode(value=parent))
        match self._chance.choice(("plain", "plain", "inline", "inline on", "named")):
            case "plain":
                return part
            case "inline":
                return [InlineFragmentNode(type_condition=None, directives=(_include(),), selection_set=inside)]
            case "inline on":
                return [InlineFragmentNode(type_condition=on, directives=(), selection_set=inside)]
        name = NameNode(value=f"part{len(self.fragments)}")
        made = FragmentDefinitionNode(
            name=name, type_condition=on, directives=(), selection_set=inside, variable_definitions=()
        )
        self.fragments.append(made)
        return [FragmentSpreadNode(name=name, directives=())]


def _include() -> DirectiveNode:
    condition = ConstArgumentNode(name=NameNode(value="if"), value=BooleanValueNode(value=True))
    return ConstDirectiveNode(name=NameNode(value="include"), arguments=(condition,))


def rewritten(document: str, seed: int) -> str:
    """Another document with the same fields."""
    types = TypeInfo(BUILT)
    rewriting = Rewriting(random.Random(seed), types)
    tree = visit(parse(document, no_location=True), TypeInfoVisitor(types, rewriting))
    return "\n".join(map(print_ast, (*tree.definitions, *rewriting.fragments)))


@pytest.fixture
async def clinic(bare_server: Server) -> ListedClinic:
    made = ListedClinic(bare_server.runtime.database, ORGANIZATION)
    await made.sync([], completed_at=utc_now())
    await made.sync(PEOPLE, NOW, completed_at=utc_now())
    return made


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_selection_may_be_written_in_any_way(bare_server: Server, clinic: ListedClinic, name: str):
    """Fragments in fragments, repeated fields and another order change neither values nor errors."""
    document = DOCUMENTS[name].replace("org_1", ORGANIZATION).replace("SYNC", clinic.sync_ids[1])
    expected: dict[str, Any] = await bare_server.ask(document)
    assert "errors" not in expected
    for seed in range(25):
        other = rewritten(document, seed)
        assert await bare_server.ask(other) == expected, other


def test_documents_are_really_written_in_other_ways():
    """Each kind of fragment occurs, and no document is written twice in the same way."""
    written = [rewritten(DOCUMENTS["patients"], seed) for seed in range(25)]
    assert len(set(written)) == 25
    for sign in ("... @include", "... on Patient", "...part", "fragment part"):
        assert any(sign in one for one in written)
