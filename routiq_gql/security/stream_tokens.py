"""Tokens for following one sync, in the address: ``EventSource`` can't send a header.

Each is signed with a key derived from the encryption keys, so that every process can check it without storing it. It
reads a single sync, until that sync has ended, for at most a day. It never outlives its parent's credentials: it
carries their expiry, and a reference for checking whether they were revoked.

PyJWT is imported by the first token: it loads all of cryptography's certificates, which would slow every start.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from routiq_gql.clock import utc_now
from routiq_gql.database.keys import KeyStore
from routiq_gql.errors import RateLimited, Unauthenticated
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import NO_RIGHTS, Viewer
from routiq_gql.sync.model import SyncSnapshot

LIFETIME = timedelta(hours=24)
AFTER_THE_END = timedelta(minutes=1)
"""How long a token outlives its sync, so that a client without a connection at that moment can still read the end."""

MADE_PER_MINUTE = 60
"""Limit per person or program; each token is a row of the audit log."""
A_MINUTE_SECONDS = 60.0

ReadSync = Callable[[Viewer, str], Awaitable[SyncSnapshot]]
"""``SyncService.status``: the sync as the viewer may see it, or ``SyncNotFound``."""

_PURPOSE = "routiq stream token"
_ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class StreamToken:
    """A new token.

    Attributes:
        expires_at: The latest expiry; it ends earlier with its sync, or when its parent is revoked.
    """

    token: str
    sync_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Parent:
    """The credentials that create a token.

    Attributes:
        authority: The authentication method that accepted them.
        source: Identifies them for that method; empty if it stores none.
        ends_at: The end of their session; ``None`` if they are valid until revoked.
    """

    authority: str
    source: str
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Grant:
    """The rights of a token in a request.

    Attributes:
        authority: From its parent, as ``source``.
    """

    viewer: Viewer
    issued_at: datetime
    expires_at: datetime
    authority: str
    source: str

    def require_valid_for(self, sync: SyncSnapshot) -> None:
        """Raise if the sync ended more than a minute ago.

        Raises:
            Unauthenticated: It did.
        """
        if sync.completed_at is not None and utc_now() > max(sync.completed_at, self.issued_at) + AFTER_THE_END:
            raise Unauthenticated("This stream token ended with its sync. Request the sync's status instead.")


class StreamTokens:
    """Creates and checks tokens."""

    def __init__(self, keys: KeyStore, read_sync: ReadSync, audit: Audit) -> None:
        self._keys = keys
        self._read_sync = read_sync
        self._audit = audit
        self._made_at: dict[str | None, deque[float]] = {}  # by subject

    async def make(self, viewer: Viewer, sync_id: str, parent: Parent) -> StreamToken:
        """A token for a sync, which ends with its parent.

        Raises:
            SyncNotFound: Unknown, or another organization's.
            Forbidden: The viewer has a stream token only.
            Unauthenticated: The viewer's token has expired.
            RateLimited: The viewer has created too many within the last minute.
        """
        import jwt  # noqa: PLC0415

        sync = await self._read_sync(viewer, sync_id)
        self._audit.require(viewer, sync.organization_id, Action.STREAM)
        with self._audit.noting(RateLimited, Action.STREAM, viewer, sync.organization_id):
            self._count(viewer.subject)
        now = utc_now().replace(microsecond=0)
        ends = now + LIFETIME
        if parent.ends_at is not None:
            ends = min(ends, parent.ends_at.replace(microsecond=0))
        key_id, key = next(iter(self._keys.load().derived(_PURPOSE).items()))
        claims = {
            "sync": sync.sync_id,
            "org": sync.organization_id,
            "sub": viewer.subject or "",
            "iat": now,
            "exp": ends,
            "parent": [parent.authority, parent.source],
        }
        token = jwt.encode(claims, key, _ALGORITHM, headers={"kid": key_id})
        await self._audit.record(viewer, Action.STREAM, sync.organization_id, sync_id=sync.sync_id)
        return StreamToken(token, sync.sync_id, ends)

    def read(self, token: str, address: str | None) -> Grant:
        """The rights of a token that is used from ``address``.

        Raises:
            Unauthenticated: It is not valid, or has expired.
        """
        import jwt  # noqa: PLC0415

        required = ["iat", "exp", "sub", "sync", "org", "parent"]
        try:
            key = self._keys.load().derived(_PURPOSE)[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(token, key, [_ALGORITHM], options={"require": required})
            authority, source = claims["parent"]
        except jwt.MissingRequiredClaimError:
            raise Unauthenticated(
                "An earlier version of this server created this stream token. Create a new one with createStreamToken."
            ) from None
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, RecursionError):
            raise Unauthenticated("This stream token is not valid. Create a new one with createStreamToken.") from None
        viewer = Viewer(claims["org"], NO_RIGHTS, claims["sub"] or None, address, sync_id=claims["sync"])
        issued_at, expires_at = (datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp"))
        return Grant(viewer, issued_at, expires_at, authority, source)

    def _count(self, subject: str | None) -> None:
        """Count a token that is about to be created.

        Raises:
            RateLimited: The subject has created too many within a minute.
        """
        now = time.monotonic()
        for one in [one for one, moments in self._made_at.items() if now - moments[-1] > A_MINUTE_SECONDS]:
            del self._made_at[one]
        moments = self._made_at.setdefault(subject, deque(maxlen=MADE_PER_MINUTE))
        if len(moments) == MADE_PER_MINUTE and now - moments[0] < A_MINUTE_SECONDS:
            seconds = max(1, ceil(moments[0] + A_MINUTE_SECONDS - now))
            raise RateLimited(
                f"You created {MADE_PER_MINUTE} stream tokens within a minute; one is enough to follow a sync. Try "
                f"again in {seconds} s.",
                seconds,
            )
        moments.append(now)
