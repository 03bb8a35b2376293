"""Subscriptions with random selections of plain fields of the schema."""

from random import Random

from graphql import GraphQLNamedType, GraphQLObjectType, GraphQLSchema, get_named_type

from routiq_gql.api.graphql.projection import WITHOUT_ARGUMENTS

ROOTS = {"syncProgress": "syncId", "dashboardUpdated": "organizationId"}
"""The root fields, and the argument of each."""
CONDITIONS = ("true", "false", "$yes", "$no", "$byDefault")
VARIABLES = {"id": "1", "yes": True, "no": False}
DECLARED = {"$id": "ID!", "$yes": "Boolean!", "$no": "Boolean!", "$byDefault": "Boolean! = false"}


def drawn_subscription(random: Random, schema: GraphQLSchema, root: str) -> str:
    """A subscription to ``root`` for ``VARIABLES``, with aliases, fragments, conditions and repeated fields."""
    drawing = _Drawing(random)
    assert schema.subscription_type
    type_ = get_named_type(schema.subscription_type.fields[root].type)
    assert isinstance(type_, GraphQLObjectType)
    field = f"{random.choice(['', 'updates: '])}{root}({ROOTS[root]}: $id)"
    same = [f"{field} {drawing.selection(type_, 5)}" for _ in range(random.choice([1, 1, 2]))]
    text = f"{{ {' '.join(same)} }} {' '.join(text for _, text in drawing.fragments.values())}"
    declared = [f"{name}: {type_name}" for name, type_name in DECLARED.items() if name in text]
    return f"subscription ({', '.join(declared)}) {text}"


def whole_subscription(schema: GraphQLSchema, root: str) -> str:
    """A subscription to all plain fields of ``root`` and of the objects below it."""
    assert schema.subscription_type
    selection = _whole(get_named_type(schema.subscription_type.fields[root].type))
    return f"subscription ($id: ID!) {{ {root}({ROOTS[root]}: $id) {selection} }}"


def _whole(type_: GraphQLNamedType) -> str:
    if not isinstance(type_, GraphQLObjectType):
        return ""
    plain = {name: get_named_type(type_.fields[name].type) for name in _plain(type_)}
    return f"{{ __typename {' '.join(f'{name} {_whole(inner)}' for name, inner in plain.items())} }}"


_THROUGH = {"Node": "... on Node { id }", "Problem": "... on Problem { message retryable }"}


def _plain(type_: GraphQLObjectType) -> list[str]:
    """The fields that are read from an attribute if they have no arguments."""
    return [
        name
        for name, field in type_.fields.items()
        if not field.args or WITHOUT_ARGUMENTS in field.extensions["strawberry-definition"].metadata
    ]


class _Drawing:
    """A document.

    Attributes:
        fragments: The type and the text of each fragment, by name.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.fragments: dict[str, tuple[str, str]] = {}

    def selection(self, type_: GraphQLObjectType, levels: int) -> str:
        count = self._random.randint(1, 3 if levels > 2 else 2)
        return f"{{ {' '.join(self._item(type_, levels) for _ in range(count))} }}"

    def _item(self, type_: GraphQLObjectType, levels: int) -> str:
        kind = self._random.choice(["field"] * 6 + ["inline", "interface", "untyped", "spread"]) if levels else "field"
        if kind == "field":
            return self._field(type_, levels)
        if kind == "inline":
            return f"... on {type_.name} {self._directives()} {self.selection(type_, levels - 1)}"
        if kind == "interface":
            names = [one.name for one in type_.interfaces]
            return _THROUGH[self._random.choice(names)] if names else self._field(type_, levels)
        if kind == "untyped":
            return f"... {self._directives()} {self.selection(type_, levels - 1)}"
        known = [name for name, (type_name, _) in self.fragments.items() if type_name == type_.name]
        return f"...{self._random.choice([*known, ''][:2]) or self._fragment(type_, levels)} {self._directives()}"

    def _fragment(self, type_: GraphQLObjectType, levels: int) -> str:
        text = self.selection(type_, levels - 1)  # first, so that no fragment contains itself
        name = f"Part{len(self.fragments)}"
        self.fragments[name] = type_.name, f"fragment {name} on {type_.name} {text}"
        return name

    def _field(self, type_: GraphQLObjectType, levels: int) -> str:
        plain = _plain(type_)
        objects = [name for name in plain if isinstance(get_named_type(type_.fields[name].type), GraphQLObjectType)]
        names = [*plain, *objects * 2] if levels else [name for name in plain if name not in objects]
        name = self._random.choice([*names, "__typename"])
        text = f"{self._random.choice(['', '', f'a{name}: ', f'_{name}_2: '])}{name} {self._directives()}"
        if name in objects:
            inner = get_named_type(type_.fields[name].type)
            assert isinstance(inner, GraphQLObjectType)
            text += f" {self.selection(inner, levels - 1)}"
        return text

    def _directives(self) -> str:
        chosen = self._random.choice(["", "", "", "", "skip", "include", "skip include", "include skip"])
        return " ".join(f"@{name}(if: {self._random.choice(CONDITIONS)})" for name in chosen.split())
