"""A patient whose lists are explained, with the words for appointments and dates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from routiq_gql.patients.bookings import Booking, Terms, to_moment
from routiq_gql.patients.model import Appointment
from routiq_gql.patients.rules import Assessment
from routiq_gql.patients.wording import Wording


@dataclass(frozen=True, slots=True)
class Subject:
    """A patient whose lists are explained.

    Attributes:
        bookings: All of them, ascending by their start.
        is_merged: Whether the patient was merged into another one in Cliniko, which is a reason for not being listed.
        show: Makes an appointment for readers from a booking.
    """

    bookings: Sequence[Booking]
    is_listed: bool
    is_merged: bool
    created_at: int | None
    assessment: Assessment
    terms: Terms
    show: Callable[[Booking], Appointment]
    wording: Wording

    def named(self, booking: Booking) -> str:
        """An appointment with its date: ``Pilates class with Dr Sana Malik, Tue 4 March``."""
        return self.wording.appointment(self.show(booking))

    def titled(self, booking: Booking) -> str:
        """An appointment without its date."""
        return self.wording.title(self.show(booking))

    def date(self, moment: int) -> str:
        return self.wording.date(to_moment(moment))

    def day(self, booking: Booking) -> str:
        return self.wording.day(to_moment(booking.starts_at))

    def is_past(self, booking: Booking) -> bool:
        return booking.starts_at <= self.terms.analyzed_at

    @property
    def booked_or_past(self) -> list[Booking]:
        """Bookings that are not cancelled, missed ones included."""
        return [one for one in self.bookings if not one.is_cancelled]
