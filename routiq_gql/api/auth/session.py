"""How long one socket or stream may go on: until its token has expired and the time to bring a fresh one has passed.

Tokens live for a minute, subscriptions for hours. In between, within ``ROUTIQ_AUTH_GRACE_SECONDS``, the viewer may read
on but do nothing else.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from routiq_gql.api.auth.credentials import Authenticator, Credentials
from routiq_gql.clock import utc_now
from routiq_gql.errors import Unauthenticated
from routiq_gql.viewer import Viewer

LEEWAY = timedelta(seconds=5)
"""How far the clocks of issuer and server may differ."""
LOOK_SECONDS = 5.0
"""How often an open socket or stream looks whether its token was revoked, or the clock has jumped."""


class Session:
    """The viewer of one request, stream or socket.

    Args:
        authenticator: Who has accepted the token; ``None`` for one that can't be revoked.
        grace: How long it outlives its token.
    """

    def __init__(
        self, credentials: Credentials, authenticator: Authenticator | None = None, grace: timedelta = timedelta(0)
    ) -> None:
        self._credentials = credentials
        self._authenticator = authenticator
        self._grace = grace

    @property
    def viewer(self) -> Viewer:
        """Who asks, as of now."""
        viewer, expires_at = self._credentials.viewer, self._credentials.expires_at
        return (
            replace(viewer, has_lapsed=True) if expires_at is not None and utc_now() > expires_at + LEEWAY else viewer
        )

    @property
    def can_end(self) -> bool:
        """Whether it ever ends by itself."""
        return self._credentials.expires_at is not None or self._authenticator is not None

    def renew(self, credentials: Credentials) -> None:
        """Go on with a fresh token of the same person and organization.

        Raises:
            Unauthenticated: It is somebody else's.
        """
        ours, theirs = self._credentials.viewer, credentials.viewer
        if (ours.subject, ours.organization_id) != (theirs.subject, theirs.organization_id):
            raise Unauthenticated("This token is of another person or organization. Open another connection with it.")
        self._credentials = credentials

    async def until_over(self) -> str:
        """Wait for the end; the sentence that says why."""
        while True:
            if self._authenticator is not None and self._authenticator.is_revoked(self._credentials):
                return "The token was revoked."
            wait_seconds = LOOK_SECONDS
            if self._end is not None:
                left = (self._end - utc_now()).total_seconds()
                if left <= 0:
                    return "The token has expired. Reconnect with a fresh one."
                wait_seconds = min(left, wait_seconds)
            await asyncio.sleep(wait_seconds)

    @property
    def _end(self) -> datetime | None:
        expires_at = self._credentials.expires_at
        return expires_at + max(self._grace, LEEWAY) if expires_at is not None else None
