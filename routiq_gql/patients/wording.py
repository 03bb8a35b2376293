"""Dates and appointments in sentences, in the clinic's time zone: ``Tue 4 March``, with the year if it differs."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from routiq_gql.patients.model import Appointment

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Wording:
    """Words for the readers of a sync.

    Attributes:
        analyzed_at: The sync's moment; dates of its year need no year.
    """

    zone: tzinfo
    analyzed_at: datetime

    def date(self, time: datetime) -> str:
        """A date such as ``4 March``, or ``4 March 2027``."""
        local = time.astimezone(self.zone)
        text = f"{local.day} {_MONTHS[local.month - 1]}"
        return text if local.year == self.analyzed_at.astimezone(self.zone).year else f"{text} {local.year}"

    def day(self, time: datetime) -> str:
        """The same with the day of the week: ``Tue 4 March``."""
        return f"{_WEEKDAYS[time.astimezone(self.zone).weekday()]} {self.date(time)}"

    def appointment(self, one: Appointment) -> str:
        """An appointment such as ``Pilates class with Dr Sana Malik, Tue 4 March``."""
        return f"{self.title(one)}, {self.day(one.starts_at)}"

    def title(self, one: Appointment) -> str:
        """An appointment without its date."""
        title = one.type_name or ("Class" if one.is_class else "Appointment")
        has_name = one.practitioner is not None and one.practitioner.name
        return f"{title} with {one.practitioner.name}" if has_name and one.practitioner is not None else title


def plural(number: int, noun: str) -> str:
    """``1 visit`` or ``3 visits``."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
