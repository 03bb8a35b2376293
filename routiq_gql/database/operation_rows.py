"""Types of the rows about looks at Cliniko and about pruning; see ``rows``, whose rules hold here too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RefreshRow:
    """A row of ``refreshes``."""

    #: The organization that looks keep live.
    organization_id: str
    #: Whether an operator asked for it, besides the setting for all organizations.
    is_asked: bool
    #: When the next look is due.
    next_at: datetime
    #: Counts the looks. A look with an earlier epoch writes nothing.
    epoch: int
    #: The newest sync that a look has started; ``None`` before the first.
    sync: int | None
    #: When the latest requests of looks and their syncs were sent, in milliseconds since 1970.
    spent: Sequence[int]
    #: Not used any more.
    spent_by: int | None
    #: Requests a minute that Cliniko's rate limit left; ``None`` for the whole share.
    allowance: int | None
    #: The knowledge of the looks about Cliniko's lists.
    found: Mapping[str, object]
    #: When a client last read the organization's data; ``None`` if none has yet.
    watched_at: datetime | None
    #: The digest of the API key, by which organizations with the same key share their requests; ``None`` at first.
    key_digest: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class RetentionRow:
    """A row of ``retention``."""

    #: The kind of rows: a field of ``Cutoffs``.
    kind: str
    #: Older rows are removed.
    cutoff: datetime
    #: When the cutoff last moved ahead.
    moved_at: datetime
