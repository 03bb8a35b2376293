"""Who asks. Made once per request or socket by the doors, checked by the services.

With authentication off the viewer is an operator on this machine and reaches every organization.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from routiq_gql.errors import BadInput, Forbidden, SyncNotFound, Unauthenticated

ORGANIZATION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
SYNC_ID = re.compile(r"sync_[A-Za-z0-9_-]{1,96}")
"""An organization's id, the second of the start, and a number where a second had several starts."""


class Right(StrEnum):
    """What not every member of an organization may do. Reading needs no right."""

    START = "start"
    CANCEL = "cancel"
    CONNECT = "connect"


_MEANS = {
    Right.START: "start syncs",
    Right.CANCEL: "cancel syncs",
    Right.CONNECT: "change the connection to Cliniko",
}

ALL_RIGHTS = frozenset(Right)
NO_RIGHTS: frozenset[Right] = frozenset()


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person or program behind a request.

    Attributes:
        organization_id: The only organization within reach; ``None`` reaches all (authentication is off).
        rights: What may be done beside reading.
        subject: Who it is, as whoever made the token names them; ``None`` when nobody was asked.
        address: The network address that the request came from; ``None`` on the command line.
        sync_id: The only sync within reach, and nothing else of its organization; ``None`` for all of them.
        has_lapsed: Its token has expired and a fresh one is awaited; meanwhile it may read on.
    """

    organization_id: str | None = None
    rights: frozenset[Right] = ALL_RIGHTS
    subject: str | None = None
    address: str | None = None
    sync_id: str | None = None
    has_lapsed: bool = False

    def require(self, organization_id: str, right: Right | None = None) -> None:
        """Pass if the viewer may reach ``organization_id``, and there do what ``right`` stands for.

        Raises:
            BadInput: It can't be an organization's id.
            Forbidden: It is another organization's, or the viewer lacks the right.
            Unauthenticated: The right was the viewer's until the token expired.
        """
        check_organization_id(organization_id)
        if self.organization_id is not None and self.organization_id != organization_id:
            raise Forbidden("This token belongs to another organization.")
        if self.sync_id is not None:
            raise Forbidden("This token can only be used to follow one sync.")
        if right is None:
            return
        if right not in self.rights:
            raise Forbidden(
                f"You may not {_MEANS[right]}: none of your roles and permissions in this organization is among those "
                f"that ROUTIQ_{right.name}_ROLES names."
            )
        self.require_fresh()

    def require_fresh(self) -> None:
        """Raise if the viewer may only read on.

        Raises:
            Unauthenticated: The token has expired.
        """
        if self.has_lapsed:
            raise Unauthenticated("The token has expired. Send a new one and try again.")


LOCAL_OPERATOR = Viewer(subject="command line")
"""The viewer of the command line, and of the demo in a terminal."""


def check_organization_id(organization_id: str) -> None:
    """Pass if the id has the documented form.

    Raises:
        BadInput: It has not.
    """
    if not ORGANIZATION_ID.fullmatch(organization_id):
        raise BadInput("An organization id has 1 to 64 letters, digits, dashes and underscores.")


def check_sync_id(sync_id: str) -> None:
    """Pass if the id has the form of a sync's. One that has not is as unknown as any other, and is never looked up.

    Raises:
        SyncNotFound: It has not.
    """
    if not SYNC_ID.fullmatch(sync_id):
        raise SyncNotFound
