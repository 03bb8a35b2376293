"""Renders the selection of an operation without the GraphQL executor, for events that no other subscriber shares.

A selection of plain fields is compiled once to composed functions; they read attributes and write JSON. The result has
the same bytes as the executor's. The executor remains the reference: it serves every selection with a resolver, and
every value that a compiled selection refuses.
"""

from routiq_gql.api.graphql.projection.compiling import WITHOUT_ARGUMENTS, Projection, compile_selection
from routiq_gql.api.graphql.projection.leaves import NotProjected
from routiq_gql.api.graphql.projection.selections import deciding_variables

__all__ = ["WITHOUT_ARGUMENTS", "NotProjected", "Projection", "compile_selection", "deciding_variables"]
