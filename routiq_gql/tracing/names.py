"""The names in traces: attributes, events and kinds of spans. A test compares them with ``docs/operating.md``.

Names without the prefix ``routiq.`` are OpenTelemetry's.
Source: OpenTelemetry semantic conventions for GraphQL, HTTP and errors.
"""

from collections.abc import Mapping
from typing import Final

Attributes = Mapping[str, str | int | float]
"""Attributes of a span, by name."""

METHOD: Final = "http.request.method"
STATUS_CODE: Final = "http.response.status_code"
RESENDS: Final = "http.request.resend_count"
ROUTE: Final = "http.route"
SCHEME: Final = "url.scheme"
URL_TEMPLATE: Final = "url.template"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
OPERATION_TYPE: Final = "graphql.operation.type"
OPERATION_NAME: Final = "graphql.operation.name"

ORGANIZATION_ID: Final = "routiq.organization.id"
SYNC_ID: Final = "routiq.sync.id"
SYNC_CLAIM: Final = "routiq.sync.claim"
SYNC_MODE: Final = "routiq.sync.mode"
SYNC_OUTCOME: Final = "routiq.sync.outcome"
SYNC_STATUS: Final = "routiq.sync.status"
SYNC_STEP: Final = "routiq.sync.step"
PATIENTS_FOUND: Final = "routiq.sync.patients_found"
APPOINTMENTS_FOUND: Final = "routiq.sync.appointments_found"
ACTIVE_PATIENTS: Final = "routiq.sync.active_patients"
WAITED_SECONDS: Final = "routiq.waited_seconds"
WAIT_REASON: Final = "routiq.wait.reason"
WAIT_SECONDS: Final = "routiq.wait.seconds"

WAIT_EVENT: Final = "routiq.wait"
"""The event of a wait that people see."""

NAMES = frozenset(value for name, value in vars().copy().items() if name.isupper() and isinstance(value, str))
"""All of them."""
