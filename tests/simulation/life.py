"""The choices of a seed whose clinics are kept live: looks at Cliniko, and what happens between and during them.

Every ``EVERY``-th seed is such a life. It lasts minutes of virtual time, in which people edit the clinic, clients come
and go, and processes and Cliniko fail. Data only, like ``scenario``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from routiq_gql.sync.model import SyncMode
from tests.sync.histories.steps import Edit, Kind

EVERY = 8
"""One seed of so many is a life."""
LOOK_FAULTS = (
    "500 once", "429 once", "429 for long", "cut", "dropped", "slow", "very slow", "hangs", "502", "wrong shape",
    "page for people", "no date", "wrong date", "no filter by change",
)  # fmt: skip
"""Names of faults, of which a life adds some for a while."""
LOOKED_AT = ("patients", "individual_appointments", "group_appointments", "attendees")


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happens in a life.

    Attributes:
        after: Virtual seconds since the moment before.
        what: The name of a ``Trouble``, or ``fault``.
        at_request: Happens at this request of a look from then on; 0 for at once.
        at_sync: Happens when a look has started a sync instead.
        steps_later: Steps after that.
        seconds: How long it lasts, or how far the clock jumps.
        fault: For a fault: its name and its list.
    """

    after: float
    organization: int
    what: str
    at_request: int
    steps_later: int
    seconds: float
    edits: tuple[Edit, ...] = ()
    fault: tuple[str, str] = ("", "")
    mode: SyncMode = SyncMode.AUTO
    at_sync: bool = False


@dataclass(frozen=True, slots=True)
class Life:
    """A life of the clinics.

    Attributes:
        is_everywhere: Whether all organizations are kept live, and share their key; or the first only.
        interval: Seconds between looks.
        compare_seconds: Seconds between comparisons.
        clients: Virtual seconds at which a client comes to the first organization, and for how long it stays.
    """

    is_everywhere: bool
    interval: int
    compare_seconds: float
    moments: tuple[Moment, ...]
    clients: tuple[tuple[float, float], ...]


def is_life(seed: int) -> bool:
    """Whether the seed is a life."""
    return seed % EVERY == 0


def draw_life(seed: int, pace: int, edits: Callable[[Random, int], tuple[Edit, ...]]) -> Life:
    """The life of a seed.

    Args:
        pace: Requests a minute of a key; 0 for any number.
        edits: Draws at most so many edits.
    """
    chance = Random(f"life {seed}")
    is_calm = chance.random() < 0.25
    intervals = {0: (5, 15), 180: (14, 15, 30), 60: (40, 60)}[pace]
    return Life(
        is_everywhere=chance.random() < 0.5,
        interval=chance.choice(intervals),
        compare_seconds=chance.choice((90.0, 150.0, 200.0)),
        moments=(
            *(() if is_calm else _at_a_sync(Random(f"at a sync {seed}"))),
            *(_moment(chance, edits, is_calm=is_calm) for _ in range(chance.randint(3, 8))),
        ),
        clients=tuple(_client(chance, number) for number in range(chance.choice((0, 1, 1, 2)))),
    )


def _client(chance: Random, number: int) -> tuple[float, float]:
    return chance.choice((0.0, 20.0, 90.0)) + 60 * number, chance.choice((10.0, 60.0, 400.0, 400.0))


def _at_a_sync(chance: Random) -> tuple[Moment, ...]:
    """Usually an edit, and what happens right after a look has started the sync that reads it."""
    what = chance.choice(("kill", "start", "start", ""))
    edit = Edit(Kind.INSERT, "patients", 0, 0, 0, touch=True)
    return (
        Moment(chance.choice((0.0, 12.0)), 0, "edit", 0, 0, 0.0, (edit,)),
        Moment(0.0, 0, what, 1, chance.choice((0, 1, 5, 15, 60)), chance.choice((0.2, 1.0, 6.0)), at_sync=True),
    ) if what else ()  # fmt: skip


_TROUBLES = (
    "edit", "edit", "edit", "edit", "edit", "edit", "start", "start", "kill", "kill", "stop", "freeze", "overtake",
    "fault", "fault", "fault", "cut", "pause", "jump", "full", "second",
)  # fmt: skip


def _moment(chance: Random, edits: Callable[[Random, int], tuple[Edit, ...]], *, is_calm: bool) -> Moment:
    what = "edit" if is_calm else chance.choice(_TROUBLES)
    seconds = chance.choice((0.2, 1.0, 6.0, 20.0))
    if what == "jump":
        seconds = chance.choice((-5.0, 5.0, 700.0))
    if what == "full":
        seconds = chance.choice((0.2, 1.0))
    return Moment(
        after=chance.choice((0.0, 1.0, 5.0, 12.0, 12.5, 20.0, 40.0)),
        organization=chance.choice((0, 0, 0, 1)),
        what=what,
        at_request=chance.choice((0, 0, 1, 2, 3, 4, 5)),
        steps_later=chance.choice((0, 1, 5, 15, 30, 60)),
        seconds=seconds,
        edits=edits(chance, 3),
        fault=(chance.choice(LOOK_FAULTS), chance.choice(LOOKED_AT)),
        mode=chance.choice((SyncMode.AUTO, SyncMode.AUTO, SyncMode.INCREMENTAL, SyncMode.FULL)),
    )
