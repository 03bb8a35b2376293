"""The rows of the audit log, and the values that are written to it; see ``rows`` for the rules of such types."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of ``audit``."""

    #: Counts the entries in the order in which they were written.
    key: int
    #: When it happened; of equal refusals and reads, the last time.
    time: datetime
    #: The value of an ``Action``.
    action: str
    #: ``DONE``, or the code of the refusal.
    outcome: str
    #: The organization that it was about; ``None`` if unknown or erased.
    organization_id: str | None
    #: The person or program, as the token names it.
    subject: str | None
    #: The caller's address; ``None`` for the command line.
    address: str | None
    #: The sync that it was about.
    sync_id: str | None
    #: The token of the token file that it was about.
    token_id: str | None
    #: How often it happened.
    times: int
    #: The list of patients that was read.
    list: str | None
    #: The number of patients that were shown, added up over all times.
    count: int | None
    #: The webhook that it was about.
    webhook_id: str | None
    #: The host in the webhook's address, without the rest of it.
    webhook_host: str | None


class AuditValues(TypedDict, total=False):
    """Columns of ``audit`` to write; see ``AuditRow``."""

    time: datetime
    action: str
    outcome: str
    organization_id: str | None
    subject: str | None
    address: str | None
    sync_id: str | None
    token_id: str | None
    times: int
    list: str | None
    count: int | None
    webhook_id: str | None
    webhook_host: str | None
