"""The API: GraphQL, REST and the page. Each parses requests, calls a service, and renders; it never reads a table."""
