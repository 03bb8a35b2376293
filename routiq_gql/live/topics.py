"""What one can subscribe to on the bus: a sync, or everything that syncs of one organization publish.

A topic is a value of its own type, never a bare string: an organization's id may equal the id of another
organization's sync. A sync's topic also holds what was authorized, because SQLite gives the number of an erased sync
to the next one.
"""

from dataclasses import dataclass
from typing import Self

from routiq_gql.errors import SyncNotFound
from routiq_gql.sync.model import SyncSnapshot


@dataclass(frozen=True, slots=True)
class SyncTopic:
    """One sync, by its number, together with its id and its organization."""

    key: int
    sync_id: str
    organization_id: str

    @classmethod
    def of(cls, snapshot: SyncSnapshot) -> Self:
        """The topic that ``snapshot`` belongs to."""
        return cls(snapshot.key, snapshot.sync_id, snapshot.organization_id)

    def require(self, snapshot: SyncSnapshot) -> SyncSnapshot:
        """The snapshot, if it is one of this sync.

        Raises:
            SyncNotFound: It is another sync's. This one was erased, and its id or number was given away again.
        """
        if type(self).of(snapshot) != self:
            raise SyncNotFound
        return snapshot


@dataclass(frozen=True, slots=True)
class DashboardTopic:
    """An organization's dashboard, which changes with each of its syncs."""

    organization_id: str


Topic = SyncTopic | DashboardTopic


def topics_of(snapshot: SyncSnapshot) -> tuple[Topic, Topic]:
    """The topics under which a snapshot is published."""
    return SyncTopic.of(snapshot), DashboardTopic(snapshot.organization_id)
