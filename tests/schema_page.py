"""Writes ``docs/schema.md``, the reference of the GraphQL schema, from ``schema.graphql``; ``make schema`` calls it.

python -m tests.schema_page

Packages that do this write one page for each type, for a site generator, or are no longer kept; this is one page that
GitHub shows. A test compares it without Node.js.
"""

from collections.abc import Iterable
from pathlib import Path

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_introspection_type,
    is_specified_scalar_type,
    print_ast,
)

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "schema.md"

INTRODUCTION = """# The GraphQL schema

This page is generated from `schema.graphql` by `make schema`. The page for [clients](clients.md) shows its use.
`!` means that a value is never null; an argument with `= …` may be left out.
"""


def schema_page(text: str) -> str:
    """The page as Markdown, for the schema ``text``."""
    schema = build_schema(text)
    roots = [root for root in (schema.query_type, schema.mutation_type, schema.subscription_type) if root is not None]
    named = sorted((one for one in schema.type_map.values() if _is_ours(one, roots)), key=lambda one: one.name)
    groups = {
        "Objects": [one for one in named if isinstance(one, GraphQLObjectType)],
        "Interfaces": [one for one in named if isinstance(one, GraphQLInterfaceType)],
        "Enums": [one for one in named if isinstance(one, GraphQLEnumType)],
        "Scalars": [one for one in named if isinstance(one, GraphQLScalarType)],
    }
    listed = {one.name for group in groups.values() for one in group}
    assert listed == {one.name for one in named}, "a kind of type is missing on the page"
    parts = [INTRODUCTION]
    for root, heading in zip(roots, ("Queries", "Mutations", "Subscriptions"), strict=True):
        parts += [f"## {heading}\n", f"{root.description}\n"]
        for name, field in root.fields.items():
            parts += [f"### {name}\n", f"{_text(field.description)}\n", f"Returns {_type(field, listed)}.\n"]
            parts += _arguments(field.args, listed)
    for heading, group in groups.items():
        parts.append(f"## {heading}\n")
        for one in group:
            parts += _named(schema, one, listed)
    return "\n".join(parts)


def _is_ours(one: GraphQLNamedType, roots: Iterable[GraphQLObjectType]) -> bool:
    return not (is_introspection_type(one) or is_specified_scalar_type(one) or one in roots)


def _named(schema: GraphQLSchema, one: GraphQLNamedType, listed: set[str]) -> list[str]:
    parts = [f"### {one.name}\n", f"{_text(one.description)}\n"]
    if isinstance(one, GraphQLObjectType) and one.interfaces:
        parts.append(f"Implements {', '.join(_link(each.name, listed) for each in one.interfaces)}.\n")
    if isinstance(one, GraphQLInterfaceType):
        parts.append(f"Implemented by {', '.join(_link(x.name, listed) for x in schema.get_possible_types(one))}.\n")
    if isinstance(one, GraphQLEnumType):
        rows = [f"| `{name}` | {_text(value.description)} |" for name, value in one.values.items()]
        parts.append("\n".join(["| value | meaning |", "| --- | --- |", *rows]) + "\n")
    elif isinstance(one, GraphQLObjectType | GraphQLInterfaceType):
        rows = []
        for name, field in one.fields.items():
            rows.append(f"| `{name}` | {_type(field, listed)} | {_text(field.description)} |")
            rows += [_argument(f"{name}({key})", arg, listed) for key, arg in field.args.items()]
        parts.append("\n".join(["| field | type | meaning |", "| --- | --- | --- |", *rows]) + "\n")
    return parts


def _arguments(arguments: dict[str, GraphQLArgument], listed: set[str]) -> list[str]:
    rows = [_argument(name, argument, listed) for name, argument in arguments.items()]
    return ["\n".join(["| argument | type | meaning |", "| --- | --- | --- |", *rows]) + "\n"] if rows else []


def _argument(name: str, argument: GraphQLArgument, listed: set[str]) -> str:
    node = argument.ast_node
    default = f" = `{print_ast(node.default_value)}`" if node is not None and node.default_value is not None else ""
    return f"| `{name}` | {_type(argument, listed)}{default} | {_text(argument.description)} |"


def _type(of: GraphQLField | GraphQLArgument, listed: set[str]) -> str:
    name = get_named_type(of.type).name
    before, _, after = str(of.type).partition(name)
    return f"{before.replace('[', chr(92) + '[')}{_link(name, listed)}{after.replace(']', chr(92) + ']')}"


def _link(name: str, listed: set[str]) -> str:
    return f"[{name}](#{name.lower()})" if name in listed else f"`{name}`"


def _text(description: str | None) -> str:
    return " ".join((description or "").replace("|", "\\|").split())


if __name__ == "__main__":
    PAGE.write_text(schema_page((ROOT / "schema.graphql").read_text()))
