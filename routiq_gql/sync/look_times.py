"""When looks at Cliniko follow each other: at the interval of the settings while clients read the organization.

Some minutes after the last client looks become rarer; the first request of a client makes one due at once. Waits
double after failures. Organizations with the same API key take turns when its share is too small for all their looks.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement

from routiq_gql.database.refreshes import next_look
from routiq_gql.settings import Settings

WATCHED_FOR = timedelta(minutes=5)
"""How long after a client's last request, or the end of its subscription, looks keep their interval."""
LONGEST_WAIT = timedelta(minutes=15)
"""Between two looks, however many have failed."""


class LookTimes:
    """The times of looks.

    Attributes:
        interval: While clients read the organization.
        unwatched_interval: While none does.
    """

    def __init__(self, settings: Settings) -> None:
        self.interval = timedelta(seconds=settings.refresh_interval)
        self.unwatched_interval = timedelta(seconds=settings.unwatched_refresh_interval)

    def after(self, now: datetime, failures: int = 0, at_least: timedelta = timedelta(0)) -> ColumnElement[datetime]:
        """When the look after one at ``now`` is due, as a value for ``next_at``.

        Args:
            failures: Looks in a row that failed, or whose sync failed.
            at_least: The shortest wait.
        """
        usual, unwatched = (max(self.wait(failures, is_watched=one), at_least) for one in (True, False))
        return next_look(now + usual, now + unwatched, self.watched_since(now))

    def wait(self, failures: int, *, is_watched: bool) -> timedelta:
        """The time between two looks after so many failures in a row."""
        wait = min(self.interval * float(2 ** min(failures, 10)), LONGEST_WAIT)
        return wait if is_watched else max(wait, self.unwatched_interval)

    def turn(self, watched: int, unwatched: int, looks_per_minute: float, *, is_watched: bool) -> timedelta:
        """The time between two looks at one of several organizations that share so many looks.

        Args:
            watched: How many of them clients read, and ``unwatched`` the others.
        """
        rare = 60 / self.unwatched_interval.total_seconds()  # looks a minute at each that no client reads
        left = looks_per_minute - unwatched * rare
        if watched and left > 0 and watched / left <= 1 / rare:
            minutes = watched / left if is_watched else 1 / rare
        elif unwatched and not watched and left >= 0:
            minutes = 1 / rare
        else:
            minutes = (watched + unwatched) / looks_per_minute
        return max(timedelta(minutes=minutes), self.wait(0, is_watched=is_watched))

    @staticmethod
    def watched_since(now: datetime) -> datetime:
        """No client reads an organization that was last read before this time."""
        return now - WATCHED_FOR

    def is_watched(self, watched_at: datetime | None, now: datetime) -> bool:
        """Whether clients read an organization that was last read at this time."""
        return watched_at is not None and watched_at >= self.watched_since(now)
