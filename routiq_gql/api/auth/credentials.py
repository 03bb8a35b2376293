"""What a token that was accepted says: who asks, and until when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from routiq_gql.security.viewer import Right, Viewer


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who, and until when.

    Attributes:
        viewer: Who asks; the address is not known here.
        expires_at: Until when the token holds; ``None``: until it is revoked.
        source: By what its authenticator finds the token again; empty if it keeps no tokens.
    """

    viewer: Viewer
    expires_at: datetime | None = None
    source: str = ""


class Authenticator(Protocol):
    """One way to tell who has a token."""

    @property
    def authority(self) -> str:
        """A name for whose tokens are accepted; tokens derived from those of another authority are refused."""

    async def authenticate(self, token: str) -> Credentials:
        """Who has this token.

        Raises:
            Unauthenticated: It is not, or no longer, good.
            Forbidden: It is, but names no organization.
            IssuerAway: That can't be told at the moment.
        """

    def rights_now(self, credentials: Credentials) -> frozenset[Right] | None:
        """The rights of a token that was accepted, as of now; ``None`` once it is revoked. Its time is not checked.

        Raises:
            IssuerAway: That can't be told at the moment.
        """

    def problem(self) -> str | None:
        """Why no token can be checked, as a sentence for the operator; ``None`` while all is well."""

    async def close(self) -> None:
        """End what runs."""
