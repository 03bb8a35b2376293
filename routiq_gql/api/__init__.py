"""The doors: GraphQL, REST and the page. They parse, call a service, and render; they never touch a table."""
