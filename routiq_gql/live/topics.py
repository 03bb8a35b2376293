"""The topics of the bus: a sync, or all syncs of an organization.

A topic is a typed value, never a bare string: an organization's id may equal the id of another organization's sync. A
sync's topic also holds its id and organization, because SQLite reuses the number of an erased sync.
"""

from dataclasses import dataclass
from typing import Self

from routiq_gql.sync.model import SyncSnapshot


@dataclass(frozen=True, slots=True)
class SyncTopic:
    """A sync, by its number, with its id and its organization."""

    key: int
    sync_id: str
    organization_id: str

    @classmethod
    def of(cls, snapshot: SyncSnapshot) -> Self:
        """The topic of ``snapshot``."""
        return cls(snapshot.key, snapshot.sync_id, snapshot.organization_id)


@dataclass(frozen=True, slots=True)
class DashboardTopic:
    """An organization's dashboard, which changes with each of its syncs."""

    organization_id: str


Topic = SyncTopic | DashboardTopic


def topics_of(snapshot: SyncSnapshot) -> tuple[Topic, Topic]:
    """The topics under which a snapshot is published."""
    return SyncTopic.of(snapshot), DashboardTopic(snapshot.organization_id)
