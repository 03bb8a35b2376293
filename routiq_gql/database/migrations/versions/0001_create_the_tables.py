"""Create the tables"""

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import RowKey, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "active_patients",
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.String(length=32), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("recent_appointments", sa.Integer(), nullable=False),
        sa.Column("upcoming_appointments", sa.Integer(), nullable=False),
        sa.Column("last_appointment_at", UtcDateTime(), nullable=True),
        sa.Column("next_appointment_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "patient_id"),
    )
    op.create_table(
        "connections",
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("shard", sa.String(length=8), nullable=False),
        sa.Column("encrypted_key", sa.LargeBinary(), nullable=False),
        sa.Column("encryption_key_id", sa.String(length=64), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("last_validated_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id"),
    )
    op.create_table(
        "identified_patients",
        sa.Column("generation", RowKey, autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.String(length=32), nullable=False),
        sa.Column("recent_appointments", sa.Integer(), nullable=False),
        sa.Column("upcoming_appointments", sa.Integer(), nullable=False),
        sa.Column("last_appointment_at", UtcDateTime(), nullable=True),
        sa.Column("next_appointment_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("generation", "patient_id"),
    )
    op.create_table(
        "mirrored_appointment_types",
        sa.Column("generation", RowKey, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("duration_in_minutes", sa.Integer(), nullable=True),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("generation", "id"),
    )
    op.create_table(
        "mirrored_appointments",
        sa.Column("generation", RowKey, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("patient_id", sa.String(length=32), nullable=True),
        sa.Column("appointment_type_id", sa.String(length=32), nullable=True),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=True),
        sa.Column("did_not_arrive", sa.Boolean(), nullable=False),
        sa.Column("cancelled_at", UtcDateTime(), nullable=True),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("generation", "kind", "id"),
    )
    with op.batch_alter_table("mirrored_appointments", schema=None) as batch_op:
        batch_op.create_index(
            "ix_mirrored_appointments_patient", ["generation", "patient_id", "starts_at"], unique=False
        )

    op.create_table(
        "mirrored_attendees",
        sa.Column("generation", RowKey, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("booking_id", sa.String(length=32), nullable=False),
        sa.Column("patient_id", sa.String(length=32), nullable=False),
        sa.Column("arrived", sa.Boolean(), nullable=False),
        sa.Column("cancelled_at", UtcDateTime(), nullable=True),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("generation", "id"),
    )
    with op.batch_alter_table("mirrored_attendees", schema=None) as batch_op:
        batch_op.create_index("ix_mirrored_attendees_patient", ["generation", "patient_id"], unique=False)

    op.create_table(
        "mirrored_patients",
        sa.Column("generation", RowKey, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("preferred_first_name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("generation", "id"),
    )
    op.create_table(
        "mirrors",
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("generation", RowKey, nullable=False),
        sa.Column("patients_in_cliniko", sa.Integer(), nullable=False),
        sa.Column("synced_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id"),
    )
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
        sa.Column("failure_code", sa.String(length=32), nullable=True),
        sa.Column("failure_step", sa.Integer(), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("failure_what_to_do", sa.Text(), nullable=True),
        sa.Column("last_updated", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("checkpoint", sa.JSON(), nullable=False),
        sa.Column("last_log_seq", sa.Integer(), nullable=False),
        sa.Column("has_rows", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("sync_id"),
    )
    with op.batch_alter_table("syncs", schema=None) as batch_op:
        batch_op.create_index(
            "ix_syncs_has_rows",
            ["key"],
            unique=False,
            sqlite_where=sa.text("has_rows"),
            postgresql_where=sa.text("has_rows"),
        )
        batch_op.create_index(
            "ix_syncs_organization_started", ["organization_id", "started_at", "sync_id"], unique=False
        )
        batch_op.create_index(
            "uq_syncs_active_organization",
            ["organization_id"],
            unique=True,
            sqlite_where=sa.text("completed_at IS NULL"),
            postgresql_where=sa.text("completed_at IS NULL"),
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


def downgrade() -> None:
    op.drop_table("sync_log")
    with op.batch_alter_table("syncs", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_syncs_active_organization",
            sqlite_where=sa.text("completed_at IS NULL"),
            postgresql_where=sa.text("completed_at IS NULL"),
        )
        batch_op.drop_index("ix_syncs_organization_started")
        batch_op.drop_index("ix_syncs_has_rows", sqlite_where=sa.text("has_rows"), postgresql_where=sa.text("has_rows"))

    op.drop_table("syncs")
    op.drop_table("mirrors")
    op.drop_table("mirrored_patients")
    with op.batch_alter_table("mirrored_attendees", schema=None) as batch_op:
        batch_op.drop_index("ix_mirrored_attendees_patient")

    op.drop_table("mirrored_attendees")
    with op.batch_alter_table("mirrored_appointments", schema=None) as batch_op:
        batch_op.drop_index("ix_mirrored_appointments_patient")

    op.drop_table("mirrored_appointments")
    op.drop_table("mirrored_appointment_types")
    op.drop_table("identified_patients")
    op.drop_table("connections")
    op.drop_table("active_patients")
