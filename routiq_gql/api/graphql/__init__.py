"""GraphQL at ``/graphql``: queries, mutations and subscriptions over HTTP, websockets and event streams."""

from routiq_gql.api.graphql.ide import graphiql_routes
from routiq_gql.api.graphql.schema import schema_text
from routiq_gql.api.graphql.view import GraphQLEndpoint

__all__ = ["GraphQLEndpoint", "graphiql_routes", "schema_text"]
