"""Promises about single syncs, and about the syncs of an organization: see ``checker.RULES``."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

from tests.engines.postgres.histories.index import UNKNOWN, Index, Seen, Violation, in_streams, in_time, session_of
from tests.engines.postgres.histories.records import (
    Cancelled,
    Dashboard,
    Opened,
    Operation,
    Started,
    Sync,
    SyncList,
    What,
)


def one_active(index: Index) -> Iterator[Violation]:
    """Two syncs of an organization are active at the same moment, as far as overlapping answers allow to know."""
    for operation in index.operations:
        active = {sync.sync_id for sync in operation.syncs() if not sync.has_ended}
        if len(active) > 1:
            yield Violation(f"An answer shows {len(active)} active syncs: {', '.join(sorted(active))}.", (operation,))
    spans: dict[str, list[_Span]] = defaultdict(list)
    for sync_id, seen in index.syncs.items():
        fresh = [one.operation for one in seen if not one.sync.has_ended and one.operation.is_fresh]
        if fresh:
            first = min((one.operation for one in seen), key=lambda one: one.returned_at)
            last = max(fresh, key=lambda one: one.invoked_at)
            spans[seen[0].sync.organization].append(_Span(sync_id, first, last, fresh))
    for known in spans.values():
        for one, other in combinations(known, 2):
            end = min(one.last.invoked_at, other.last.invoked_at)
            if max(one.first.returned_at, other.first.returned_at) < end:
                sentence = f"Both {one.sync_id} and {other.sync_id} are active at {end:.3f} s."
                yield Violation(sentence, (one.first, one.last, other.first, other.last))
                continue
            for whole, short in ((one, other), (other, one)):
                within = next((operation for operation in short.active if whole.includes(operation)), None)
                if within is not None:
                    sentence = f"{short.sync_id} is active while {whole.sync_id} is."
                    yield Violation(sentence, (whole.first, within, whole.last))


@dataclass(frozen=True, slots=True)
class _Span:
    """The time in which a sync is surely active.

    Attributes:
        first: The first answer that shows the sync: it began before this answer returned.
        last: The last request whose answer shows it running: it ended after this request was invoked.
        active: All fresh answers that show it running.
    """

    sync_id: str
    first: Operation
    last: Operation
    active: list[Operation]

    def includes(self, operation: Operation) -> bool:
        return self.first.returned_at <= operation.invoked_at and operation.returned_at <= self.last.invoked_at


def versions_go_forward(index: Index) -> Iterator[Violation]:
    """A later answer shows an older state, or a newer state shows a lower percentage."""
    for sync_id, seen in index.syncs.items():
        versioned = [one for one in seen if one.sync.version is not None]
        shown = {one.operation: one.sync for one in versioned}
        before = [(operation, sync.version or 0) for operation, sync in shown.items()]
        for later, earlier, version in in_time(before, shown):
            if (shown[later].version or 0) < version:
                yield _older(sync_id, later, shown[later], earlier, version)
        for previous, one in in_streams(versioned, lambda one: one.operation):
            if (one.sync.version or 0) < (previous.sync.version or 0):
                yield _older(sync_id, one.operation, one.sync, previous.operation, previous.sync.version or 0)
            elif one.sync.version == previous.sync.version and one.operation.what is What.FOLLOW:
                sentence = f"A stream of {sync_id} has version {one.sync.version} twice."
                yield Violation(sentence, (previous.operation, one.operation))
        yield from _sent_again(index, sync_id, versioned)
        percentages: dict[int, Seen] = {}
        for one in versioned:
            percentages.setdefault(one.sync.version or 0, one)
        ordered = [percentages[version] for version in sorted(percentages)]
        for previous, one in pairwise(ordered):
            if (one.sync.percentage or 0) < (previous.sync.percentage or 0):
                sentence = (
                    f"Version {one.sync.version} of {sync_id} has {one.sync.percentage} %, and version "
                    f"{previous.sync.version} has {previous.sync.percentage} %."
                )
                yield Violation(sentence, (previous.operation, one.operation))


def _sent_again(index: Index, sync_id: str, seen: list[Seen]) -> Iterator[Violation]:
    """A stream that was resumed after a version sends a state that is not newer, and not the last."""
    for one in seen:
        opening = index.streams[one.operation.stream][0] if one.operation.stream else None
        if opening is None or not isinstance(opening.answer, Opened) or one.sync.has_ended:
            continue
        if (one.sync.version or 0) <= opening.answer.after_version:
            sentence = (
                f"A stream of {sync_id} after version {opening.answer.after_version} has version {one.sync.version}."
            )
            yield Violation(sentence, (opening, one.operation))


def _older(sync_id: str, later: Operation, sync: Sync, earlier: Operation, version: int) -> Violation:
    sentence = (
        f"Version {sync.version} of {sync_id} after version {version}: {session_of(later, earlier)} an older state."
    )
    return Violation(sentence, (earlier, later))


def one_content(index: Index) -> Iterator[Violation]:
    """Two answers show the same version with different values, or a percentage that does not fit the status."""
    for sync_id, seen in index.syncs.items():
        known: dict[tuple[str, str], tuple[object, Operation]] = {}
        for one in seen:
            sync, state = one.sync, "the end" if one.sync.has_ended else f"version {one.sync.version}"
            if sync.percentage is not None and (sync.percentage == 100) is not (sync.status == "COMPLETED"):
                sentence = f"{sync_id} is {sync.status} at {sync.percentage} %."
                yield Violation(sentence, (one.operation,))
            if not sync.has_ended and sync.version is None:
                continue
            values = {"status": sync.status, "percentage": sync.percentage, **sync.figures}
            for name, value in values.items():
                if value is None and name == "percentage":
                    continue
                shown, operation = known.setdefault((state, name), (value, one.operation))
                if shown != value:
                    sentence = f"The {name} of {sync_id} at {state} is {shown!r} and {value!r}."
                    yield Violation(sentence, (operation, one.operation))


def ended_stays(index: Index) -> Iterator[Violation]:
    """A sync changes after its end, ends in two ways, or is shown as running by a later answer."""
    for sync_id, seen in index.syncs.items():
        ended = [one for one in seen if one.sync.has_ended]
        if not ended:
            continue
        first = next((one for one in ended if one.sync.version is not None), ended[0])
        for one in ended:
            has_changed = one.sync.version not in {None, first.sync.version}
            if one.sync.status != first.sync.status or has_changed:
                sentence = (
                    f"{sync_id} ends as {first.sync.status} at version {first.sync.version}, and as {one.sync.status} "
                    f"at version {one.sync.version}."
                )
                yield Violation(sentence, (first.operation, one.operation))
        for one in seen:
            if not one.sync.has_ended and (one.sync.version or 0) > (first.sync.version or UNKNOWN):
                sentence = f"{sync_id} runs at version {one.sync.version}, and ended at version {first.sync.version}."
                yield Violation(sentence, (first.operation, one.operation))
        running = dict.fromkeys(one.operation for one in seen if not one.sync.has_ended)
        for later, earlier, _ in in_time(((one.operation, 1) for one in ended), running):
            sentence = f"{sync_id} has ended, and {session_of(later, earlier)} it running."
            yield Violation(sentence, (earlier, later))
        for previous, one in in_streams(seen, lambda one: one.operation):
            if previous.sync.has_ended and not one.sync.has_ended:
                sentence = f"{sync_id} has ended, and a later event of the stream shows it running."
                yield Violation(sentence, (previous.operation, one.operation))


def starts(index: Index) -> Iterator[Violation]:
    """Two starts create the same sync, a sync is seen before its start, or a sync has no start."""
    created: dict[str, Operation] = {}
    unknown: dict[str, list[Operation]] = defaultdict(list)
    for operation in index.operations:
        if isinstance(operation.answer, Started) and operation.answer.created:
            sync_id = operation.answer.sync.sync_id
            if sync_id in created:
                yield Violation(f"Two starts have created {sync_id}.", (created[sync_id], operation))
            created.setdefault(sync_id, operation)
        elif operation.what is What.START and operation.answer is None:
            unknown[operation.organization].append(operation)
    for sync_id, seen in index.syncs.items():
        first = min((one.operation for one in seen), key=lambda one: one.returned_at)
        start = created.get(sync_id)
        if start is not None and first.returned_at <= start.invoked_at:
            yield Violation(f"{sync_id} is seen before the start that creates it.", (first, start))
        if start is None:
            candidates = unknown[seen[0].sync.organization]
            cause = next((one for one in candidates if one.invoked_at < first.returned_at), None)
            if cause is None:
                yield Violation(f"No client has started {sync_id}.", (first,))
            else:
                candidates.remove(cause)


def cancels(index: Index) -> Iterator[Violation]:
    """An accepted cancel leads to another end, is accepted twice, or a sync is CANCELLED without a cancel."""
    asked: dict[str, list[Operation]] = defaultdict(list)
    for operation in index.operations:
        if operation.what is What.CANCEL:
            asked[operation.sync_id].append(operation)
    for sync_id, operations in asked.items():
        answers = [(one, one.answer) for one in operations if isinstance(one.answer, Cancelled)]
        accepted = [one for one, answer in answers if answer.accepted]
        for operation, answer in answers:
            if not answer.sync.has_ended or (answer.accepted and answer.sync.status != "CANCELLED"):
                sentence = f"A cancel of {sync_id} is answered with {answer.sync.status}."
                yield Violation(sentence, (operation,))
        if len(accepted) > 1:
            yield Violation(f"{sync_id} was cancelled twice.", tuple(accepted[:2]))
        for one in index.syncs.get(sync_id, ()) if accepted else ():
            if one.sync.has_ended and one.sync.status != "CANCELLED":
                sentence = f"A cancel of {sync_id} was accepted, and the sync ends as {one.sync.status}."
                yield Violation(sentence, (accepted[0], one.operation))
                break
    for sync_id, seen in index.syncs.items():
        ends = [one.operation for one in seen if one.sync.status == "CANCELLED"]
        if ends:
            first = min(ends, key=lambda one: one.returned_at)
            causes = [one for one in asked[sync_id] if one.invoked_at < first.returned_at]
            if not any(one.answer is None or getattr(one.answer, "accepted", False) for one in causes):
                yield Violation(f"{sync_id} is CANCELLED, and no client has cancelled it.", (first,))


def nothing_of_others(index: Index) -> Iterator[Violation]:
    """An answer shows another organization or another sync than was asked for."""
    owners: dict[str, Operation] = {}
    for operation in index.operations:
        asked = operation.organization
        if isinstance(operation.answer, Dashboard | SyncList) and operation.answer.organization != asked:
            yield Violation(
                f"{operation.client} asked for {asked}, and gets {operation.answer.organization}.", (operation,)
            )
        for sync in operation.syncs():
            owner = owners.setdefault(sync.sync_id, operation)
            if sync.organization != asked or owner.organization != asked:
                sentence = f"{operation.client} asked for {asked}, and gets {sync.sync_id} of {sync.organization}."
                yield Violation(sentence, (owner, operation) if owner is not operation else (operation,))
            elif operation.sync_id and sync.sync_id != operation.sync_id:
                sentence = f"{operation.client} asked for {operation.sync_id}, and gets {sync.sync_id}."
                yield Violation(sentence, (operation,))
        for line in operation.lines():
            if line.sync_id != operation.sync_id:
                sentence = (
                    f"{operation.client} asked for the log of {operation.sync_id}, and gets that of {line.sync_id}."
                )
                yield Violation(sentence, (operation,))
