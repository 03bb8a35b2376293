"""The topics of the bus: a sync, or an organization's dashboard or patients.

A topic is a typed value, never a bare string: an organization's id may equal the id of another organization's sync. A
sync's topic also holds its id and organization, so that a value that arrives is compared with what was followed.
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


@dataclass(frozen=True, slots=True)
class PatientsTopic:
    """An organization's patients, which change with each of its completed syncs."""

    organization_id: str


Topic = SyncTopic | DashboardTopic | PatientsTopic


def topics_of(snapshot: SyncSnapshot) -> tuple[Topic, ...]:
    """The topics under which a snapshot is published."""
    return topics_of_sync(SyncTopic.of(snapshot))


def topics_of_sync(sync: SyncTopic) -> tuple[Topic, ...]:
    """The topics under which the snapshots of a sync are published."""
    return sync, DashboardTopic(sync.organization_id), PatientsTopic(sync.organization_id)
