"""The metadata of all tables, the types of ids, and the marker for the kind of rows that a table holds.

The tables are SQLAlchemy Core tables with typed columns: there are no sessions and no mapped objects.
"""

from enum import Enum

from sqlalchemy import BigInteger, Index, MetaData, String, text

METADATA = MetaData()
"""All tables. Migrations are compared with it, and erasing and cleaning up iterate it."""

OrganizationId = String(64)
ClinikoId = BigInteger()
"""Cliniko's ids are int64. APIs show them as text, since they exceed the numbers of many clients."""


class Holds(Enum):
    """The kind of a table's rows, as ``Table.info["holds"]``. It decides when they are erased; see ``erasure``."""

    PATIENTS = "patients"
    """Read from Cliniko, or computed from that. Erased with an organization's patients."""
    ORGANIZATION = "organization"
    """Syncs, their log, the connection, the schedule and the audit log. Erased with the organization."""
    PROCESSES = "processes"
    """State of the server, of no organization. Never erased."""


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows that match ``where``.

    It names the condition for SQLite only. For ``postgresql_where`` SQLAlchemy would import its drivers for PostgreSQL
    at every start. ``migrations.env``, which compares the tables with a database, repeats the condition there.
    """
    return Index(name, *columns, unique=unique, sqlite_where=text(where))
