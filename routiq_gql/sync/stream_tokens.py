"""Tokens for following one sync: for ``EventSource``, which can't send a header and so has the token in its address.

Each is signed with a key that comes from the encryption keys, so that every process knows it and none stores it. It
reads one sync and nothing else, until that sync has ended, and a day at most.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt

from routiq_gql.clock import utc_now
from routiq_gql.database.keys import KeyStore
from routiq_gql.errors import Unauthenticated
from routiq_gql.sync.progress import SyncSnapshot
from routiq_gql.sync.service import SyncService
from routiq_gql.viewer import NO_RIGHTS, Viewer

LIFETIME = timedelta(hours=24)
AFTER_THE_END = timedelta(minutes=1)
"""How long a token outlives its sync, so that whoever was cut off at the last moment still reads the end."""

_PURPOSE = "routiq stream token"
_ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class StreamToken:
    """A token as it is given out.

    Attributes:
        expires_at: When it ends at the latest; it ends with its sync.
    """

    token: str
    sync_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token that was shown to us allows."""

    viewer: Viewer
    issued_at: datetime
    expires_at: datetime

    def require_valid_for(self, sync: SyncSnapshot) -> None:
        """Pass unless the sync ended a while ago.

        Raises:
            Unauthenticated: It did.
        """
        if sync.completed_at is not None and utc_now() > max(sync.completed_at, self.issued_at) + AFTER_THE_END:
            raise Unauthenticated("This stream token ended with its sync. Ask for the sync's status instead.")


class StreamTokens:
    """Makes and reads tokens."""

    def __init__(self, keys: KeyStore, syncs: SyncService) -> None:
        self._keys = keys
        self._syncs = syncs

    async def make(self, viewer: Viewer, sync_id: str) -> StreamToken:
        """A token for one sync.

        Raises:
            SyncNotFound: Unknown, or another organization's.
        """
        sync = await self._syncs.status(viewer, sync_id)
        now = utc_now().replace(microsecond=0)
        key_id, key = next(iter(self._keys.load().derived(_PURPOSE).items()))
        claims = {
            "sync": sync.sync_id,
            "org": sync.organization_id,
            "sub": viewer.subject or "",
            "iat": now,
            "exp": now + LIFETIME,
        }
        token = jwt.encode(claims, key, _ALGORITHM, headers={"kid": key_id})
        return StreamToken(token, sync.sync_id, now + LIFETIME)

    def read(self, token: str, address: str | None) -> Grant:
        """What a token allows to whoever asks from ``address``.

        Raises:
            Unauthenticated: It is none of ours, or its time is over.
        """
        try:
            key = self._keys.load().derived(_PURPOSE)[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(token, key, [_ALGORITHM], options={"require": ["iat", "exp", "sub", "sync", "org"]})
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, RecursionError):
            raise Unauthenticated("This stream token is not valid. Get another one by createStreamToken.") from None
        viewer = Viewer(claims["org"], NO_RIGHTS, claims["sub"] or None, address, sync_id=claims["sync"])
        issued_at, expires_at = (datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp"))
        return Grant(viewer, issued_at, expires_at)
