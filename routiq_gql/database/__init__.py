"""The database: its engine, its tables and their migrations, and the queries, grouped by subject."""
