"""Who or what starts and cancels syncs. Stored with the sync, so that the people of its organization can read it."""

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """The origin of a request. The database and REST use the values, GraphQL the names.

    Attributes:
        PERSON: A request to the API, by a person or a program.
        SCHEDULE: The organization's schedule.
        TERMINAL: A command of ``routiq-gql``.
    """

    PERSON = "person"
    SCHEDULE = "schedule"
    TERMINAL = "terminal"


@dataclass(frozen=True, slots=True)
class SyncActor:
    """The originator of a start or an end.

    Attributes:
        name: The subject, as named by the token's issuer; ``None`` without authentication and if it is no person.
    """

    kind: ActorKind
    name: str | None = None
