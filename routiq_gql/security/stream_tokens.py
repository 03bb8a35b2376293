"""Tokens for following one sync: for ``EventSource``, which can't send a header and so has the token in its address.

Each is signed with a key that comes from the encryption keys, so that every process knows it and none stores it. It
reads one sync and nothing else, until that sync has ended, and a day at most. It never outlives the credentials that it
was made with: it carries their end, and by what to see whether they were revoked.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

import jwt

from routiq_gql.clock import utc_now
from routiq_gql.database.keys import KeyStore
from routiq_gql.errors import RateLimited, Unauthenticated
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import NO_RIGHTS, Viewer
from routiq_gql.sync.model import SyncSnapshot

LIFETIME = timedelta(hours=24)
AFTER_THE_END = timedelta(minutes=1)
"""How long a token outlives its sync, so that whoever was cut off at the last moment still reads the end."""

MADE_PER_MINUTE = 60
"""Stream tokens that one person or program may have made within a minute: each is a row of the audit log."""
A_MINUTE_SECONDS = 60.0

ReadSync = Callable[[Viewer, str], Awaitable[SyncSnapshot]]
"""``SyncService.status``: the sync as this viewer sees it, or ``SyncNotFound``."""

_PURPOSE = "routiq stream token"
_ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class StreamToken:
    """A token as it is given out.

    Attributes:
        expires_at: When it ends at the latest; it ends with its sync, or when its parent is revoked.
    """

    token: str
    sync_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Parent:
    """The credentials with which a token is made.

    Attributes:
        authority: Which way of telling who asks has accepted them.
        source: By what that one finds them again; empty if it keeps none.
        ends_at: When their session ends; ``None``: when they are revoked.
    """

    authority: str
    source: str
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token that was shown to us allows.

    Attributes:
        authority: Of its parent, as ``source`` is.
    """

    viewer: Viewer
    issued_at: datetime
    expires_at: datetime
    authority: str
    source: str

    def require_valid_for(self, sync: SyncSnapshot) -> None:
        """Pass unless the sync ended a while ago.

        Raises:
            Unauthenticated: It did.
        """
        if sync.completed_at is not None and utc_now() > max(sync.completed_at, self.issued_at) + AFTER_THE_END:
            raise Unauthenticated("This stream token ended with its sync. Request the sync's status instead.")


class StreamTokens:
    """Makes and reads tokens."""

    def __init__(self, keys: KeyStore, read_sync: ReadSync, audit: Audit) -> None:
        self._keys = keys
        self._read_sync = read_sync
        self._audit = audit
        self._made_at: dict[str | None, deque[float]] = {}  # by who asked

    async def make(self, viewer: Viewer, sync_id: str, parent: Parent) -> StreamToken:
        """A token for one sync, which ends with its parent.

        Raises:
            SyncNotFound: Unknown, or another organization's.
            Forbidden: The viewer has a stream token only.
            Unauthenticated: The viewer's own token has expired.
            RateLimited: The viewer has had too many made within the last minute.
        """
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
        """What a token allows to whoever asks from ``address``.

        Raises:
            Unauthenticated: It is not one of ours, or its time is over.
        """
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
        """Count a token that is about to be made.

        Raises:
            RateLimited: It is one too many.
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
