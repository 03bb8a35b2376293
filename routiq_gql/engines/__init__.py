"""Decides which process runs a sync, and does the periodic work: embedded for SQLite, workers for PostgreSQL."""
