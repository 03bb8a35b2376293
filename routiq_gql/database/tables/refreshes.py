"""The table of refreshes: which organizations are kept live, and the findings of looks at Cliniko.

A *look* asks Cliniko for changes, and becomes a sync only if there are any; see ``engines/refreshing.py``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import JSON, Column, Index, LargeBinary, Named, Table, TypedColumns

from routiq_gql.database.columns import RowKey, UtcDateTime
from routiq_gql.database.tables.base import METADATA, Holds, OrganizationId


class RefreshColumns(TypedColumns):
    """The looks of an organization. ``epoch`` counts them, and a look with an earlier epoch writes nothing.

    ``is_asked`` is the choice of ``routiq-gql schedule --live``. ``sync`` is the newest sync that a look has started.
    ``spent`` is when the latest requests were sent, in milliseconds since 1970. ``spent_by`` is not used any more.
    ``allowance`` is how many may be sent within a minute, if Cliniko's rate limit was reached.
    ``found`` is the knowledge of the looks about Cliniko's lists; see ``sync/found.py``. ``watched_at`` is when a
    client last read the organization's data; looks are rarer some minutes after that. ``key_digest`` finds the
    organizations with the same API key, which share their requests.
    """

    organization_id: Named[str] = Column(OrganizationId, primary_key=True)
    is_asked: Named[bool]
    next_at: Named[datetime] = Column(UtcDateTime)
    epoch: Named[int]
    sync: Named[int | None] = Column(RowKey)
    spent: Named[Sequence[int]] = Column(JSON)
    spent_by: Named[int | None] = Column(RowKey)
    allowance: Named[int | None]
    found: Named[Mapping[str, object]] = Column(JSON)
    watched_at: Named[datetime | None] = Column(UtcDateTime)
    key_digest: Named[bytes | None] = Column(LargeBinary)


REFRESH = Table(
    "refreshes",
    METADATA,
    RefreshColumns,
    Index("ix_refreshes_next", "next_at"),
    Index("ix_refreshes_key", "key_digest"),
    info={"holds": Holds.ORGANIZATION},
)
