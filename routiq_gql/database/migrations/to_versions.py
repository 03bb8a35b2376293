"""Turns the copies that readers saw before revision 0010 into versions. Called by that migration only.

Each list is a single INSERT from a SELECT, so memory does not grow with the clinic. Rows whose id is no 64-bit integer
are left out and counted in a warning; Cliniko has no such ids. The next sync reads all lists again.
"""

from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, text

log = structlog.get_logger(__name__)

CURRENT = 2**63 - 1
"""The ``to_sync`` of a version that no sync has closed."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """How the rows of a table become versions. ``values`` are SQL expressions by column, on the old row ``o``."""

    new: str
    id: str
    values: dict[str, str]
    join: str = "m.sync = o.generation"
    where: str = "TRUE"


def copy_rows(connection: Connection, name: str) -> None:
    """Copy the rows of an earlier table that readers see into the table that replaces it."""
    sql = _Sql(connection.dialect.name)
    copy = _copies(sql)[name]
    source = f"FROM {name} o JOIN mirrors m ON {copy.join} WHERE {copy.where}"
    values = {"mirror": "m.number", "id": sql.number(copy.id), "from_sync": "m.sync", "to_sync": str(CURRENT)}
    values |= copy.values
    columns, expressions = ", ".join(values), ", ".join(values.values())
    copied = f"SELECT {expressions} {source} AND {sql.is_number(copy.id)}"
    connection.execute(text(f"INSERT INTO {copy.new} ({columns}) {copied}"))
    dropped = connection.scalar(text(f"SELECT count(*) {source} AND NOT ({sql.is_number(copy.id)})"))
    if dropped:
        log.warning("rows_without_number_dropped", table=name, rows=dropped)


def make_mirrors(connection: Connection) -> None:
    """Give each organization a row in ``mirrors``.

    Every organization keeps its window: a longer horizon would store more about people than before.
    """
    connection.execute(
        text(
            "INSERT INTO mirrors (organization_id, sync, oldest_kept, keeps_window, published_at, patients_in_cliniko, "
            "format) SELECT a.organization_id, coalesce(o.generation, 0), coalesce(o.generation, 0), TRUE, o.synced_at,"
            " coalesce(o.patients_in_cliniko, 0), 0 FROM ("
            "SELECT organization_id FROM connections UNION SELECT organization_id FROM syncs UNION "
            "SELECT organization_id FROM mirrors_of_generations UNION SELECT organization_id FROM active_patients"
            ") a LEFT JOIN mirrors_of_generations o ON o.organization_id = a.organization_id ORDER BY a.organization_id"
        )
    )


@dataclass(frozen=True, slots=True)
class _Sql:
    """SQL fragments of a database."""

    dialect: str

    def is_number(self, column: str) -> str:
        """Whether a text column holds an id that 64 bits can hold, without leading zeros."""
        collation = ""
        digits = f"{column} GLOB '[1-9]*' AND {column} NOT GLOB '*[^0-9]*' AND length({column}) <= 19"
        if self.dialect == "postgresql":
            collation = ' COLLATE "C"'
            digits = f"{column} ~ '^[1-9][0-9]{{0,18}}$'"
        return f"{digits} AND (length({column}) < 19 OR {column}{collation} <= '{2**63 - 1}')"

    def number(self, column: str) -> str:
        return f"CASE WHEN {self.is_number(column)} THEN CAST({column} AS BIGINT) END"

    def time(self, column: str) -> str:
        """A time, cut to milliseconds. SQLite stored a text with six decimals, and stores milliseconds now."""
        if self.dialect == "sqlite":
            seconds = f"CAST(strftime('%s', substr({column}, 1, 19)) AS INTEGER)"
            return f"{seconds} * 1000 + CAST(substr({column}, 21, 3) AS INTEGER)"
        return f"date_trunc('milliseconds', {column})"


def _copies(sql: _Sql) -> dict[str, _Copy]:
    """By the name of the earlier table."""
    read = {"is_stub": "FALSE", "updated_at": sql.time("o.updated_at")}
    is_kept = "o.deleted_at IS NULL AND o.archived_at IS NULL"
    names = ("first_name", "last_name", "preferred_first_name", "email", "phone")
    return {
        "mirrored_patients": _Copy(
            "patient_versions",
            "o.id",
            {
                **read,
                **{name: f"o.{name}" for name in names},
                "archived_at": sql.time("o.archived_at"),
                "created_at": sql.time("o.created_at"),
            },
            where="o.deleted_at IS NULL",
        ),
        "mirrored_appointments": _Copy(
            "appointment_versions",
            "o.id",
            {
                **read,
                "kind": "CASE o.kind WHEN 'individual' THEN 1 ELSE 2 END",
                "patient_id": sql.number("o.patient_id"),
                "appointment_type_id": sql.number("o.appointment_type_id"),
                "starts_at": sql.time("o.starts_at"),
                "ends_at": sql.time("o.ends_at"),
                "did_not_arrive": "o.did_not_arrive",
                "cancelled_at": sql.time("o.cancelled_at"),
            },
            where=is_kept,
        ),
        "mirrored_attendees": _Copy(
            "attendee_versions",
            "o.id",
            {
                **read,
                "booking_id": sql.number("o.booking_id"),
                "patient_id": sql.number("o.patient_id"),
                "arrived": "o.arrived",
                "cancelled_at": sql.time("o.cancelled_at"),
            },
            where=is_kept,
        ),
        "mirrored_appointment_types": _Copy(
            "appointment_type_versions",
            "o.id",
            {
                **read,
                "name": "o.name",
                "category": "o.category",
                "duration_in_minutes": "o.duration_in_minutes",
                "archived_at": sql.time("o.archived_at"),
            },
        ),
        "active_patients": _Copy(
            "activity_versions",
            "o.patient_id",
            {
                "is_active": "o.is_active",
                "was_active": "TRUE",  # a patient who was never active had no row
                "recent_appointments": "o.recent_appointments",
                "upcoming_appointments": "o.upcoming_appointments",
                "missed_appointments": "o.missed_appointments",
                "last_appointment_at": sql.time("o.last_appointment_at"),
                "next_appointment_at": sql.time("o.next_appointment_at"),
            },
            join="m.organization_id = o.organization_id",
        ),
    }
