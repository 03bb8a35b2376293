"""Keep versions of each mirrored row instead of a copy per sync, and a receipt of each sync"""

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import CompactTime, RowKey, UtcDateTime
from routiq_gql.database.migrations.to_versions import CURRENT, copy_rows, make_mirrors

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COPIES = ("mirrored_patients", "mirrored_appointments", "mirrored_attendees", "mirrored_appointment_types")


def upgrade() -> None:
    on_sqlite = op.get_context().dialect.name == "sqlite"
    _rename_mirrors(on_sqlite)
    _create_tables()
    if on_sqlite:
        _rebuild_syncs()
    else:
        _change_syncs()
    op.drop_table("identified_patients")
    make_mirrors(op.get_bind())
    for name in (*COPIES, "active_patients"):
        copy_rows(op.get_bind(), name)
        op.drop_table(name)  # the next list takes its place in an SQLite file
    op.drop_table("mirrors_of_generations")


def _rename_mirrors(on_sqlite: bool) -> None:
    op.rename_table("mirrors", "mirrors_of_generations")
    if not on_sqlite:
        op.execute("ALTER TABLE mirrors_of_generations RENAME CONSTRAINT mirrors_pkey TO mirrors_of_generations_pkey")


def _create_tables() -> None:
    op.create_table(
        "mirrors",
        sa.Column("number", RowKey, autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("sync", RowKey, nullable=False),
        sa.Column("oldest_kept", RowKey, nullable=False),
        sa.Column("writing", RowKey, nullable=True),
        sa.Column("keeps_window", sa.Boolean(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.Column("patients_in_cliniko", sa.Integer(), nullable=False),
        sa.Column("mark", UtcDateTime(), nullable=True),
        sa.Column("full_at", UtcDateTime(), nullable=True),
        sa.Column("horizon_from", UtcDateTime(), nullable=True),
        sa.Column("horizon_to", UtcDateTime(), nullable=True),
        sa.Column("horizon_days", sa.Integer(), nullable=True),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("organization_id"),
        sqlite_autoincrement=True,
    )
    _create_versions(
        "patient_versions",
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("preferred_first_name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("archived_at", CompactTime(), nullable=True),
        sa.Column("merged_with_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", CompactTime(), nullable=True),
        sa.Column("updated_at", CompactTime(), nullable=True),
    )
    _create_versions(
        "appointment_versions",
        sa.Column("patient_id", sa.BigInteger(), nullable=True),
        sa.Column("appointment_type_id", sa.BigInteger(), nullable=True),
        sa.Column("practitioner_id", sa.BigInteger(), nullable=True),
        sa.Column("starts_at", CompactTime(), nullable=True),
        sa.Column("ends_at", CompactTime(), nullable=True),
        sa.Column("did_not_arrive", sa.Boolean(), nullable=True),
        sa.Column("cancelled_at", CompactTime(), nullable=True),
        sa.Column("cancellation_reason", sa.Integer(), nullable=True),
        sa.Column("updated_at", CompactTime(), nullable=True),
        has_kind=True,
    )
    _create_versions(
        "attendee_versions",
        sa.Column("booking_id", sa.BigInteger(), nullable=True),
        sa.Column("patient_id", sa.BigInteger(), nullable=True),
        sa.Column("arrived", sa.Boolean(), nullable=True),
        sa.Column("cancelled_at", CompactTime(), nullable=True),
        sa.Column("updated_at", CompactTime(), nullable=True),
    )
    _create_versions(
        "appointment_type_versions",
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("duration_in_minutes", sa.Integer(), nullable=True),
        sa.Column("archived_at", CompactTime(), nullable=True),
        sa.Column("updated_at", CompactTime(), nullable=True),
    )
    _create_versions(
        "practitioner_versions",
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("designation", sa.Text(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=True),
        sa.Column("updated_at", CompactTime(), nullable=True),
    )
    _create_versions(
        "activity_versions",
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("was_active", sa.Boolean(), nullable=False),
        sa.Column("active_since", RowKey, nullable=True),
        sa.Column("recent_appointments", sa.Integer(), nullable=False),
        sa.Column("upcoming_appointments", sa.Integer(), nullable=False),
        sa.Column("missed_appointments", sa.Integer(), nullable=False),
        sa.Column("last_appointment_at", CompactTime(), nullable=True),
        sa.Column("next_appointment_at", CompactTime(), nullable=True),
        sa.Column("changes_at", CompactTime(), nullable=True),
    )
    op.create_table(
        "class_checks",
        sa.Column("mirror", RowKey, autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sync", RowKey, nullable=False),
        sa.Column("checked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("mirror", "id"),
    )
    op.create_index(
        "ix_appointment_versions_patient", "appointment_versions", ["mirror", "patient_id", "starts_at"], unique=False
    )
    op.create_index(
        "ix_appointment_versions_start", "appointment_versions", ["mirror", "starts_at", "to_sync"], unique=False
    )
    op.create_index("ix_attendee_versions_patient", "attendee_versions", ["mirror", "patient_id"], unique=False)
    op.create_index("ix_attendee_versions_booking", "attendee_versions", ["mirror", "booking_id"], unique=False)
    is_current = sa.text(f"to_sync = {CURRENT}")
    op.create_index(
        "ix_activity_versions_change",
        "activity_versions",
        ["mirror", "changes_at"],
        unique=False,
        sqlite_where=is_current,
        postgresql_where=is_current,
    )


def _create_versions(name: str, *columns: sa.Column[object], has_kind: bool = False) -> None:
    read = [
        sa.Column("closed_because", sa.SmallInteger(), nullable=True),
        sa.Column("is_stub", sa.Boolean(), nullable=False),
    ]
    kind = [sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False)] if has_kind else []
    op.create_table(
        name,
        sa.Column("mirror", RowKey, autoincrement=False, nullable=False),
        *kind,
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_sync", RowKey, autoincrement=False, nullable=False),
        sa.Column("from_sync", RowKey, nullable=False),
        *([] if name == "activity_versions" else read),
        *columns,
        sa.PrimaryKeyConstraint("mirror", *(["kind"] if has_kind else []), "id", "to_sync"),
    )
    op.create_index(f"ix_{name}_from", name, ["mirror", "from_sync"], unique=False)
    is_closed = sa.text(f"to_sync < {CURRENT}")
    op.create_index(
        f"ix_{name}_closed",
        name,
        ["mirror", "to_sync"],
        unique=False,
        sqlite_where=is_closed,
        postgresql_where=is_closed,
    )


def _new_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("estimated_earliest", UtcDateTime(), nullable=True),
        sa.Column("estimated_latest", UtcDateTime(), nullable=True),
        sa.Column("requests", sa.Integer(), server_default="0", nullable=False),
        sa.Column("waited_seconds", sa.Double(), server_default="0", nullable=False),
        sa.Column("baseline", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("analyzed_at", UtcDateTime(), nullable=True),
        sa.Column("recent_days", sa.Integer(), nullable=True),
        sa.Column("upcoming_days", sa.Integer(), nullable=True),
        sa.Column("rules", sa.Integer(), nullable=True),
        sa.Column("receipt", sa.JSON(), nullable=True),
    ]


def _change_syncs() -> None:
    op.drop_index("ix_syncs_has_rows", table_name="syncs")
    op.drop_column("syncs", "has_rows")
    for column in _new_columns():
        op.add_column("syncs", column)


def _rebuild_syncs() -> None:
    """Make ``syncs`` again, with numbers that SQLite never uses twice, and ``sync_log``, which refers to it.

    Dropping ``syncs`` while another table refers to it would delete that table's rows.
    """
    connection = op.get_bind()
    indexes = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'syncs' AND sql IS NOT NULL"
    made = [sql for sql in connection.scalars(sa.text(indexes)) if "ix_syncs_has_rows" not in sql]
    for table in ("syncs", "sync_log"):
        op.rename_table(table, f"{table}_0009")
    old = sa.inspect(connection).get_columns("syncs_0009")
    kept = [column for column in old if column["name"] != "has_rows"]
    names = ", ".join(f'"{column["name"]}"' for column in kept)
    op.create_table(
        "syncs",
        sa.Column("key", RowKey, autoincrement=True, nullable=False),
        sa.Column("sync_id", sa.String(length=128), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("progress_percentage", sa.Integer(), nullable=False),
        sa.Column("current_step", sa.Text(), nullable=False),
        sa.Column("patients_found", sa.Integer(), nullable=False),
        sa.Column("appointments_found", sa.Integer(), nullable=False),
        sa.Column("active_patients_identified", sa.Integer(), nullable=False),
        sa.Column("active_patients_stored", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("completed_at", UtcDateTime(), nullable=True),
        sa.Column("estimated_completion", UtcDateTime(), nullable=True),
        sa.Column("resumes_at", UtcDateTime(), nullable=True),
        sa.Column("waiting_for", sa.String(length=16), nullable=True),
        sa.Column("failure_code", sa.String(length=32), nullable=True),
        sa.Column("failure_step", sa.Integer(), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("failure_what_to_do", sa.Text(), nullable=True),
        sa.Column("last_updated", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("lost_claims", sa.Integer(), server_default="0", nullable=False),
        sa.Column("pauses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("checkpoint", sa.JSON(), nullable=False),
        sa.Column("last_log_seq", sa.Integer(), nullable=False),
        *_new_columns(),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("sync_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sync_log",
        sa.Column("sync_key", RowKey, autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time", UtcDateTime(), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sync_key"], ["syncs.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sync_key", "seq"),
    )
    op.execute(f"INSERT INTO syncs ({names}) SELECT {names} FROM syncs_0009 ORDER BY key")  # noqa: S608
    op.execute("INSERT INTO sync_log SELECT sync_key, seq, time, level, step, message FROM sync_log_0009")
    op.drop_table("sync_log_0009")
    op.drop_table("syncs_0009")
    for sql in made:
        op.execute(sql)
    # Rows of copies carry numbers that syncs had, and an erased sync's number must not come back.
    used = [f"SELECT max(generation) FROM {table}" for table in (*COPIES, "mirrors_of_generations")]  # noqa: S608
    numbers = " UNION ALL ".join(["SELECT max(key) AS number FROM syncs", *used])
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'syncs'")
    op.execute(f"INSERT INTO sqlite_sequence SELECT 'syncs', coalesce(max(number), 0) FROM ({numbers})")  # noqa: S608
