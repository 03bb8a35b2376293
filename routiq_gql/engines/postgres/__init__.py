"""Syncs in many processes on a PostgreSQL database. Most modules need the extra ``postgres``; see ``engines.opening``.

The steps of a sync are the same as with SQLite. This package decides which process runs a sync and notifies the others.
"""
