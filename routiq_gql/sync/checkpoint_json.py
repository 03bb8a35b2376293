"""Checkpoints as JSON, with the number of its format.

``read_checkpoint`` accepts every format that was ever written, so a sync that runs during an upgrade keeps its number
and percentage, or fails with a reason. To change the format, raise ``FORMAT`` and add to ``_UPGRADES``. Syncs with
format 1 or 2, whose rows an upgrade has dropped, start their lists again and say so in their logs.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TypeVar

from routiq_gql.cliniko import Horizon
from routiq_gql.sync.checkpoint import (
    Analysis,
    Analyzing,
    Checkpoint,
    CheckpointError,
    Comparing,
    Effort,
    Pending,
    Reading,
    Starting,
    Storing,
)
from routiq_gql.sync.findings import Findings
from routiq_gql.sync.lists import LISTS
from routiq_gql.sync.model import SyncMode, SyncStep
from routiq_gql.sync.parts import PARTS
from routiq_gql.sync.place import Counts, Place
from routiq_gql.sync.plan import Plan
from routiq_gql.sync.receipt import Receipt, read_receipt
from routiq_gql.sync.receipt import to_json as receipt_to_json

FORMAT = 4
PLANS_SINCE = 3
"""The format since which a plan has the form of today."""
COMPARING = "comparing"
"""Stands for a list in a checkpoint behind the last list."""

T = TypeVar("T")
Json = Mapping[str, object]


def to_json(checkpoint: Checkpoint) -> dict[str, object]:
    """The checkpoint in the newest format."""
    if isinstance(checkpoint, Starting):
        lost = {} if checkpoint.lost is None else {"lost": checkpoint.lost.value}
        return {"format": FORMAT, "step": 0, **lost}
    plan = _plan_to_json(checkpoint.plan)
    stored: dict[str, object] = {"format": FORMAT, "step": checkpoint.step.value, "plan": plan}
    if isinstance(checkpoint, Reading | Comparing):
        stored |= {
            "totals": dict(checkpoint.totals),
            "part": checkpoint.list_name if isinstance(checkpoint, Reading) else COMPARING,
            "pending": asdict(checkpoint.pending),
            "efforts": {name: asdict(effort) for name, effort in checkpoint.efforts.items()},
            "whole": dict(checkpoint.whole),
        }
        if isinstance(checkpoint, Reading):
            stored["place"] = asdict(checkpoint.place)
        return stored
    stored["receipt"] = receipt_to_json(checkpoint.receipt)
    if isinstance(checkpoint, Analyzing):
        analysis = checkpoint.analysis
        stored["analysis"] = {**asdict(analysis), "analyzed_at": _text(analysis.analyzed_at)}
        stored |= {"after": checkpoint.after, "analyzed": checkpoint.analyzed}
    elif not checkpoint.has_lists:
        stored["has_lists"] = False
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


def read_plan(stored: object) -> Plan | None:
    """The plan in a checkpoint with a plan of today's form; ``None`` if there is none."""
    if not isinstance(stored, dict) or stored.get("format") not in range(PLANS_SINCE, FORMAT + 1):
        return None
    if "plan" not in stored:
        return None
    try:
        return _plan(_value(stored, "plan", dict))
    except CheckpointError:
        return None


def plan_only(stored: Mapping[str, object]) -> Json:
    """A checkpoint with nothing but the plan of this one, if it has one, for ``read_plan``."""
    return {name: stored[name] for name in ("format", "plan") if name in stored}


def _read(stored: Json) -> Checkpoint:
    match step := _value(stored, "step", int):
        case 0:
            lost = stored.get("lost")
            return Starting(None if lost is None else _enum(SyncStep, _value(stored, "lost", int), "lost"))
        case SyncStep.ANALYZING:
            return Analyzing(
                _plan(_value(stored, "plan", dict)),
                _receipt(_value(stored, "receipt", dict)),
                _analysis(_value(stored, "analysis", dict)),
                _value(stored, "after", int),
                _value(stored, "analyzed", int),
            )
        case SyncStep.STORING:
            return Storing(
                _plan(_value(stored, "plan", dict)),
                _receipt(_value(stored, "receipt", dict)),
                has_lists=_value({"has_lists": True} | dict(stored), "has_lists", bool),
            )
    checkpoint = _reading(stored)
    if checkpoint.step != step:
        raise _damaged("step")
    return checkpoint


def _reading(stored: Json) -> Reading | Comparing:
    name = _value(stored, "part", str)
    if name not in LISTS and name != COMPARING:
        raise CheckpointError(f"The checkpoint of this sync names a list that this version does not read: “{name}”.")
    plan = _plan(_value(stored, "plan", dict))
    totals = _numbers(_value(stored, "totals", dict))
    pending = _value(stored, "pending", dict)
    found = Pending(patients=_ids(pending, "patients"), classes=_ids(pending, "classes"))
    spent = _value(stored, "efforts", dict)
    efforts = {one: _effort(_value(spent, one, dict)) for one in spent}
    whole = _numbers(_value(stored, "whole", dict))
    if name == COMPARING:
        return Comparing(plan, totals, found, efforts, whole)
    return Reading(plan, name, totals, _place(_value(stored, "place", dict)), found, efforts, whole)


def _plan_to_json(plan: Plan) -> Json:
    return {
        "mode": plan.mode.value,
        "mark": _text(plan.mark),
        "taken_at": _text(plan.taken_at),
        "since": _text(plan.since),
        "from": _text(plan.horizon.start),
        "to": _text(plan.horizon.end),
        "days": plan.history_days,
        "baseline": plan.is_baseline,
        "account": plan.account,
        **({} if plan.compares else {"lists": list(LISTS if plan.lists is None else plan.lists)}),
        **({} if plan.part is None else {"part": plan.part, "leaves_out": plan.leaves_out}),
    }


def _plan(stored: Json) -> Plan:
    return Plan(
        mode=_enum(SyncMode, _value(stored, "mode", str), "mode"),
        mark=_moment(stored, "mark"),
        taken_at=_moment(stored, "taken_at"),
        since=_moment(stored, "since") if stored.get("since", "") is not None else None,
        horizon=Horizon(_moment(stored, "from"), _moment(stored, "to") if stored.get("to", "") is not None else None),
        history_days=_value(stored, "days", int) if stored.get("days", "") is not None else None,
        is_baseline=_value(stored, "baseline", bool),
        account=_value(stored, "account", str),
        lists=tuple(map(str, _value(stored, "lists", list))) if "lists" in stored else None,
        compares="lists" not in stored,
        part=_enum(range(len(PARTS)).index, stored["part"], "part") if "part" in stored else None,
        leaves_out=stored.get("leaves_out") is True,
    )


def _analysis(stored: Json) -> Analysis:
    return Analysis(
        _moment(stored, "analyzed_at"),
        _value(stored, "recent_days", int),
        _value(stored, "upcoming_days", int),
        _value(stored, "seen_within_weeks", int),
        _value(stored, "everything", bool),
        _value(stored, "patients", int),
    )


def _place(stored: Json) -> Place:
    return Place(
        last_id=None if stored.get("last_id", "") is None else _value(stored, "last_id", str),
        has_ended=_value(stored, "has_ended", bool),
        counts=_counts(_value(stored, "counts", dict)),
        counts_before=_counts(_value(stored, "counts_before", dict)),
        batch_after=_value(stored, "batch_after", int),
        batch_to=_value(stored, "batch_to", int),
        classes=_value(stored, "classes", int),
    )


def _counts(stored: Json) -> Counts:
    found = _value(stored, "findings", dict)
    findings = Findings(named=_named(found, "named"), **_numbers(found, ("unreadable", "rows", "claimed")))
    return Counts(findings=findings, **_numbers(stored, ("read", "listed")))


def _effort(stored: Json) -> Effort:
    return Effort(unreadable=_named(stored, "unreadable"), **_numbers(stored, ("read", "requests")))


def _named(stored: Json, name: str) -> tuple[tuple[str | None, str], ...]:
    try:
        return tuple((row_id, field_name) for row_id, field_name in _value(stored, name, list))
    except (TypeError, ValueError):
        raise _damaged(name) from None


def _receipt(stored: Json) -> Receipt:
    try:
        return read_receipt(stored)
    except (KeyError, TypeError, ValueError):
        raise _damaged("receipt") from None


def _restarted(stored: Json) -> Json:
    """Formats 1 and 2: the lists start again, unless no list was begun."""
    step = stored.get("step", 0)
    if type(step) is not int or not 0 <= step <= SyncStep.STORING:
        raise _damaged("step")
    return {"format": 3, "step": 0} if step == 0 else {"format": 3, "step": 0, "lost": step}


def _analyzed_again(stored: Json) -> Json:
    """Format 3: no patient was put into lists. An analysis that had begun, or had ended, begins again."""
    if stored.get("step") == SyncStep.STORING:
        return {**stored, "format": 4, "has_lists": False}
    if stored.get("step") != SyncStep.ANALYZING:
        return {**stored, "format": 4}
    analysis = {**_value(stored, "analysis", dict), "seen_within_weeks": 26, "everything": True}
    return {**stored, "format": 4, "analysis": analysis, "after": 0, "analyzed": 0}


_UPGRADES: dict[int, Callable[[Json], Json]] = {
    1: lambda stored: {**stored, "format": 2},
    2: _restarted,
    3: _analyzed_again,
}
"""By the number of a format: turns JSON of this format into JSON of the next."""


def _value(stored: Json, name: str, kind: type[T]) -> T:
    """The value of ``name``. It must be exactly of ``kind``, because Python takes ``True`` for a number."""
    value = stored.get(name)
    if type(value) is not kind:
        raise _damaged(name)
    return value


def _numbers(stored: Json, names: tuple[str, ...] = ()) -> dict[str, int]:
    return {name: _value(stored, name, int) for name in names or stored}


def _ids(stored: Json, name: str) -> tuple[int, ...]:
    ids = _value(stored, name, list)
    if not all(type(one) is int for one in ids):
        raise _damaged(name)
    return tuple(ids)


def _enum(kind: Callable[..., T], value: object, name: str) -> T:
    try:
        return kind(value)
    except ValueError:
        raise _damaged(name) from None


def _moment(stored: Json, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_value(stored, name, str))
    except ValueError:
        raise _damaged(name) from None
    if moment.tzinfo is None:
        raise _damaged(name)
    return moment.astimezone(UTC)


def _text(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment is not None else None


def _damaged(name: str) -> CheckpointError:
    return CheckpointError(f"The checkpoint of this sync can't be read: “{name}” is missing or has a wrong form.")
