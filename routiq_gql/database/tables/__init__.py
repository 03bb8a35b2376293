"""The tables. Migrations create them; a test checks that both agree."""

from routiq_gql.database.tables.base import Base, ClinikoId, OrganizationId
from routiq_gql.database.tables.mirror import (
    ActivePatient,
    IdentifiedPatient,
    Mirror,
    MirroredAppointment,
    MirroredAppointmentType,
    MirroredAttendee,
    MirroredPatient,
)
from routiq_gql.database.tables.operation import AuditRow, KeyPace, Retention, Worker, WriteProbe
from routiq_gql.database.tables.syncs import Connection, Schedule, Sync, SyncLog

__all__ = [
    "ActivePatient",
    "AuditRow",
    "Base",
    "ClinikoId",
    "Connection",
    "IdentifiedPatient",
    "KeyPace",
    "Mirror",
    "MirroredAppointment",
    "MirroredAppointmentType",
    "MirroredAttendee",
    "MirroredPatient",
    "OrganizationId",
    "Retention",
    "Schedule",
    "Sync",
    "SyncLog",
    "Worker",
    "WriteProbe",
]
