"""The choices of a seed before a simulation begins: the clinics, the syncs, and the events during each.

A scenario is plain data, and the same for a seed on every machine. The order of callbacks and the latencies are drawn
while it is played, from generators of the same seed.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from random import Random

from routiq_gql.emulator import Fault, FaultKind
from routiq_gql.sync.model import SyncMode
from tests.simulation.life import Life, draw_life, is_life
from tests.sync.histories.steps import FAULTS, KINDS, LISTS, PASSES, STARTS, Edit, Kind, Size, Tuning

BUSY_KINDS = (
    *KINDS,
    *(pair for pair in KINDS if pair[1] not in {"appointment_types", "practitioners"}),
    *(4 * ((Kind.OPEN_CLASS, "group_appointments"), (Kind.MERGE, "patients"), (Kind.REMOVE, "patients"))),
)
MORE_FAULTS = {
    "slow": Fault(FaultKind.SLOW, seconds=3, times=2),
    "very slow": Fault(FaultKind.SLOW, seconds=7.5, request_number=2),
    "hangs": Fault(FaultKind.HANG),
    "dropped before": Fault(FaultKind.DROP_BEFORE, times=2),
    "502": Fault(FaultKind.STATUS_502_HTML, times=2),
    "503": Fault(FaultKind.STATUS_503, request_number=2),
    "429 for long": Fault(FaultKind.RATE_LIMIT, seconds=9, times=3),
    "429 with another clock": Fault(FaultKind.RATE_LIMIT, seconds=3, clock_skew_seconds=-400),
    "page for people": Fault(FaultKind.HTML_200),
    "wrong shape": Fault(FaultKind.WRONG_SHAPE_JSON),
    "row without id": Fault(FaultKind.WRONG_SHAPE_ROW, only_above_per_page=1),
    "wrong total": Fault(FaultKind.WRONG_TOTAL, only_above_per_page=1),
    "wrong totals": Fault(FaultKind.WRONG_TOTAL, times=None, rows=2),
    "wrong date": Fault(FaultKind.WRONG_DATE, times=None, clock_skew_seconds=1200),
    "no date": Fault(FaultKind.NO_DATE, times=None),
    "denied once": Fault(FaultKind.STATUS_403),
    "foreign link": Fault(FaultKind.FOREIGN_LINK, times=None),
}
ALL_FAULTS = {**FAULTS, **MORE_FAULTS}


class Trouble(StrEnum):
    """What happens while a sync runs."""

    EDIT = "edit"
    KILL = "kill"
    """The process dies, and another starts."""
    STOP = "stop"
    """The process is stopped properly, and another starts."""
    FREEZE = "freeze"
    """The process runs nothing for a while."""
    OVERTAKE = "overtake"
    """The process runs nothing for a while and loses its lock; another process runs its syncs meanwhile."""
    CANCEL = "cancel"
    START = "start"
    """Somebody starts a sync that runs already, or has just ended."""
    JUMP = "jump"
    """The wall clock of the machine jumps."""
    CUT = "cut"
    """No connection to Cliniko can be made for a while."""
    PAUSE = "pause"
    """The engine lets all its syncs go, and claims them again later."""
    FULL = "full"
    """The disk has no space for a while."""
    SECOND = "second"
    """Another process starts beside the first, for clients only."""


class Event(StrEnum):
    """The events that are counted, to place a happening in a sync."""

    STEP = "step"
    REQUEST = "request"
    COMMIT = "commit"
    LATE = "late"
    """A commit of the analysis or of a later step."""
    WAIT = "wait"
    """A commit that shows a wait for Cliniko."""
    LOOK = "look"
    """A request of a look at Cliniko."""
    FOUND = "found"
    """The commit by which a look starts a sync."""


DRAWN = (Event.STEP, Event.REQUEST, Event.COMMIT, Event.LATE)
"""The events of happenings that are drawn one by one."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens during a sync.

    Attributes:
        event: Happens at the ``number``-th event of this kind after the start, and some steps later.
        seconds: How long it lasts, or how far the clock jumps.
    """

    trouble: Trouble
    event: Event
    number: int
    steps_later: int
    seconds: float
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Watching:
    """A client that watches a sync.

    Attributes:
        kind: ``watch``, ``follow``, ``log`` or ``dashboard``.
        lag: Virtual seconds it takes for each item.
        leaves_after: It disconnects after so many items, and resumes; 0 for never.
    """

    kind: str
    lag: float
    leaves_after: int


@dataclass(frozen=True, slots=True)
class Round:
    """Changes, time that passes, and a sync with what happens meanwhile."""

    organization: int
    edits: tuple[Edit, ...]
    passes: timedelta
    mode: SyncMode
    happenings: tuple[Happening, ...]
    faults: tuple[tuple[str, str], ...]
    watchings: tuple[Watching, ...]
    has_company: bool
    """Whether the other organization syncs at the same time."""
    waits: float = 0.0
    """Seconds before the sync, in which time alone may change lists."""
    kills_after: int = 0
    """Steps after the beginning of a time-only sync at which its process dies; 0 for never."""
    slow_steps: int = 0
    """Steps before the beginning of a time-only sync in which a client starts another; 0 for none."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """The clinics of two organizations, the sizes of pages, and the rounds.

    Attributes:
        clocks: Minutes by which Cliniko's clock is ahead, and by which its ``Date`` is ahead of that.
        latency: Typical virtual seconds of a request.
        disk_seconds: Virtual seconds of a slow statement, and ``disk_share`` how many statements are slow.
        look_seconds: The pause of an engine that no other part of its process wakes.
        instant_share: How many of the other statements are over before anything else can happen.
    """

    seed: int
    sizes: tuple[Size, Size]
    tuning: Tuning
    rounds: tuple[Round, ...]
    clocks: tuple[int, int]
    latency: float
    disk_seconds: float
    disk_share: float
    instant_share: float
    look_seconds: float
    pace: int
    life: Life | None = None
    """In the place of rounds."""


def draw(seed: int) -> Scenario:
    """The scenario of a seed."""
    chance = Random(f"scenario {seed}")
    tuning = Tuning(
        per_page=chance.choice((100, 7, 12, 20)),
        leaf_rows=chance.choice((100, 4, 10)),
        rows_per_step=chance.choice((500, 500, 10)),
        ids_per_request=chance.choice((200, 200, 5)),
        class_requests=chance.choice((3, 1)),
    )
    scenario = Scenario(
        seed=seed,
        sizes=(_size(chance, 24), _size(chance, 10)),
        tuning=tuning,
        rounds=tuple(
            _with_more(_round(chance, number), Random(f"more {seed} {number}"))
            for number in range(chance.choice((1, 1, 2, 2, 2, 3)))
        ),
        clocks=chance.choice(((0, 0), (0, 0), (0, 0), (-15, 0), (15, 0), (0, 15), (0, -15))),
        latency=chance.choice((0.0, 0.01, 0.05, 0.3)),
        disk_seconds=chance.choice((0.0, 0.002, 0.05, 1.0)),
        disk_share=chance.choice((0.02, 0.1)),
        instant_share=chance.choice((0.0, 0.7, 0.9, 0.9)),
        look_seconds=chance.choice((1.0, 4.0, 4.0)),
        pace=chance.choice((0, 0, 0, 180)),
    )
    return _as_life(scenario) if is_life(seed) else scenario


def _as_life(scenario: Scenario) -> Scenario:
    """The same clinics in a life instead of rounds."""
    chance = Random(f"living {scenario.seed}")
    pace = chance.choice((0, 60, 180, 180, 180))
    return replace(
        scenario,
        rounds=(),
        clocks=chance.choice(((0, 0), (0, 0), (0, 0), (-15, 0), (0, 15))),
        look_seconds=chance.choice((2.0, 4.0, 4.0)),
        pace=pace,
        life=draw_life(scenario.seed, pace, _edits),
    )


def _size(chance: Random, most: int) -> Size:
    number = chance.randint
    return Size(number(0, most), number(0, 3 * most // 2), number(0, most // 4), number(0, most), number(0, 999))


def _round(chance: Random, number: int) -> Round:
    happenings = tuple(_happening(chance) for _ in range(chance.choice((0, 1, 1, 2, 3))))
    faults = tuple(
        (chance.choice(sorted(ALL_FAULTS)), chance.choice(LISTS)) for _ in range(chance.choice((0, 0, 0, 1, 2)))
    )
    return Round(
        organization=chance.choice((0, 0, 0, 1)) if number == 0 else 0,
        edits=_edits(chance, 8),
        passes=chance.choice(PASSES) if number else timedelta(),
        mode=chance.choice((SyncMode.AUTO, SyncMode.INCREMENTAL, SyncMode.INCREMENTAL, SyncMode.FULL)),
        happenings=happenings,
        faults=faults,
        watchings=tuple(_watching(chance) for _ in range(chance.choice((0, 1, 1, 2)))),
        has_company=chance.random() < 0.15,
    )


def _with_more(one: Round, chance: Random) -> Round:
    """The round with a stop during a wait, or with a time-only sync before it."""
    if chance.random() < 0.1:
        trouble = chance.choice((Trouble.STOP, Trouble.STOP, Trouble.KILL, Trouble.CANCEL))
        stop = Happening(trouble, Event.WAIT, 1, chance.choice((0, 2, 15)), chance.choice((0.0, 1.0, 6.0)))
        fault = (chance.choice(("429 for long", "500 once", "503", "dropped before")), chance.choice(LISTS[:4]))
        one = replace(one, happenings=(*one.happenings, stop), faults=(*one.faults, fault))
    if one.passes >= timedelta(hours=1) and chance.random() < 0.6:
        one = replace(one, waits=chance.choice((5.0, 70.0)), kills_after=chance.choice((0, 5, 20, 40, 60)))
        one = replace(one, slow_steps=chance.choice((0, 0, 10, 40, 160)))
    return one


def _happening(chance: Random) -> Happening:
    trouble = chance.choice(
        (*Trouble, Trouble.EDIT, Trouble.EDIT, Trouble.EDIT, Trouble.KILL, Trouble.KILL, Trouble.CANCEL)
    )
    event = chance.choice(DRAWN)
    most = {Event.STEP: 1000, Event.REQUEST: 20, Event.COMMIT: 24, Event.LATE: 6}[event]
    seconds = chance.choice((0.0, 0.2, 1.0, 6.0))
    if trouble is Trouble.JUMP:
        seconds = chance.choice((-3600.0, -700.0, -5.0, 5.0, 700.0, 3600.0))
    edits = _edits(chance, 3) if trouble is Trouble.EDIT else ()
    return Happening(trouble, event, chance.randint(1, most), chance.choice((0, 1, 2, 5, 15, 40)), seconds, edits)


def _edits(chance: Random, most: int) -> tuple[Edit, ...]:
    return tuple(
        Edit(*chance.choice(BUSY_KINDS), chance.randrange(60), chance.randrange(60), chance.randrange(len(STARTS)),
             chance.random() < 0.5)
        for _ in range(chance.randrange(most + 1))
    )  # fmt: skip


def _watching(chance: Random) -> Watching:
    kind = chance.choice(("watch", "watch", "follow", "follow", "follow", "log", "dashboard"))
    return Watching(
        kind,
        chance.choice((0.5, 2.0) if kind == "dashboard" else (0.0, 0.0, 0.1, 2.0)),
        chance.choice((0, 0, 1, 3, 10)),
    )
