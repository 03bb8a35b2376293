"""The emulated account's clock. Everything in the emulator that needs the time reads it here.

It follows the machine's clock until a test advances it or makes it stand still. The clock belongs to the ``Clinic``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from routiq_gql.clock import utc_now


@dataclass(slots=True)
class EmulatedClock:
    """The time that new rows, changes, the ``Date`` header and the record of requests use.

    Attributes:
        ahead: The distance from the machine's clock; negative when behind. Without effect while the clock stands still.
        stands_at: The time at which the clock stands still; ``None`` while it runs.
    """

    ahead: timedelta = timedelta()
    stands_at: datetime | None = None

    def now(self) -> datetime:
        """The emulated time, in UTC."""
        return utc_now() + self.ahead if self.stands_at is None else self.stands_at

    def stop_at(self, moment: datetime) -> None:
        """Make the clock stand still at ``moment``.

        Raises:
            ValueError: ``moment`` has no time zone.
        """
        if moment.tzinfo is None:
            raise ValueError("A clock needs a time with a time zone.")
        self.stands_at = moment

    def advance(self, duration: timedelta) -> None:
        """Let time pass, whether the clock stands still or runs."""
        if self.stands_at is None:
            self.ahead += duration
        else:
            self.stands_at += duration
