"""The tables. Migrations create them; a test checks that both agree."""

from routiq_gql.database.tables.base import METADATA, ClinikoId, Holds, OrganizationId
from routiq_gql.database.tables.class_checks import CLASS_CHECK
from routiq_gql.database.tables.mirror import (
    ACTIVITY,
    APPOINTMENT,
    APPOINTMENT_TYPE,
    ATTENDEE,
    CURRENT,
    MIRROR,
    PATIENT,
    PRACTITIONER,
    VERSIONED,
)
from routiq_gql.database.tables.operation import AUDIT, PACE, PROBE, RETENTION, WORKER
from routiq_gql.database.tables.syncs import CONNECTION, LOG, SCHEDULE, SYNC

__all__ = [
    "ACTIVITY",
    "APPOINTMENT",
    "APPOINTMENT_TYPE",
    "ATTENDEE",
    "AUDIT",
    "CLASS_CHECK",
    "CONNECTION",
    "CURRENT",
    "LOG",
    "METADATA",
    "MIRROR",
    "PACE",
    "PATIENT",
    "PRACTITIONER",
    "PROBE",
    "RETENTION",
    "SCHEDULE",
    "SYNC",
    "VERSIONED",
    "WORKER",
    "ClinikoId",
    "Holds",
    "OrganizationId",
]
