"""Promises about histories and dashboards of an organization: see ``checker.RULES``."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from tests.engines.postgres.histories.index import UNKNOWN, Index, Violation, in_streams, in_time, session_of
from tests.engines.postgres.histories.records import MOST_ROWS, Dashboard, Json, Operation, Sync, SyncList


def lists_go_forward(index: Index) -> Iterator[Violation]:
    """A list lacks a sync that was seen before, or its totals or its order change back."""
    at: dict[tuple[str, int], tuple[str, Operation]] = {}
    for organization, operations in index.of_organization().items():
        for later, earlier, position in in_time(_newest(index, operations), _lists(operations)):
            total = later.answer.total if isinstance(later.answer, SyncList) else 0
            if total < position:
                shown = "a sync that no list shows" if position == UNKNOWN else f"sync number {position}"
                sentence = f"{session_of(later, earlier)} {total} syncs of {organization}, without {shown}."
                yield Violation(sentence, (earlier, later))
        for name in ("total", "completed", "failed", "cancelled"):
            counts = [(one, int(getattr(one.answer, name))) for one in _lists(operations)]
            by_operation = dict(counts)
            for later, earlier, count in in_time(counts, by_operation):
                if by_operation[later] < count:
                    shown = f"{by_operation[later]} syncs in “{name}” of {organization}, after {count}"
                    sentence = f"{session_of(later, earlier)} {shown}."
                    yield Violation(sentence, (earlier, later))
        for operation in _lists(operations):
            assert isinstance(operation.answer, SyncList)
            for sync_id, position in operation.answer.positions().items():
                shown_id, first = at.setdefault((organization, position), (sync_id, operation))
                if shown_id != sync_id:
                    sentence = f"Sync number {position} of {organization} is {shown_id} and {sync_id}."
                    yield Violation(sentence, (first, operation))


def lists_agree(index: Index) -> Iterator[Violation]:
    """The rows of a list do not fit its totals."""
    for operation in _lists(index.operations):
        seen = operation.answer
        assert isinstance(seen, SyncList)
        if len(seen.syncs) != min(seen.total, MOST_ROWS) or len(seen.positions()) != len(seen.syncs):
            yield Violation(f"A list of {seen.total} syncs has {len(seen.syncs)} rows.", (operation,))
        elif seen.total <= MOST_ROWS:
            rows = Counter(sync.status for sync in seen.syncs if sync.has_ended)
            totals = {"COMPLETED": seen.completed, "FAILED": seen.failed, "CANCELLED": seen.cancelled}
            for status, total in totals.items():
                if rows[status] != total:
                    sentence = f"A list counts {total} syncs as {status}, and shows {rows[status]}."
                    yield Violation(sentence, (operation,))


def dashboards_go_forward(index: Index) -> Iterator[Violation]:
    """A dashboard lacks the newest sync, or the newest that has ended or completed, that was seen before it."""
    parts: dict[str, tuple[Callable[[Sync], bool], Callable[[Dashboard], int]]] = {
        "sync": (lambda _sync: True, lambda seen: max(index.position(seen.current), index.position(seen.last))),
        "ended sync": (lambda sync: sync.has_ended, lambda seen: index.position(seen.last)),
        "completed sync": (
            lambda sync: sync.status == "COMPLETED",
            lambda seen: index.position(seen.last_successful),
        ),
    }
    for organization, operations in index.of_organization().items():
        dashboards = [one for one in operations if isinstance(one.answer, Dashboard)]
        for name, (matches, newest_of) in parts.items():
            shown = {one: newest_of(one.answer) for one in dashboards if isinstance(one.answer, Dashboard)}
            orders = [
                *in_time(_newest(index, operations, matches), dashboards),
                *((later, earlier, shown[earlier]) for earlier, later in in_streams(dashboards, lambda one: one)),
            ]
            for later, earlier, newest in orders:
                if shown[later] < newest < UNKNOWN:
                    sentence = (
                        f"{session_of(later, earlier)} a dashboard of {organization} whose newest {name} is number "
                        f"{shown[later]}, after number {newest}."
                    )
                    yield Violation(sentence, (earlier, later))


def dashboards_agree(index: Index) -> Iterator[Violation]:
    """The parts of a dashboard contradict each other, or the counts of a completed sync change."""
    counts: dict[tuple[str, str], tuple[Mapping[str, Json], Operation]] = {}
    for operation in index.operations:
        seen = operation.answer
        if not isinstance(seen, Dashboard):
            continue
        status = seen.current.status if seen.current else "IDLE"
        if seen.status != status:
            yield Violation(f"A dashboard is {seen.status} while its sync is {status}.", (operation,))
        if seen.current is not None and seen.current.has_ended:
            yield Violation(f"The current sync of a dashboard is {seen.current.status}.", (operation,))
        if seen.last is not None and not seen.last.has_ended:
            yield Violation(f"The last sync of a dashboard is {seen.last.status}.", (operation,))
        if seen.last_successful is not None and seen.last_successful.status != "COMPLETED":
            yield Violation(f"The last successful sync is {seen.last_successful.status}.", (operation,))
        places = [index.position(one) for one in (seen.last_successful, seen.last)]
        current = index.position(seen.current) if seen.current is not None else places[1] + 1
        if UNKNOWN not in {*places, current} and not places[0] <= places[1] < current:
            sentence = f"The successful, last and current syncs of a dashboard have the numbers {[*places, current]}."
            yield Violation(sentence, (operation,))
        published = seen.last_successful.sync_id if seen.last_successful is not None else ""
        shown, first = counts.setdefault((seen.organization, published), (seen.counts, operation))
        if shown != seen.counts:
            sentence = f"The counts after {published or 'no sync'} are {dict(shown)} and {dict(seen.counts)}."
            yield Violation(sentence, (first, operation))


def _lists(operations: Iterable[Operation]) -> list[Operation]:
    return [one for one in operations if isinstance(one.answer, SyncList)]


def _newest(
    index: Index, operations: list[Operation], matches: Callable[[Sync], bool] = lambda _sync: True
) -> Iterator[tuple[Operation, int]]:
    """Each answer with syncs, and the number of the newest of those that match."""
    for operation in operations:
        numbers = [index.position(sync) for sync in operation.syncs() if matches(sync)]
        if numbers:
            yield operation, max(numbers)
