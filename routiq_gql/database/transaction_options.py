"""Execution options with which a transaction begins: of SQLAlchemy, and of the two databases here."""

from typing import TypedDict

from sqlalchemy.engine.interfaces import IsolationLevel


class TransactionOptions(TypedDict, total=False):
    """Options of a transaction.

    Attributes:
        isolation_level: Of PostgreSQL.
        postgresql_readonly: Whether PostgreSQL refuses changes.
        routiq_begin: The statement that begins a transaction of SQLite.
        routiq_patience: Seconds to wait for another writer; without it, as long as the database's default.
    """

    isolation_level: IsolationLevel
    postgresql_readonly: bool
    routiq_begin: str
    routiq_patience: float
