"""The checkpoint of a sync: where a process continues after a break. Stored as JSON with the number of its format.

``read_checkpoint`` accepts every format that was ever written, so a sync that runs during an upgrade continues. To
change the format, raise ``FORMAT`` and add a function to ``_UPGRADES`` that turns the format before into the new one.
A checkpoint without such a path fails the sync with a reason; no sync restarts at 0 unnoticed.

Format 2 keeps the names of format 1, so during an upgrade a worker of the version before can continue the sync too.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from routiq_gql.sync.findings import Findings
from routiq_gql.sync.lists import LISTS, Totals
from routiq_gql.sync.model import SyncStep
from routiq_gql.sync.place import Place

FORMAT = 2

T = TypeVar("T")
Json = Mapping[str, object]


class CheckpointError(Exception):
    """A stored checkpoint has no path into this version. The sync fails with these sentences."""

    def __init__(self, message: str, what_to_do: str = "Start a new sync, which reads everything again.") -> None:
        super().__init__(message)
        self.message = message
        self.what_to_do = what_to_do


@dataclass(frozen=True, slots=True)
class Starting:
    """Nothing is stored; the sync begins with its first step."""

    @property
    def step(self) -> SyncStep:
        """The step that comes next."""
        return SyncStep.INITIALIZING


@dataclass(frozen=True, slots=True)
class Reading:
    """The lists before ``list_name`` are stored.

    Attributes:
        list_name: The list that is being read, by its name in ``LISTS``.
        totals: Rows of each list; see ``Totals``.
        place: Where reading resumes in this list.
    """

    list_name: str
    totals: Totals = field(default_factory=dict)
    place: Place = field(default_factory=Place)

    @property
    def step(self) -> SyncStep:
        """The step that reads the list."""
        return LISTS[self.list_name].step


@dataclass(frozen=True, slots=True)
class Analyzing:
    """All lists are stored, and the first patients are analyzed.

    Attributes:
        after: The patient behind whom the current slice begins; "" at the first.
        analyzed: Patients in the slices before.
    """

    after: str = ""
    analyzed: int = 0

    @property
    def step(self) -> SyncStep:
        """The step that comes next."""
        return SyncStep.ANALYZING


@dataclass(frozen=True, slots=True)
class Storing:
    """The active patients are identified. Readers do not see them yet."""

    @property
    def step(self) -> SyncStep:
        """The step that comes next."""
        return SyncStep.STORING


Checkpoint = Starting | Reading | Analyzing | Storing


def to_json(checkpoint: Checkpoint) -> dict[str, object]:
    """The checkpoint in the newest format."""
    stored: dict[str, object] = {"format": FORMAT, "step": 0}
    if not isinstance(checkpoint, Starting):
        stored["step"] = checkpoint.step.value
    if isinstance(checkpoint, Analyzing):
        stored |= {"after": checkpoint.after, "analyzed": checkpoint.analyzed}
    elif isinstance(checkpoint, Reading):
        place = checkpoint.place
        stored |= {
            "totals": dict(checkpoint.totals),
            "part": checkpoint.list_name,
            "last": place.last_id,
            "ended": place.has_ended,
            "read": place.read,
            "batch_after": place.batch_after,
            "classes": place.classes,
            "findings": asdict(place.findings),
            "findings_before": asdict(place.findings_before),
        }
    return stored


def read_checkpoint(stored: object) -> Checkpoint:
    """The checkpoint that JSON of any format holds.

    Raises:
        CheckpointError: This version does not know the format or the list, or a value is missing or damaged.
    """
    if not isinstance(stored, dict):
        raise _damaged("format")
    number = _value({"format": 1} | stored, "format", int)
    while number != FORMAT:
        if number not in _UPGRADES:
            raise CheckpointError(
                f"The checkpoint of this sync has format {number}, which another version of Routiq wrote. This "
                f"version reads formats up to {FORMAT}."
            )
        stored = _UPGRADES[number](stored)
        number += 1
    return _read(stored)


def _read(stored: Json) -> Checkpoint:
    match _value(stored, "step", int):
        case 0:
            return Starting()
        case SyncStep.ANALYZING:
            return Analyzing(_value(stored, "after", str), _value(stored, "analyzed", int))
        case SyncStep.STORING:
            return Storing()
        case step:
            reading = _reading(stored)
            if reading.step != step:
                raise _damaged("step")
            return reading


def _reading(stored: Json) -> Reading:
    name = _value(stored, "part", str)
    if name not in LISTS:
        raise CheckpointError(f"The checkpoint of this sync names a list that this version does not read: “{name}”.")
    totals = _value(stored, "totals", dict)
    last_id = None if stored.get("last", "") is None else _value(stored, "last", str)
    return Reading(
        name,
        {resource: _value(totals, resource, int) for resource in totals},
        Place(
            last_id=last_id,
            has_ended=_value(stored, "ended", bool),
            read=_value(stored, "read", int),
            batch_after=_value(stored, "batch_after", str),
            classes=_value(stored, "classes", int),
            findings=_findings(_value(stored, "findings", dict)),
            findings_before=_findings(_value(stored, "findings_before", dict)),
        ),
    )


def _findings(stored: Json) -> Findings:
    try:
        named = tuple((row_id, field_name) for row_id, field_name in _value(stored, "named", list))
    except (TypeError, ValueError):
        raise _damaged("named") from None
    return Findings(
        unreadable=_value(stored, "unreadable", int),
        named=named,
        rows=_value(stored, "rows", int),
        claimed=_value(stored, "claimed", int),
    )


def _from_1(stored: Json) -> Json:
    """Format 1 has no number, names no list before the first page, and leaves out values as they are at the start."""
    step = stored.get("step", 0)
    place: dict[str, object] = {"last": None, "ended": False, "read": 0, "batch_after": "", "classes": 0}
    at_start: dict[str, object] = {"after": "", "analyzed": 0} if step == SyncStep.ANALYZING else place
    if step == SyncStep.FETCHING_PATIENTS:
        at_start["part"] = next(iter(LISTS))
    found = {name: stored.get(name) or _NO_FINDINGS for name in ("findings", "findings_before")}
    return {**at_start, **stored, "step": step, **found, "format": 2}


_NO_FINDINGS: Json = {"unreadable": 0, "named": [], "rows": 0, "claimed": 0}
_UPGRADES: dict[int, Callable[[Json], Json]] = {1: _from_1}
"""By the number of a format: turns JSON of this format into JSON of the next."""


def _value(stored: Json, name: str, kind: type[T]) -> T:
    """The value of ``name``. It must be exactly of ``kind``, because Python takes ``True`` for a number."""
    value = stored.get(name)
    if type(value) is not kind:
        raise _damaged(name)
    return value


def _damaged(name: str) -> CheckpointError:
    return CheckpointError(f"The checkpoint of this sync can't be read: “{name}” is missing or has a wrong form.")
