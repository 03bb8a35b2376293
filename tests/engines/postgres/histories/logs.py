"""Promises about logs and about the streams of a sync: see ``checker.RULES``."""

from collections import defaultdict
from collections.abc import Iterator

from tests.engines.postgres.histories.index import Index, Violation, in_time, session_of
from tests.engines.postgres.histories.records import MOST_ROWS, Ended, Line, Lines, Opened, Operation, Sync, What


def lines(index: Index) -> Iterator[Violation]:
    """A line is missing, comes twice, or has two texts; or a response lacks a line that was seen before."""
    newest: dict[str, int] = defaultdict(int)
    known: dict[tuple[str, int], tuple[Line, Operation]] = {}
    seen: dict[str, list[tuple[Operation, int]]] = defaultdict(list)
    for operation in index.operations:
        for line in operation.lines():
            first, shown = known.setdefault((line.sync_id, line.seq), (line, operation))
            if first != line:
                yield Violation(f"Line {line.seq} of {line.sync_id} has two texts.", (shown, operation))
            newest[line.sync_id] = max(newest[line.sync_id], line.seq)
            seen[line.sync_id].append((operation, line.seq))
    for stream in index.streams.values():
        if stream[0].what in {What.FOLLOW, What.FOLLOW_LOG}:
            ends = {one.sync.version for one in index.syncs.get(stream[0].sync_id, ()) if one.sync.has_ended}
            yield from _stream(stream, newest[stream[0].sync_id], ends)
    for sync_id, earlier in seen.items():
        responses = {
            one: one.answer for one in index.operations if one.sync_id == sync_id and isinstance(one.answer, Lines)
        }
        for later, before, seq in in_time(earlier, responses):
            answer = responses[later]
            last = answer.after + len(answer.lines)
            if last < min(seq, answer.after + MOST_ROWS):
                sentence = f"{session_of(later, before)} the log of {sync_id} to line {last}, after line {seq}."
                yield Violation(sentence, (before, later))
        for operation, answer in responses.items():
            expected = list(range(answer.after + 1, answer.after + 1 + len(answer.lines)))
            if [line.seq for line in answer.lines] != expected:
                shown_seqs = [line.seq for line in answer.lines]
                yield Violation(f"The log of {sync_id} after line {answer.after} is {shown_seqs}.", (operation,))


def open_streams_stay(index: Index) -> Iterator[Violation]:
    """A stream that has sent an event ends because the database is away."""
    for opening, *events in index.streams.values():
        before: Operation | None = None
        for operation in events:
            if operation.error == "DATABASE_AWAY" and before is not None:
                sentence = f"{opening.client} receives an error on an open stream while the database is away."
                yield Violation(sentence, (before, operation))
            before = operation


def _stream(stream: list[Operation], newest: int, ends: set[int | None]) -> Iterator[Violation]:
    """The events of a stream, from its opening: ``newest`` is the last line of the log, ``ends`` the last version."""
    opening = stream[0]
    assert isinstance(opening.answer, Opened)
    before, seq = opening, opening.answer.after_seq
    has_ended = opening.answer.after_version in ends  # a client that has seen the end gets nothing more
    last: Operation | None = None
    for operation in stream[1:]:
        if last is not None and isinstance(operation.answer, Line | Sync):
            yield Violation(f"A stream of {opening.sync_id} continues after its end.", (last, operation))
        match operation.answer:
            case Line() as line:
                if line.seq != seq + 1:
                    sentence = f"{operation.client} gets line {line.seq} of {line.sync_id} after line {seq}."
                    yield Violation(sentence, (before, operation))
                before, seq = operation, line.seq
            case Sync() as sync:
                has_ended = sync.has_ended
                last = operation if has_ended else None
            case Ended():
                if opening.what is What.FOLLOW and not has_ended:
                    yield Violation(f"A stream of {opening.sync_id} ends before the sync.", (opening, operation))
                if opening.answer.shows_lines and seq != newest:
                    sentence = f"A log of {opening.sync_id} ends at line {seq} of {newest}."
                    yield Violation(sentence, (before, operation))
