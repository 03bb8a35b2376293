"""The tables. Migrations create them; a test checks that both agree."""

from routiq_gql.database.tables.base import METADATA, ClinikoId, Holds, OrganizationId
from routiq_gql.database.tables.mirror import (
    ACTIVE,
    APPOINTMENT,
    APPOINTMENT_TYPE,
    ATTENDEE,
    IDENTIFIED,
    MIRROR,
    PATIENT,
)
from routiq_gql.database.tables.operation import AUDIT, PACE, PROBE, RETENTION, WORKER
from routiq_gql.database.tables.syncs import CONNECTION, LOG, SCHEDULE, SYNC

__all__ = [
    "ACTIVE",
    "APPOINTMENT",
    "APPOINTMENT_TYPE",
    "ATTENDEE",
    "AUDIT",
    "CONNECTION",
    "IDENTIFIED",
    "LOG",
    "METADATA",
    "MIRROR",
    "PACE",
    "PATIENT",
    "PROBE",
    "RETENTION",
    "SCHEDULE",
    "SYNC",
    "WORKER",
    "ClinikoId",
    "Holds",
    "OrganizationId",
]
