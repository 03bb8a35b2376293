"""Puts a sync's receipt and mode into words for the terminal."""

from collections.abc import Iterable
from datetime import datetime

from routiq_gql.cli.plain_text import clean_text, counted
from routiq_gql.cli.times import with_offset
from routiq_gql.cliniko import ATTENDEES
from routiq_gql.sync.model import SyncMode, SyncSnapshot
from routiq_gql.sync.receipt import ListReceipt, Receipt

MODE_TEXTS = {
    SyncMode.AUTO: "",
    SyncMode.FULL: "full",
    SyncMode.INCREMENTAL: "incremental",
    SyncMode.TIME_ONLY: "time only",
}
"""The modes in effect; AUTO is not decided yet."""


def receipt_lines(receipt: Receipt, now: datetime) -> list[str]:
    """``Agrees with Cliniko, checked 14:02; 14 requests; +2, ~5, −1``, then a line for each difference and gap.

    If no list differs and Cliniko refused to compare some, the first line names them: ``Compared in part with Cliniko,
    checked 14:02: Cliniko did not count patients; …``.
    """
    requests = counted(receipt.requests, "request")
    verdict = f"{_verdict(receipt)}, checked {_moment(receipt.checked_at, now)}"
    if receipt.agrees is None and receipt.refused:
        verdict += f": {_refusal(receipt)}"
    lines = [f"{verdict}; {requests}; {changes_text(receipt)}"]
    lines += [f"  {_difference(one)}" for one in receipt.lists if one.agrees is False]
    if receipt.agrees is False:
        lines += [
            f"  {_name(one)}: not compared, as Cliniko did not {_refused_request(one)}" for one in receipt.refused
        ]
    lines += [f"  {_part(one)}" for one in receipt.lists if one.agrees is not False and _is_partial(one)]
    denied = [one for one in receipt.lists if one.is_denied]
    lines += [f"  {_name(one)}: not compared, as the key may not read them" for one in denied]
    if unreadable := sum(one.unreadable for one in receipt.lists):
        lines.append(f"  {counted(unreadable, 'row')} of Cliniko can't be read; the log names the first ones")
    return lines


def receipt_summary(sync: SyncSnapshot) -> str:
    """``agrees, +2, ~5, −1`` or ``differs: patients``, for a table; empty without a receipt.

    Lists that Cliniko refused to compare are named: ``compared in part (not compared: patients)``. If a later sync
    compares them, the verdict is ``compared later``.
    """
    receipt = sync.receipt
    if receipt is None:
        return ""
    if receipt.agrees:
        verdict = "agrees"
    elif receipt.agrees is False:
        verdict = f"differs: {_names(one for one in receipt.lists if one.agrees is False)}"
    else:
        verdict = "compared in part" if receipt.is_compared else "not compared"
    if receipt.is_later and receipt.agrees is None:
        verdict = "compared later"
    elif receipt.refused and receipt.is_compared:
        verdict += f" (not compared: {_names(receipt.refused)})"
    return f"{verdict}, {changes_text(receipt)}"


def result_summary(sync: SyncSnapshot) -> str:
    """``incremental, agrees, +2, ~5, −1; +1 active`` of a completed sync, for a table."""
    result = ", ".join(filter(None, [MODE_TEXTS[sync.mode], receipt_summary(sync)]))
    return f"{result}; {sync.changes.sentence}" if sync.changes is not None and sync.changes.patients else result


def changes_text(receipt: Receipt) -> str:
    """``+2, ~5, −1``: rows added, updated and removed; ``no changes`` without any."""
    counts = (("+", receipt.added), ("~", receipt.updated), ("−", receipt.removed))
    return ", ".join(f"{sign}{count:,}" for sign, count in counts if count) or "no changes"


def _verdict(receipt: Receipt) -> str:
    if receipt.agrees:
        return "Agrees with Cliniko"
    if receipt.agrees is False:
        return "Does not agree with Cliniko yet"
    return "Compared in part with Cliniko" if receipt.is_compared else "Not compared with Cliniko"


def _refusal(receipt: Receipt) -> str:
    """``Cliniko did not count patients and group appointments, and did not list attendees by class``."""
    names = [_name(one).lower() for one in receipt.refused if one.list != ATTENDEES.name]
    parts = [f"did not count {' and '.join(', '.join(names).rsplit(', ', 1))}"] if names else []
    if len(names) < len(receipt.refused):
        parts.append("did not list attendees by class")
    return f"Cliniko {', and '.join(parts)}"


def _refused_request(one: ListReceipt) -> str:
    return "list them by class" if one.list == ATTENDEES.name else "count them"


def _difference(one: ListReceipt) -> str:
    if one.in_cliniko is None:
        return f"{_name(one)}: Cliniko did not count them"
    if one.in_cliniko == one.in_mirror:
        return f"{_name(one)}: they kept changing during the comparison"
    return f"{_name(one)}: {one.in_cliniko:,} in Cliniko, {one.in_mirror:,} stored{_scope(one)}"


def _is_partial(one: ListReceipt) -> bool:
    return one.compared is not None and one.of is not None and one.compared < one.of


def _part(one: ListReceipt) -> str:
    return f"{_name(one)}: compared in {one.compared:,} of {one.of:,} classes"


def _scope(one: ListReceipt) -> str:
    return f" (compared in {one.compared:,} of {one.of:,} classes)" if _is_partial(one) else ""


def _name(one: ListReceipt) -> str:
    return clean_text(one.list.replace("_", " ").capitalize())


def _names(lists: Iterable[ListReceipt]) -> str:
    return ", ".join(_name(one).lower() for one in lists)


def _moment(moment: datetime, now: datetime) -> str:
    """``14:02 +11:00`` in local time; with the date on another day."""
    local = moment.astimezone()
    return with_offset(local, "%H:%M" if local.date() == now.astimezone().date() else "%Y-%m-%d %H:%M")
