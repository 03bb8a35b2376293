"""Alembic's folder: ``env``, and a file for each change of the tables in ``versions``."""
