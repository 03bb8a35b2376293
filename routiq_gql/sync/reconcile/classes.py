"""Compares the attendees of some classes in each sync, the longest unchecked classes first.

An attendee who joins or leaves may change nothing that a sync of changes reads. A total of all attendees does not help:
Cliniko can't limit it to classes within the horizon. So the attendees of classes within the windows of the analysis are
read again in turn, a few requests in each sync.

An attendee who is missing there may have moved to a class that is not compared now, so it is asked for by its id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from routiq_gql.cliniko import ATTENDEES, MOST_IDS
from routiq_gql.clock import utc_now
from routiq_gql.database.class_checks import ClassCheck, attendees_by_class, class_checks
from routiq_gql.database.drafts import Draft
from routiq_gql.database.engine import Database
from routiq_gql.sync.reconcile.rereading import Rereader
from routiq_gql.sync.reconcile.terms import Mirroring, Terms

REQUESTS = 3
"""Requests for attendees in each sync."""
ROWS_PER_REQUEST = 100
CHECK_LASTS = timedelta(days=1)
"""Attendees agree when all classes were compared within this time."""


@dataclass(frozen=True, slots=True)
class ClassesCompared:
    """The result for attendees.

    Attributes:
        in_cliniko: Attendees of the classes compared now; ``None`` if Cliniko did not list them. And
        in_mirror: the same in the draft.
        agrees: Whether both are equal and all classes were compared within ``CHECK_LASTS``; ``None`` if only the
            latter is missing.
        compared: Classes within the windows that were compared within ``CHECK_LASTS``,
        of: of how many,
        oldest_check: and when the longest unchecked of them was compared; ``None`` if never, or without classes.
    """

    in_cliniko: int | None
    in_mirror: int
    agrees: bool | None
    compared: int
    of: int
    oldest_check: datetime | None


class ClassComparer:
    """Compares classes within a claim of a sync."""

    def __init__(
        self, database: Database, draft: Draft, terms: Terms, mirroring: Mirroring, rereader: Rereader
    ) -> None:
        self._mirroring = mirroring
        self._database = database
        self._draft = draft
        self._terms = terms
        self._rereader = rereader

    async def compare(self) -> ClassesCompared:
        """Read the attendees of the longest unchecked classes, by at most ``REQUESTS`` requests as a rule."""
        terms = self._terms
        async with self._database.reading() as connection:
            checks = await class_checks(connection, self._draft, terms.recent_from, terms.upcoming_to)
            known = {one.class_id: terms.mark if terms.is_full else one.checked_at for one in checks}
            in_turn = self._in_turn([ClassCheck(row_id, at) for row_id, at in known.items()])
            attendees = await attendees_by_class(connection, self._draft, in_turn)
        in_cliniko = 0
        now_checked: dict[int, datetime] = {}
        for batch in _batches(in_turn, attendees):
            asked_at = utc_now()
            count, ids = await self._rereader.read_attendees(batch)
            expected = {row_id for class_id in batch for row_id in attendees.get(class_id, ())}
            if missing := sorted(expected - ids):
                await self._rereader.read_ids(ATTENDEES, missing)
            in_cliniko += count
            now_checked |= dict.fromkeys(batch, asked_at)
        in_mirror = await self._mirroring.note_compared_classes(now_checked)
        known |= now_checked
        since = utc_now() - CHECK_LASTS
        times = [at for at in known.values() if at is not None]
        compared = sum(at >= since for at in times)
        agrees: bool | None = in_cliniko == in_mirror
        if agrees and compared < len(known):
            agrees = None
        oldest = min(times) if times and len(times) == len(known) else None
        return ClassesCompared(in_cliniko, in_mirror, agrees, compared, len(known), oldest)

    def _in_turn(self, checks: Sequence[ClassCheck]) -> list[int]:
        """The classes that may be compared now, the longest unchecked first."""
        never = datetime.min.replace(tzinfo=self._terms.mark.tzinfo)
        in_turn = sorted(checks, key=lambda one: (one.checked_at or never, one.class_id))
        return [one.class_id for one in in_turn[: REQUESTS * MOST_IDS]]


def _batches(in_turn: Sequence[int], attendees: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """The classes to compare, in parts whose attendees likely fit a page."""
    batches: list[list[int]] = []
    rows = 0
    for class_id in in_turn:
        rows += len(attendees.get(class_id, ()))
        if not batches or rows > ROWS_PER_REQUEST or len(batches[-1]) == MOST_IDS:
            if len(batches) == REQUESTS:
                break
            batches.append([])
            rows = len(attendees.get(class_id, ()))
        batches[-1].append(class_id)
    return batches
