"""The lifetime of a socket or stream: until its token has expired and the grace period for a fresh token has passed.

Tokens live for a minute, subscriptions for hours. Within ``ROUTIQ_AUTH_GRACE_SECONDS`` of the expiry the viewer may
continue to read, and nothing else. A token may be revoked or get other roles meanwhile: each new operation checks that,
and open operations check it every few seconds.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from routiq_gql.api.auth.credentials import Authenticator, Credentials
from routiq_gql.clock import utc_now
from routiq_gql.errors import Forbidden, IssuerAway, Unauthenticated
from routiq_gql.security.stream_tokens import Parent
from routiq_gql.security.viewer import Right, Viewer

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
"""The interval at which an open socket or stream checks its token and the clock."""


class Session:
    """The viewer of a request, stream or socket.

    Args:
        authenticator: The authenticator that accepted the token; ``None`` if the token can't be revoked.
        grace: How long the session outlives its token.
    """

    def __init__(
        self, credentials: Credentials, authenticator: Authenticator | None = None, grace: timedelta = timedelta(0)
    ) -> None:
        self._credentials = credentials
        self._authenticator = authenticator
        self._grace = grace

    @property
    def viewer(self) -> Viewer:
        """The viewer with the rights of the last check, and with the current state of the grace period."""
        viewer, expires_at = self._credentials.viewer, self._credentials.expires_at
        has_lapsed = expires_at is not None and utc_now() > expires_at + self._leeway
        return replace(viewer, has_lapsed=True) if has_lapsed else viewer

    def current_viewer(self) -> Viewer:
        """The viewer with its current rights.

        Raises:
            Unauthenticated: The token was revoked, or its session is over.
        """
        if not self._look():
            raise Unauthenticated(WAS_REVOKED)
        if self._end is not None and utc_now() > self._end:
            raise Unauthenticated(HAS_EXPIRED)
        return self.viewer

    def require_still(self, right: Right) -> None:
        """Raise unless the viewer still has a right, with which an open response began; the grace period counts.

        Raises:
            Unauthenticated: The token was revoked, or its session is over.
            Forbidden: The token has other roles now.
        """
        if right not in self.current_viewer().rights:
            raise Forbidden("The roles of this token have changed, and no longer allow this.")

    def require_child_of(self, authority: str) -> None:
        """Raise unless the parent of this viewer's stream token is still accepted.

        Raises:
            Unauthenticated: It was revoked, or ``authority`` no longer issues the accepted tokens.
            IssuerAway: It can't be checked at the moment.
        """
        accepted = self._authenticator
        if authority != self.parent.authority or (
            accepted is not None and accepted.rights_now(self._credentials) is None
        ):
            raise Unauthenticated(PARENT_IS_GONE)

    @property
    def parent(self) -> Parent:
        """The parent of tokens that are made for this viewer."""
        authority = NO_AUTHORITY if self._authenticator is None else self._authenticator.authority
        return Parent(authority, self._credentials.source, self._end)

    @property
    def can_end(self) -> bool:
        """Whether the session can end by expiry or revocation."""
        return self._credentials.expires_at is not None or self._authenticator is not None

    def renew(self, credentials: Credentials) -> None:
        """Continue with a fresh token of the same person and organization.

        Raises:
            Unauthenticated: The token belongs to another person or organization.
        """
        ours, theirs = self._credentials.viewer, credentials.viewer
        if (ours.subject, ours.organization_id) != (theirs.subject, theirs.organization_id):
            raise Unauthenticated("This token belongs to another person or organization. Open a new connection for it.")
        self._credentials = credentials

    async def until_over(self) -> str:
        """Wait for the end, and return its reason as a sentence."""
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
        """Update the rights; false if the token is no longer accepted."""
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
