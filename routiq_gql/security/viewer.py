"""The caller of a service. Made by the API once per request or socket, checked by the services.

Without authentication the viewer is an operator on this machine and reaches every organization.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum

from routiq_gql.errors import BadInput, Forbidden, SyncNotFound, Unauthenticated
from routiq_gql.sync.actors import ActorKind, SyncActor

ORGANIZATION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
SYNC_ID = re.compile(r"sync_[A-Za-z0-9_-]{1,96}")
"""An organization's id, the second of the start, and a number if several syncs started in that second."""


class Right(StrEnum):
    """A permission that not all members of an organization have. Only reads of patients and webhooks need one."""

    START = "start"
    CANCEL = "cancel"
    CONNECT = "connect"
    PATIENTS = "patients"
    WEBHOOKS = "webhooks"


_MEANS = {
    Right.START: ("start syncs", "ROUTIQ_START_ROLES"),
    Right.CANCEL: ("cancel syncs", "ROUTIQ_CANCEL_ROLES"),
    Right.CONNECT: ("change the connection to Cliniko", "ROUTIQ_CONNECT_ROLES"),
    Right.PATIENTS: ("read patients", "ROUTIQ_PATIENT_ROLES"),
    Right.WEBHOOKS: ("read or change webhooks", "ROUTIQ_WEBHOOK_ROLES"),
}
"""What a right allows, and the setting that names the roles which have it."""

ALL_RIGHTS = frozenset(Right)
NO_RIGHTS: frozenset[Right] = frozenset()


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person or program behind a request.

    Attributes:
        organization_id: The only organization within reach; ``None`` for all (authentication is off).
        rights: Permissions besides reading syncs and figures.
        subject: The caller, as named by the token's issuer; ``None`` without authentication.
        address: The network address of the request; ``None`` on the command line.
        sync_id: The only sync within reach, and nothing else of its organization; ``None`` for all of them.
        has_lapsed: Its token has expired, and a new token is awaited; meanwhile it may still read.
        kind: The origin of its requests.
    """

    organization_id: str | None = None
    rights: frozenset[Right] = ALL_RIGHTS
    subject: str | None = None
    address: str | None = None
    sync_id: str | None = None
    has_lapsed: bool = False
    kind: ActorKind = ActorKind.PERSON

    @property
    def actor(self) -> SyncActor:
        """The viewer as it is stored with the syncs that it starts and cancels. Only a person has a name there."""
        return SyncActor(self.kind, self.subject if self.kind is ActorKind.PERSON else None)

    @property
    def visibility(self) -> Hashable:
        """The parts that decide what the viewer reads: neither the person nor the address.

        Equal reads of viewers with an equal visibility have equal results.
        """
        return self.organization_id, self.sync_id, self.rights, self.has_lapsed

    def require(self, organization_id: str, right: Right | None = None) -> None:
        """Raise unless the viewer may reach ``organization_id``, and has ``right`` there.

        Raises:
            BadInput: It can't be an organization's id.
            Forbidden: It is another organization's, or the viewer lacks the right.
            Unauthenticated: The viewer had the right until the token expired.
        """
        check_organization_id(organization_id)
        if self.organization_id is not None and self.organization_id != organization_id:
            raise Forbidden("This token belongs to another organization.")
        if self.sync_id is not None:
            raise Forbidden("This token can only be used to follow one sync.")
        if right is None:
            return
        if right not in self.rights:
            action, setting = _MEANS[right]
            raise Forbidden(
                f"You may not {action}: none of your roles and permissions in this organization is among those that "
                f"{setting} names."
            )
        self.require_fresh()

    def may(self, organization_id: str, right: Right) -> bool:
        """Whether the viewer has a right in an organization, if need be with a fresh token."""
        try:
            self.require(organization_id)
        except Forbidden:
            return False
        return right in self.rights

    def sees_sync(self, organization_id: str, sync_id: str) -> bool:
        """Whether the viewer may see this sync of this organization; otherwise it is not found."""
        return self.organization_id in {None, organization_id} and self.sync_id in {None, sync_id}

    def require_fresh(self) -> None:
        """Raise if the viewer may only read.

        Raises:
            Unauthenticated: The token has expired.
        """
        if self.has_lapsed:
            raise Unauthenticated("The token has expired. Send a new one and try again.")


LOCAL_OPERATOR = Viewer(subject="command line", kind=ActorKind.TERMINAL)
"""The viewer of the command line, and of the demo in a terminal."""


def check_organization_id(organization_id: str) -> None:
    """Raise unless the id has the documented form.

    Raises:
        BadInput: It has not.
    """
    if not ORGANIZATION_ID.fullmatch(organization_id):
        raise BadInput("An organization id has 1 to 64 letters, digits, dashes and underscores.")


def check_sync_id(sync_id: str) -> None:
    """Raise unless the id has the form of a sync's id; other ids are unknown without a query.

    Raises:
        SyncNotFound: It has not.
    """
    if not SYNC_ID.fullmatch(sync_id):
        raise SyncNotFound
