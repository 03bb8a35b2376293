"""The tables. Migrations create them; a test checks that both agree."""

from routiq_gql.database.tables.base import METADATA, ClinikoId, Holds, OrganizationId
from routiq_gql.database.tables.class_checks import CLASS_CHECK
from routiq_gql.database.tables.mirror import (
    APPOINTMENT,
    APPOINTMENT_TYPE,
    ATTENDEE,
    CURRENT,
    MIRROR,
    MIRRORED,
    PATIENT,
    PRACTITIONER,
)
from routiq_gql.database.tables.operation import AUDIT, PACE, PROBE, RETENTION, WORKER
from routiq_gql.database.tables.refreshes import REFRESH
from routiq_gql.database.tables.results import ACTIVITY, LISTING, RESULTS
from routiq_gql.database.tables.suppression import SUPPRESSED, SUPPRESSION_KEY
from routiq_gql.database.tables.syncs import CONNECTION, LOG, SCHEDULE, SYNC
from routiq_gql.database.tables.webhooks import WEBHOOK, WEBHOOK_DELIVERY, WEBHOOK_EVENT

VERSIONED = (*MIRRORED, *RESULTS)
"""Every table of versions."""

__all__ = [
    "ACTIVITY",
    "APPOINTMENT",
    "APPOINTMENT_TYPE",
    "ATTENDEE",
    "AUDIT",
    "CLASS_CHECK",
    "CONNECTION",
    "CURRENT",
    "LISTING",
    "LOG",
    "METADATA",
    "MIRROR",
    "MIRRORED",
    "PACE",
    "PATIENT",
    "PRACTITIONER",
    "PROBE",
    "REFRESH",
    "RESULTS",
    "RETENTION",
    "SCHEDULE",
    "SUPPRESSED",
    "SUPPRESSION_KEY",
    "SYNC",
    "VERSIONED",
    "WEBHOOK",
    "WEBHOOK_DELIVERY",
    "WEBHOOK_EVENT",
    "WORKER",
    "ClinikoId",
    "Holds",
    "OrganizationId",
]
