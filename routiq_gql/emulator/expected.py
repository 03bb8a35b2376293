"""The expected results of a sync of an emulated clinic, and the private texts planted in it, for tests."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HORIZON_DAYS = 730
"""The horizon of ``Expected.appointments_found``: days before the midnight UTC at which the clinic's day began."""
WINDOW_DAYS = 30
"""The activity windows of ``Expected``: days before and after the clinic's time."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected result of a sync, known from the making of the clinic and not from its rows.

    An appointment is an individual or a group appointment. Counted are those not cancelled, archived or deleted.

    Attributes:
        patients_found: Patients that the list shows by default.
        appointments_found: Appointments that start at or after the horizon of 730 days, ``horizon_of``.
        appointments_in_window: Appointments that start within the last 30 or the next 30 days.
        recent: Ids of active patients with an appointment in the last 30 days, including missed appointments.
        upcoming: Ids of active patients with an appointment in the next 30 days; may overlap with ``recent``.
    """

    patients_found: int
    appointments_found: int
    appointments_in_window: int
    recent: frozenset[str]
    upcoming: frozenset[str]

    @property
    def active(self) -> frozenset[str]:
        """Ids of all active patients."""
        return self.recent | self.upcoming


@dataclass(frozen=True, slots=True)
class Secrets:
    """The private texts planted in a clinic. Tests search for them where they must not appear."""

    names: frozenset[str]
    emails: frozenset[str]
    phones: frozenset[str]
    clinical: frozenset[str]

    def all(self) -> frozenset[str]:
        """Every planted text."""
        return self.names | self.emails | self.phones | self.clinical


def day_of(now: datetime) -> datetime:
    """Midnight UTC at which the day of ``now`` began; the builders count from it.

    Raises:
        ValueError: ``now`` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError("A clinic needs a time with a time zone.")
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def horizon_of(now: datetime) -> datetime:
    """The start of the horizon that ``Expected.appointments_found`` is for.

    Raises:
        ValueError: ``now`` has no time zone.
    """
    return day_of(now) - timedelta(days=HORIZON_DAYS)
