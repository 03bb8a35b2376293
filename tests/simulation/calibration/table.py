"""Measures how well the estimates of played syncs were, and prints it.

A *moment* is a point of a sync's duration: 10 %, 15 %, … 95 %. What counts there is the snapshot that clients had last.
So each sync weighs the same however long it takes, and a sync that waits is judged while it waits. Progress is the
share of the duration that has elapsed; the shown percentage, which follows the steps, has a separate line.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil, inf
from statistics import mean, median

from routiq_gql.sync.model import FailureCode, SyncSnapshot
from tests.simulation.calibration.play import PlayedSync, Published

SHARES = tuple(percent / 100 for percent in range(10, 100, 5))
LEAST_COVERAGE, MOST_COVERAGE = 0.75, 0.85
MOST_ERROR_AT_A_QUARTER = 0.15
KINDS = ("first", "full", "incremental")
TOLERANCE = timedelta(seconds=1)
"""Snapshots are published once a second, so an estimate may be overdue for so long."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What clients were shown at a moment of a sync.

    Attributes:
        share: Elapsed part of the sync's duration.
    """

    sync: PlayedSync
    share: float
    now: datetime
    shown: SyncSnapshot

    @property
    def end(self) -> datetime:
        return self.sync.published[-1].at

    @property
    def remaining(self) -> float:
        return (self.end - self.now).total_seconds()

    @property
    def duration(self) -> float:
        return duration_of(self.sync)

    @property
    def is_estimated(self) -> bool:
        return self.shown.estimated_completion_range is not None

    @property
    def side(self) -> int:
        """-1 if the sync ends before the range, 1 if it ends behind it, and 0 if the range holds the end."""
        within = self.shown.estimated_completion_range
        assert within is not None
        return -1 if self.end < within.earliest else 1 if self.end > within.latest else 0

    @property
    def error(self) -> float:
        """Seconds between the estimate and the end; infinite without an estimate."""
        estimated = self.shown.estimated_completion
        return inf if estimated is None else abs((estimated - self.end).total_seconds())

    @property
    def is_ordered(self) -> bool:
        """Whether the estimate lies within its range."""
        estimated, within = self.shown.estimated_completion, self.shown.estimated_completion_range
        assert estimated is not None
        assert within is not None
        return within.earliest <= estimated <= within.latest

    @property
    def is_overdue(self) -> bool:
        """Whether the estimate lies in the past."""
        estimated = self.shown.estimated_completion
        return estimated is not None and estimated < self.now - TOLERANCE

    @property
    def has_passed(self) -> bool:
        """Whether the whole range lies in the past."""
        within = self.shown.estimated_completion_range
        return within is not None and within.latest < self.now - TOLERANCE

    @property
    def width(self) -> float:
        """The seconds of the range."""
        within = self.shown.estimated_completion_range
        assert within is not None
        return (within.latest - within.earliest).total_seconds()


@dataclass(frozen=True, slots=True)
class Calibration:
    """The figures that are required.

    Attributes:
        coverage: The part of all moments whose range holds the end.
        error: The median error at a quarter of the duration, as a part of the duration.
        crashed: Syncs that failed by a fault of the product.
    """

    syncs: int
    coverage: float
    error: float
    crashed: int = 0

    @property
    def misses(self) -> list[str]:
        """The requirements that do not hold."""
        found = []
        if self.crashed:
            found.append(f"{self.crashed} syncs failed by a fault of Routiq")
        if not LEAST_COVERAGE <= self.coverage <= MOST_COVERAGE:
            found.append(
                f"The range holds the end at {self.coverage:.1%} of all moments, "
                f"and should at {LEAST_COVERAGE:.0%} to {MOST_COVERAGE:.0%}"
            )
        if not self.error <= MOST_ERROR_AT_A_QUARTER:
            found.append(
                f"The median error at 25 % is {self.error:.1%} of the duration, "
                f"and should be at most {MOST_ERROR_AT_A_QUARTER:.0%}"
            )
        return found


def duration_of(sync: PlayedSync) -> float:
    """Seconds from the start to the end."""
    return (sync.published[-1].at - sync.end.started_at).total_seconds()


def moment_at(sync: PlayedSync, share: float) -> Moment:
    """The moment at which so much of the sync's duration has elapsed."""
    now = sync.end.started_at + timedelta(seconds=share * duration_of(sync))
    shown = [one for one in sync.published if one.at <= now]
    return Moment(sync, share, now, (shown or sync.published)[-1 if shown else 0].snapshot)


def moments_of(sync: PlayedSync) -> list[Moment]:
    """The moments of a sync at which its range is judged, as far as there is one."""
    return [one for one in (moment_at(sync, share) for share in SHARES) if one.is_estimated]


def calibration_of(played: Sequence[PlayedSync]) -> Calibration:
    """The required figures of these syncs."""
    syncs = [one for one in played if one.has_completed]
    failures = [one.end.failure for one in played]
    crashed = sum(one is not None and one.code is FailureCode.INTERNAL for one in failures)
    if not syncs:
        return Calibration(0, 0.0, inf, crashed)
    moments = [one for sync in syncs for one in moments_of(sync)]
    errors = [one.error / one.duration for one in (moment_at(sync, 0.25) for sync in syncs)]
    return Calibration(len(syncs), _coverage(moments), median(errors), crashed)


def table_of(played: Sequence[PlayedSync]) -> list[str]:
    """The lines of the report."""
    syncs = [one for one in played if one.has_completed]
    if not syncs:
        return [f"None of {len(played)} syncs has completed"]
    seconds = sorted(map(duration_of, syncs))
    clinics, failed = len({one.seed for one in syncs}), len(played) - len(syncs)
    lengths = " / ".join(f"{_at(seconds, share):.0f}" for share in (0.1, 0.5, 0.9))
    requests = sum(one.requests for one in syncs)
    lines = [
        f"{len(syncs)} syncs of {clinics} clinics, {failed} more failed; {requests:,} requests",
        f"10 / 50 / 90 % of the syncs take up to {lengths} s",
        "",
        f"{'range holds the end':34} {'moments':>8} {'holds':>7} {'earlier':>8} {'later':>7} {'width':>7}",
    ]
    moments = [one for sync in syncs for one in moments_of(sync)]
    lines.append(_covered("all moments from 10 % on", moments))
    for kind in KINDS:
        lines.append(_covered(f"  {kind} syncs", [one for one in moments if one.sync.kind == kind]))
    for low, high in ((0.1, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)):
        lines.append(_covered(f"  {low:.0%} to {high:.0%}", [one for one in moments if low <= one.share < high]))
    for name, holds in _WEATHERS:
        lines.append(_covered(f"  {name}", [one for one in moments if holds(one.sync)]))
    published = [one for sync in syncs for one in published_of(sync)]
    lines.append(_covered("published snapshots from 10 % on", [one for one in published if one.share >= 0.1]))
    by_percentage = [one for one in published if one.shown.progress_percentage >= 10]
    lines.append(_covered("  from a shown percentage of 10 on", by_percentage))
    lines += ["", f"{'error, median (90 %)':34} {'of the duration':>20} {'of what remains':>20} {'no estimate':>12}"]
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        lines.append(_errors(f"after {share:.0%}", [moment_at(sync, share) for sync in syncs]))
    for kind in KINDS:
        of_kind = [moment_at(sync, 0.25) for sync in syncs if sync.kind == kind]
        lines.append(_errors(f"  after 25 %, {kind} syncs", of_kind))
    first = [_first_from(sync, 25) for sync in syncs]
    lines.append(_errors("first estimate from shown 25 % on", [one for one in first if one is not None]))
    lines += ["", *_behaviour(syncs, published), *_next_syncs(syncs)]
    return lines


_WEATHERS: tuple[tuple[str, Callable[[PlayedSync], bool]], ...] = (
    ("syncs without an announced wait", lambda sync: not _has_waited(sync)),
    ("syncs with announced waits", lambda sync: _has_waited(sync)),
    ("syncs of at most 10 s", lambda sync: duration_of(sync) <= 10),
    ("syncs of more than a minute", lambda sync: duration_of(sync) > 60),
    ("syncs whose process was killed", lambda sync: sync.was_killed),
)


def _has_waited(sync: PlayedSync) -> bool:
    return any(one.snapshot.waiting_for is not None for one in sync.published)


def _as_moment(sync: PlayedSync, one: Published) -> Moment:
    share = (one.at - sync.end.started_at).total_seconds() / duration_of(sync)
    return Moment(sync, share, one.at, one.snapshot)


def _first_from(sync: PlayedSync, percentage: int) -> Moment | None:
    return next((one for one in published_of(sync) if one.shown.progress_percentage >= percentage), None)


def _covered(name: str, moments: Sequence[Moment]) -> str:
    if not moments:
        return f"{name:34} {0:8}"
    earlier, later = (sum(one.side == side for one in moments) / len(moments) for side in (-1, 1))
    widths = [one.width / one.remaining for one in moments if one.remaining > 0]
    return (
        f"{name:34} {len(moments):8} {_coverage(moments):7.1%} {earlier:8.1%} {later:7.1%} "
        f"{median(widths) if widths else 0:7.0%}"
    )


def _coverage(moments: Sequence[Moment]) -> float:
    return mean(one.side == 0 for one in moments) if moments else 0.0


def _errors(name: str, moments: Sequence[Moment]) -> str:
    if not moments:
        return name
    of_all = sorted(one.error / one.duration for one in moments)
    of_rest = sorted(one.error / one.remaining if one.remaining > 0 else inf for one in moments)
    missing = mean(not one.is_estimated for one in moments)
    columns = (f"{_at(some, 0.5):.1%} ({_at(some, 0.9):.0%})" for some in (of_all, of_rest))
    return f"{name:34} {' '.join(f'{one:>20}' for one in columns)} {missing:12.1%}"


def published_of(sync: PlayedSync) -> list[Moment]:
    """The estimates of a sync at the times of their publication."""
    return [one for one in (_as_moment(sync, one) for one in sync.published[:-1]) if one.is_estimated]


def _behaviour(syncs: Sequence[PlayedSync], published: Sequence[Moment]) -> list[str]:
    """How the estimates behave while a sync runs."""
    number = len(published)
    outside = sum(not one.is_ordered for one in published)
    overdue = sum(one.is_overdue for one in published) / number
    passed = sum(one.has_passed for one in published) / number
    moves = sorted(_moves(sync) for sync in syncs)
    return [
        f"{number:,} published estimates, of which {outside} lie outside of their range",
        f"{overdue:.1%} are more than a second in the past, {passed:.1%} with the whole range",
        f"an estimate moves by {_at(moves, 0.5):.0%} of the duration while a sync runs (90 %: {_at(moves, 0.9):.0%})",
    ]


def _moves(sync: PlayedSync) -> float:
    times = [one.snapshot.estimated_completion for one in sync.published if one.snapshot.estimated_completion]
    return sum(abs((later - earlier).total_seconds()) for earlier, later in pairwise(times)) / duration_of(sync)


def _next_syncs(syncs: Sequence[PlayedSync]) -> list[str]:
    """How the cost that was forecast before a start compares with the sync."""
    lines = ["", f"{'forecast before the start':34} {'syncs':>8} {'requests':>20} {'seconds':>20}"]
    for kind in KINDS[1:]:
        some = [one for one in syncs if one.kind == kind and one.forecast and one.forecast.mode.value == kind]
        if not some:
            continue
        requests = sorted(abs(one.forecast.requests - one.requests) / one.requests for one in some if one.forecast)
        seconds = sorted(
            abs(one.forecast.seconds - duration_of(one)) / duration_of(one) for one in some if one.forecast
        )
        columns = (f"{_at(few, 0.5):.1%} ({_at(few, 0.9):.0%})" for few in (requests, seconds))
        lines.append(f"  {kind} syncs{'':22} {len(some):8} {' '.join(f'{one:>20}' for one in columns)}"[:120])
    return lines


def _at(ordered: Sequence[float], share: float) -> float:
    """The value below which this share lies."""
    return ordered[max(ceil(share * len(ordered)) - 1, 0)] if ordered else 0.0
