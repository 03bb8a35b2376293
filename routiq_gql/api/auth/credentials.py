"""The content of an accepted token: the viewer and the expiry."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from routiq_gql.security.viewer import Right, Viewer
from routiq_gql.supervision import SupervisedTask


@dataclass(frozen=True, slots=True)
class Credentials:
    """The viewer and the expiry.

    Attributes:
        viewer: The viewer, without the network address.
        expires_at: When the token expires; ``None`` if it only ends by revocation.
        source: The key by which the authenticator finds the token again; empty if it keeps no tokens.
    """

    viewer: Viewer
    expires_at: datetime | None = None
    source: str = ""


class Authenticator(Protocol):
    """A way to authenticate tokens."""

    @property
    def authority(self) -> str:
        """The name of the authority whose tokens are accepted. Tokens derived from another authority's are refused."""

    async def authenticate(self, token: str) -> Credentials:
        """The credentials of a token.

        Raises:
            Unauthenticated: The token is not valid, or no longer valid.
            Forbidden: It is valid, but names no organization.
            IssuerAway: It can't be checked at the moment.
        """

    def rights_now(self, credentials: Credentials) -> frozenset[Right] | None:
        """The rights of a token that was accepted, as of now; ``None`` once it is revoked. Its time is not checked.

        Raises:
            IssuerAway: The revocation can't be checked at the moment.
        """

    def problem(self) -> str | None:
        """Why no token can be checked, as a sentence for the operator; ``None`` while all is well."""

    @property
    def supervised(self) -> tuple[SupervisedTask, ...]:
        """Its background tasks."""

    async def close(self) -> None:
        """End the background tasks."""
