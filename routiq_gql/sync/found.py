"""The knowledge of looks about the lists of Cliniko: the changes that a published sync has read, or a sync must read.

Stored as JSON in ``refreshes.found``. It holds digests, so that no id of a patient is kept longer than elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b

from routiq_gql.cliniko import Record, UnreadableRow

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Found:
    """The knowledge of the looks at an organization.

    Attributes:
        seen: Changes that a published sync has read.
        pending: Changes that the newest sync of a look reads. They are ``seen`` once it, or a later sync, is published.
        lists: The lists with changes that this sync reads.
        looked_at: Cliniko's time when the look that started this sync began; ``None`` before the first.
        failures: Looks in a row that failed, or whose sync failed.
        limited_at: When the rate limit was last reached, or the ration last grew; ``None`` if it was never reached.
        compares: Whether this sync makes a part of a comparison.
        part_failures: Syncs that have failed at this part before.
    """

    seen: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()
    lists: tuple[str, ...] = ()
    looked_at: datetime | None = None
    failures: int = 0
    limited_at: datetime | None = None
    compares: bool = False
    part_failures: int = 0

    def comparing(self, *, is_due: bool, is_outstanding: bool) -> "Found":
        """The same for the next sync, whether a comparison is due or not, and whether the sync before has failed.

        After a failure changes are shown without a comparison, which may be what has failed.
        """
        failed = self.part_failures + is_outstanding if self.compares else self.part_failures
        if self.compares and not is_outstanding:
            failed = 0
        failures = self.failures + 1 if is_outstanding else 0
        compares = is_due and not (failures and self.lists)
        return replace(self, failures=failures, compares=compares, part_failures=failed if is_due else 0)


def change_of(list_name: str, row: Record | UnreadableRow) -> str:
    """The digest of a changed row. It includes the content, as Cliniko's times can't tell changes of a second apart."""
    values = [getattr(row, name) for name in row.__dataclass_fields__]
    return blake2b(f"{list_name} {values}".encode(), digest_size=8).hexdigest()


def change_of_second(list_name: str, second: datetime, *, is_over: bool) -> str:
    """The digest of more changes in a second than a look reads. Once it is over, its changes are read again."""
    return blake2b(f"{list_name} {second} {is_over}".encode(), digest_size=8).hexdigest()


def to_json(found: Found) -> dict[str, object]:
    """The knowledge as JSON."""
    return {
        "format": FORMAT,
        "seen": sorted(found.seen),
        "pending": sorted(found.pending),
        "lists": list(found.lists),
        "looked_at": _text(found.looked_at),
        "failures": found.failures,
        "limited_at": _text(found.limited_at),
        "compares": found.compares,
        "part_failures": found.part_failures,
    }


def read_found(stored: Mapping[str, object]) -> Found:
    """The knowledge that ``to_json`` stored; nothing for another format, which costs an unneeded sync only."""
    if stored.get("format") != FORMAT:
        return Found()
    failures, part_failures = stored.get("failures"), stored.get("part_failures")
    return Found(
        seen=frozenset(_texts(stored.get("seen"))),
        pending=frozenset(_texts(stored.get("pending"))),
        lists=tuple(_texts(stored.get("lists"))),
        looked_at=_moment(stored.get("looked_at")),
        failures=failures if isinstance(failures, int) else 0,
        limited_at=_moment(stored.get("limited_at")),
        compares=stored.get("compares") is True,
        part_failures=part_failures if isinstance(part_failures, int) else 0,
    )


def _texts(value: object) -> Iterable[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _moment(value: object) -> datetime | None:
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else None


def _text(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment is not None else None
