"""Who runs syncs, and the periodic work of a process: the embedded engine for SQLite, workers for PostgreSQL."""
