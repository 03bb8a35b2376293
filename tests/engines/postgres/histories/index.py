"""Answers of a history by sync, organization and stream, and the order of answers in time."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from tests.engines.postgres.histories.records import Operation, Sync, SyncList

T = TypeVar("T")
UNKNOWN = 1_000_000
"""The position of a sync that no list shows."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: a sentence, and the operations that show it, usually two."""

    sentence: str
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        return "\n    ".join([self.sentence, *map(str, self.operations)])


@dataclass(frozen=True, slots=True)
class Seen:
    """A state of a sync in an operation."""

    operation: Operation
    sync: Sync


class Index:
    """Operations by subject."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = operations
        self.syncs: dict[str, list[Seen]] = defaultdict(list)
        self.streams: dict[int, list[Operation]] = defaultdict(list)
        for operation in operations:
            for sync in operation.syncs():
                self.syncs[sync.sync_id].append(Seen(operation, sync))
            if operation.stream:
                self.streams[operation.stream].append(operation)

    def of_organization(self) -> dict[str, list[Operation]]:
        """The operations about each organization."""
        found: dict[str, list[Operation]] = defaultdict(list)
        for operation in self.operations:
            found[operation.organization].append(operation)
        return found

    @cached_property
    def positions(self) -> dict[str, int]:
        """The number of each sync among the syncs of its organization, from 1, as the first list shows it."""
        found: dict[str, int] = {}
        for operation in self.operations:
            if isinstance(operation.answer, SyncList):
                for sync_id, position in operation.answer.positions().items():
                    found.setdefault(sync_id, position)
        return found

    def position(self, sync: Sync | None) -> int:
        """The sync's number; 0 for no sync, ``UNKNOWN`` if no list shows it."""
        return 0 if sync is None else self.positions.get(sync.sync_id, UNKNOWN)


def in_time(
    earlier: Iterable[tuple[Operation, int]], later: Iterable[Operation]
) -> Iterator[tuple[Operation, Operation, int]]:
    """Each fresh later operation, with the highest of the earlier ones that had returned before it was invoked."""
    known = sorted(earlier, key=lambda one: one[0].returned_at)
    highest: tuple[Operation, int] | None = None
    place = 0
    for operation in sorted((one for one in later if one.is_fresh), key=lambda one: one.invoked_at):
        while place < len(known) and known[place][0].returned_at <= operation.invoked_at:
            if highest is None or known[place][1] > highest[1]:
                highest = known[place]
            place += 1
        if highest is not None:
            yield operation, *highest


def in_streams(seen: Iterable[T], operation_of: Callable[[T], Operation]) -> Iterator[tuple[T, T]]:
    """Consecutive events of the same stream."""
    last: dict[int, T] = {}
    for one in seen:
        stream = operation_of(one).stream
        if stream:
            if stream in last:
                yield last[stream], one
            last[stream] = one


def session_of(later: Operation, earlier: Operation) -> str:
    """Words for a violation: in one session, or seen by two clients."""
    return f"{later.client} sees" if later.client == earlier.client else f"after {earlier.client}, {later.client} sees"
