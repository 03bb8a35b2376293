"""The published schema, parsed once for all tests of a process: parsing takes a quarter of a second."""

from functools import cache
from pathlib import Path

from graphql import GraphQLSchema, build_schema

SCHEMA = Path(__file__).parent.parent / "schema.graphql"


@cache
def built_schema() -> GraphQLSchema:
    """The schema of ``schema.graphql``, which a test compares with that of the server."""
    return build_schema(SCHEMA.read_text(encoding="utf-8"))
