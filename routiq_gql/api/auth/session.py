"""How long one socket or stream may go on: until its token has expired and the time to bring a fresh one has passed.

Tokens live for a minute, subscriptions for hours. In between, within ``ROUTIQ_AUTH_GRACE_SECONDS``, the viewer may read
on but do nothing else. A token may be revoked or given other roles meanwhile: each new operation checks that, and open
ones every few seconds.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from routiq_gql.api.auth.credentials import Authenticator, Credentials
from routiq_gql.clock import utc_now
from routiq_gql.errors import IssuerAway, Unauthenticated
from routiq_gql.security.stream_tokens import Parent
from routiq_gql.security.viewer import Viewer

LEEWAY = timedelta(seconds=5)
"""How far the clocks of issuer and server may differ."""
NO_AUTHORITY = "off"
"""The authority of every request while ``ROUTIQ_AUTH`` is off."""
PARENT_IS_GONE = (
    "The token that created this stream token is no longer accepted. Create a new one with createStreamToken."
)
WAS_REVOKED = "The token was revoked."
HAS_EXPIRED = "The token has expired. Reconnect with a new one."
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
        """Who asks, with the rights of the last look; its time is always that of now."""
        viewer, expires_at = self._credentials.viewer, self._credentials.expires_at
        has_lapsed = expires_at is not None and utc_now() > expires_at + self._leeway
        return replace(viewer, has_lapsed=True) if has_lapsed else viewer

    def current_viewer(self) -> Viewer:
        """Who asks, with the rights of now.

        Raises:
            Unauthenticated: The token was revoked, or its session is over.
        """
        if not self._look():
            raise Unauthenticated(WAS_REVOKED)
        if self._end is not None and utc_now() > self._end:
            raise Unauthenticated(HAS_EXPIRED)
        return self.viewer

    def require_child_of(self, authority: str) -> None:
        """Raise unless what this viewer's stream token was made with would be accepted now.

        Raises:
            Unauthenticated: It was revoked, or other tokens than those of ``authority`` are accepted now.
            IssuerAway: That can't be told at the moment.
        """
        accepted = self._authenticator
        if authority != self.parent.authority or (
            accepted is not None and accepted.rights_now(self._credentials) is None
        ):
            raise Unauthenticated(PARENT_IS_GONE)

    @property
    def parent(self) -> Parent:
        """What a token that is made for this viewer is derived from."""
        authority = NO_AUTHORITY if self._authenticator is None else self._authenticator.authority
        return Parent(authority, self._credentials.source, self._end)

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
            raise Unauthenticated("This token belongs to another person or organization. Open a new connection for it.")
        self._credentials = credentials

    async def until_over(self) -> str:
        """Wait for the end; the sentence that says why."""
        while True:
            if not self._look():
                return WAS_REVOKED
            wait_seconds = LOOK_SECONDS
            if self._end is not None:
                left = (self._end - utc_now()).total_seconds()
                if left <= 0:
                    return HAS_EXPIRED
                wait_seconds = min(left, wait_seconds)
            await asyncio.sleep(wait_seconds)

    def _look(self) -> bool:
        """Take over the rights of now; whether the token is still accepted."""
        if self._authenticator is None:
            return True
        try:
            rights = self._authenticator.rights_now(self._credentials)
        except IssuerAway:  # new tokens are refused now; those that were accepted stay until the file is mended
            return True
        if rights is None:
            return False
        viewer = self._credentials.viewer
        if rights != viewer.rights and viewer.sync_id is None:  # a stream token never has any
            self._credentials = replace(self._credentials, viewer=replace(viewer, rights=rights))
        return True

    @property
    def _end(self) -> datetime | None:
        expires_at = self._credentials.expires_at
        return expires_at + max(self._grace, self._leeway) if expires_at is not None else None

    @property
    def _leeway(self) -> timedelta:
        """None for stream tokens, which our own clock has made."""
        return LEEWAY if self._credentials.viewer.sync_id is None else timedelta(0)
