"""What a token that was accepted says: who asks, and until when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from routiq_gql.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who, and until when.

    Attributes:
        viewer: Who asks; the address is not known here.
        expires_at: Until when the token holds; ``None``: until it is revoked.
    """

    viewer: Viewer
    expires_at: datetime | None = None


class Authenticator(Protocol):
    """One way to tell who has a token."""

    async def authenticate(self, token: str) -> Credentials:
        """Who has this token.

        Raises:
            Unauthenticated: It is not, or no longer, good.
            Forbidden: It is, but names no organization.
            IssuerAway: That can't be told at the moment.
        """

    def is_revoked(self, credentials: Credentials) -> bool:
        """Whether a token that was accepted would be refused now, its time apart."""

    async def close(self) -> None:
        """End what runs."""
