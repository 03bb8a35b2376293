"""Conditions of requests, in Cliniko's words: the rows that the mirror holds, changed rows, and rows by id.

Full reads, totals and the comparison by counts use ``content_filters``, so that the content of the mirror does not
depend on how it was read. Every hiding field is named; no condition relies on what Cliniko leaves out by default.
All conditions of a request must hold. Source: Cliniko API, "Filtering results".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from routiq_gql.cliniko.resources import Record, Resource


@dataclass(frozen=True, slots=True)
class Horizon:
    """The appointments that are mirrored: those that start from ``start`` until ``end``, both included.

    Cliniko works in whole seconds. With a fraction the filters are widened, and may return rows just outside.

    Raises:
        ValueError: A time has no time zone.
    """

    start: datetime
    end: datetime | None = None

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or (self.end is not None and self.end.tzinfo is None):
            raise ValueError("A horizon needs times with a time zone.")


def content_filters(resource: Resource[Record], horizon: Horizon | None = None) -> list[str]:
    """The rows of a list that the mirror holds; appointments within ``horizon``. For full reads and for totals."""
    return [*_kept(resource), *(f"{field}:!?" for field in resource.dropped), *_starts(resource, horizon)]


def unarchived_filters(resource: Resource[Record]) -> list[str]:
    """As ``content_filters``, without archived rows: the second total of patients."""
    return [*(f"{field}:*" for field in resource.kept if field != "archived_at"), "archived_at:!?"]


def every_row(resource: Resource[Record]) -> list[str]:
    """All rows that Cliniko returns at all, hidden ones included; add a condition that limits them."""
    return [*_kept(resource), *(f"{field}:*" for field in resource.dropped)]


def changed_since(resource: Resource[Record], mark: datetime) -> list[str]:
    """The rows changed at ``mark`` or later. Hidden rows are included, since the mirror may still hold them."""
    return [*every_row(resource), f"updated_at:>={_whole_second(mark)}"]


def ids_in(ids: Iterable[str]) -> str:
    """The rows with these ids.

    Raises:
        ValueError: There are no ids, or a text is no id; an empty condition would match no row, or all.
    """
    return f"id:={_joined(ids)}"


def booking_in(booking_ids: Iterable[str]) -> str:
    """The attendees of these group appointments. Raises ``ValueError`` as ``ids_in``."""
    return f"booking_id:={_joined(booking_ids)}"


def patient_in(patient_ids: Iterable[str]) -> str:
    """The appointments or attendees of these patients. Raises ``ValueError`` as ``ids_in``."""
    return f"patient_id:={_joined(patient_ids)}"


def ids_between(above: str | None, up_to: str | None) -> list[str]:
    """The rows whose id is greater than ``above`` and at most ``up_to``; ``None`` is no bound."""
    lower = [] if above is None else [f"id:>{_joined([above])}"]
    return lower if up_to is None else [*lower, f"id:<={_joined([up_to])}"]


def _kept(resource: Resource[Record]) -> list[str]:
    return [f"{field}:*" for field in resource.kept]


def _starts(resource: Resource[Record], horizon: Horizon | None) -> list[str]:
    if horizon is None or not resource.has_start:
        return []
    start = [f"starts_at:>={_whole_second(horizon.start)}"]
    if horizon.end is None:
        return start
    end = horizon.end + timedelta(seconds=1) if horizon.end.microsecond else horizon.end
    return [*start, f"starts_at:<={_whole_second(end)}"]


def _joined(ids: Iterable[str]) -> str:
    texts = list(ids)
    if not texts or not all(text.isascii() and text.isdigit() for text in texts):
        raise ValueError("A condition on ids needs ids.")
    return ",".join(texts)


def _whole_second(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("A condition on a time needs a time zone.")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
