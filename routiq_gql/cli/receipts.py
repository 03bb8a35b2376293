"""Puts a sync's receipt and mode into words for the terminal."""

from datetime import datetime

from routiq_gql.cli.plain_text import clean_text, counted
from routiq_gql.sync.model import SyncMode, SyncSnapshot
from routiq_gql.sync.receipt import ListReceipt, Receipt

MODE_TEXTS = {SyncMode.AUTO: "", SyncMode.FULL: "full", SyncMode.INCREMENTAL: "incremental"}
"""The modes in effect; AUTO is not decided yet."""


def receipt_lines(receipt: Receipt, now: datetime) -> list[str]:
    """``Agrees with Cliniko, checked 14:02; 14 requests; +2, ~5, −1``, then a line for each difference."""
    requests = counted(receipt.requests, "request")
    checked = f"checked {_moment(receipt.checked_at, now)}"
    lines = [f"{_verdict(receipt)}, {checked}; {requests}; {changes_text(receipt)}"]
    lines += [f"  {_difference(one)}" for one in receipt.lists if one.agrees is False]
    lines += [f"  {_part(one)}" for one in receipt.lists if one.agrees is not False and _is_partial(one)]
    if unreadable := sum(one.unreadable for one in receipt.lists):
        lines.append(f"  {counted(unreadable, 'row')} of Cliniko can't be read; the log names the first ones")
    return lines


def receipt_summary(sync: SyncSnapshot) -> str:
    """``agrees, +2, ~5, −1`` or ``differs: patients``, for a table; empty without a receipt."""
    receipt = sync.receipt
    if receipt is None:
        return ""
    different = [_name(one).lower() for one in receipt.lists if one.agrees is False]
    if receipt.agrees:
        verdict = "agrees" if _was_compared(receipt) else "not compared"
    else:
        verdict = f"differs: {', '.join(different)}" if different else "differs"
    return f"{verdict}, {changes_text(receipt)}"


def changes_text(receipt: Receipt) -> str:
    """``+2, ~5, −1``: rows added, updated and removed; ``no changes`` without any."""
    counts = (("+", receipt.added), ("~", receipt.updated), ("−", receipt.removed))
    return ", ".join(f"{sign}{count:,}" for sign, count in counts if count) or "no changes"


def _verdict(receipt: Receipt) -> str:
    if not receipt.agrees:
        return "Does not agree with Cliniko yet"
    return "Agrees with Cliniko" if _was_compared(receipt) else "Not compared with Cliniko"


def _was_compared(receipt: Receipt) -> bool:
    return any(one.agrees is not None for one in receipt.lists)


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


def _moment(moment: datetime, now: datetime) -> str:
    """``14:02`` in local time; with the date on another day."""
    local = moment.astimezone()
    return f"{local:%H:%M}" if local.date() == now.astimezone().date() else f"{local:%Y-%m-%d %H:%M}"
