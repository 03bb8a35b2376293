"""The result of a part: a table, sentences below it, the same figures for programs, and limits that do not hold."""

from dataclasses import dataclass, field
from typing import Any

from tests.bench.table import print_table


@dataclass(slots=True)
class Report:
    """A part's result.

    Attributes:
        notes: Sentences for the reader of the table.
        figures: By row, then by the figure's name with its unit.
        broken: A sentence for each limit that does not hold, whatever the machine.
    """

    title: str
    head: list[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def show(self) -> None:
        print_table(self.title, self.head, self.rows)
        for note in self.notes:
            print(note)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        watchers: Of a saturated server, and of the part with a stalled watcher.
        many_watchers: Of an idle server, and of one with an update a second.
        organizations: Whose syncs the idle watchers follow.
        rounds: Interleaved repetitions.
        seconds: Of a saturated round, and of a round of requests.
        prepared: Publications of a saturated round, at most.
        updates: Updates at one a second.
        idle_seconds: How long idle watchers are observed.
        events: After which bytes are counted.
        pace_seconds: Between updates beside a stalled watcher.
        running: Syncs on PostgreSQL at the same time.
        has_node: Whether Node's packages may be installed.
        checks_limits: Whether it is enough for the limits.
    """

    watchers: int = 1_000
    many_watchers: int = 5_000
    organizations: int = 1_000
    rounds: int = 5
    seconds: float = 2.0
    prepared: int = 100
    updates: int = 30
    idle_seconds: float = 30.0
    events: int = 20_000
    pace_seconds: float = 0.25
    running: int = 200
    has_node: bool = True
    checks_limits: bool = True


QUICK = Sizes(
    watchers=20,
    many_watchers=40,
    organizations=10,
    rounds=1,
    seconds=0.3,
    prepared=5,
    updates=1,
    idle_seconds=0.5,
    events=100,
    pace_seconds=0.05,
    running=4,
    has_node=False,
    checks_limits=False,
)
