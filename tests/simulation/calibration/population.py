"""The clinics on which estimates are measured: their sizes, paces, latencies, faults and habits, drawn by a seed.

A scenario is plain data. Everything that varies while a sync runs (each latency, each fault) is drawn by ``weather``.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import log
from random import Random

from routiq_gql.emulator import FaultKind
from routiq_gql.sync.model import SyncMode

FAULT_KINDS = (
    (FaultKind.STATUS_503, 5),
    (FaultKind.STATUS_500, 3),
    (FaultKind.STATUS_502_HTML, 2),
    (FaultKind.DROP_INSIDE, 2),
    (FaultKind.DROP_BEFORE, 1),
    (FaultKind.CUT_JSON, 1),
    (FaultKind.SLOW, 4),
    (FaultKind.HANG, 1),
)
"""What goes wrong with a request, and how often compared with the others."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How Cliniko, the network and other programs behave towards a clinic.

    Attributes:
        latency: Typical seconds of a request for a full page.
        jitter: The spread of a single latency, as a factor: 0.2 is some 20 %.
        drift: The same of the slow change of all latencies, and
        period: the seconds in which it goes up and down.
        short: The part of it that a request without rows takes.
        slow_share: The part of requests that take 3 to 10 times as long.
        fault_share: The part of requests with a fault.
        outages: Outages an hour, of up to a minute each.
        others: Requests a minute of another program with the same key, while it runs, and
        others_share: the part of the time in which it runs.
        limit: Cliniko's requests a minute; ``None`` for none.
        disk_seconds: Seconds of a statement.
    """

    latency: float
    jitter: float
    drift: float
    period: float
    short: float
    slow_share: float
    fault_share: float
    outages: float
    others: float
    others_share: float
    limit: int | None
    disk_seconds: float


@dataclass(frozen=True, slots=True)
class Round:
    """A sync, and what happens before it.

    Attributes:
        passes: Time since the sync before.
        edits: Changes of rows meanwhile, and
        removals: rows that vanish without a trace.
        edits_during: Changes in each of the sync's requests.
        kill_after: The process is killed after so many requests; 0 for never.
    """

    mode: SyncMode
    passes: timedelta
    edits: int
    removals: int
    edits_during: float
    kill_after: int


@dataclass(frozen=True, slots=True)
class Population:
    """A clinic and its syncs.

    Attributes:
        per_page: Rows of a page. Other sizes follow it, so that smaller pages stand for a larger clinic.
        pace: Requests a minute by the setting; 0 for no pacing.
    """

    seed: int
    per_page: int
    patients: int
    appointments: int
    classes: int
    attendees_per_class: int
    pace: int
    weather: Weather
    rounds: tuple[Round, ...]


def draw(seed: int) -> Population:
    """The clinic of a seed."""
    chance = Random(f"calibration {seed}")
    per_page = chance.choice((10, 10, 10, 20))
    patients = _size(chance, 50, 6_000) * per_page // 100
    appointments = int(patients * (1.5 + chance.choice((0.5, 1, 3, 6)) * chance.random()))
    classes = 4 + patients // 50 + int(patients * chance.choice((0, 0, 0.02, 0.1)) * chance.random())
    pace = chance.choice((0, 60, 120, 180, 180, 180, 200))
    busy = chance.choice((0.0, 0.02, 0.2, 1.0)) * chance.random()  # changed pages between two syncs a day apart
    return Population(
        seed=seed,
        per_page=per_page,
        patients=patients,
        appointments=appointments + classes + 40,
        classes=classes,
        attendees_per_class=chance.choice((0, 3, 6, 12)),
        pace=pace,
        weather=_weather(chance, pace),
        rounds=tuple(_round(chance, number, busy * 10 * per_page) for number in range(chance.choice((2, 3, 5, 6)))),
    )


def _size(chance: Random, least: int, most: int) -> int:
    """A number whose logarithm is uniform."""
    return int(least * (most / least) ** chance.random())


def _weather(chance: Random, pace: int) -> Weather:
    others_share = chance.choice((0.0, 0.0, 0.0, 0.3, 1.0))
    return Weather(
        latency=0.02 * 100 ** chance.random(),
        jitter=chance.choice((0.05, 0.2, 0.5)),
        drift=chance.choice((0.0, 0.2, 0.5)),
        period=chance.choice((60, 300, 1200)),
        short=chance.choice((0.3, 0.6, 1.0)),
        slow_share=chance.choice((0.0, 0.0, 0.01, 0.05)),
        fault_share=chance.choice((0.0, 0.0, 0.0, 0.002, 0.01, 0.03)),
        outages=chance.choice((0, 0, 0, 0, 4)),
        others=chance.choice((20, 60, 150)),
        others_share=others_share,
        limit=200 if pace or others_share else chance.choice((None, 200)),
        disk_seconds=chance.choice((0.001, 0.002, 0.004)),
    )


def _round(chance: Random, number: int, edits_a_day: float) -> Round:
    passes = chance.choice((timedelta(minutes=15), timedelta(hours=1), timedelta(days=1), timedelta(days=3)))
    usual = edits_a_day * passes / timedelta(days=1)
    is_unusual = chance.random() < 0.1
    edits = int(usual * (0.5 + chance.random()) + chance.choice((0, 1, 3)) + is_unusual * 5 * chance.random() * usual)
    return Round(
        mode=chance.choice((SyncMode.AUTO, SyncMode.AUTO, SyncMode.AUTO, SyncMode.FULL)) if number else SyncMode.AUTO,
        passes=passes if number else timedelta(),
        edits=edits if number else 0,
        removals=chance.choice((0, 0, 0, 0, 0, 0, 0, 0, 1, 3)) if number else 0,
        edits_during=chance.choice((0.0, 0.0, 0.0, 0.01, 0.05)),
        kill_after=int(-20 * log(1 - chance.random())) + 3 if chance.random() < 0.03 else 0,
    )
