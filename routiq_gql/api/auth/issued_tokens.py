"""``ROUTIQ_AUTH=jwt``: tokens that an issuer such as Clerk has signed, checked with its public keys."""

from datetime import UTC, datetime
from typing import Any

import jwt

from routiq_gql.api.auth.claims import check_party, organization_of, roles_of, subject_of
from routiq_gql.api.auth.credentials import Credentials
from routiq_gql.api.auth.roles import RoleTable
from routiq_gql.api.auth.session import LEEWAY
from routiq_gql.errors import SettingsError, Unauthenticated
from routiq_gql.jwks import KeySet
from routiq_gql.settings import Settings
from routiq_gql.viewer import Viewer

ALGORITHMS = ("RS256", "ES256")
"""Asymmetric ones only: with a shared secret, whoever can check a token could make one."""

_KEYS_BY_HEADER = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})
"""Headers by which a token would bring its own key, or demand what we don't do. Source: RFC 7515, 4.1."""

_REQUIRED = ("iss", "exp", "sub")
_NOT_OURS = "This token is none that is accepted here."


class IssuedTokens:
    """Accepts the tokens of one issuer. Close it."""

    def __init__(self, settings: Settings) -> None:
        if not settings.jwt_issuer:
            raise SettingsError(
                "ROUTIQ_JWT_ISSUER is missing: with ROUTIQ_AUTH=jwt it says whose tokens are accepted, such as "
                "https://clerk.example.com."
            )
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience or None
        self._parties = settings.jwt_authorized_parties
        self._roles = RoleTable(settings)
        self._keys = KeySet(settings.jwt_jwks_url or f"{settings.jwt_issuer.rstrip('/')}/.well-known/jwks.json")

    async def authenticate(self, token: str) -> Credentials:
        """See ``Authenticator``."""
        claims = await self._verified(token)
        check_party(claims, self._parties)
        viewer = Viewer(organization_of(claims), self._roles.rights_of(roles_of(claims)), subject_of(claims))
        return Credentials(viewer, _time(claims["exp"]))

    def is_revoked(self, credentials: Credentials) -> bool:
        """Issued tokens end by their time alone."""
        del credentials
        return False

    async def close(self) -> None:
        """End what runs."""
        await self._keys.close()

    async def _verified(self, token: str) -> dict[str, Any]:
        """The claims of a token with a good signature, from the issuer, and within its time."""
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise Unauthenticated(_NOT_OURS, may_be_mended=False) from None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS or not isinstance(key_id, str) or _KEYS_BY_HEADER & header.keys():
            raise Unauthenticated(_NOT_OURS, may_be_mended=False)
        key = await self._keys.key(key_id, algorithm)
        if key is None:  # the issuer may have begun to use it a moment ago
            raise Unauthenticated("This token was signed with a key that its issuer does not publish.")
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": list(_REQUIRED), "verify_aud": self._audience is not None},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired. Send a fresh one.") from None
        except jwt.ImmatureSignatureError:
            raise Unauthenticated("The token is not valid yet. Check the clocks of issuer and server.") from None
        except jwt.InvalidAudienceError:
            raise Unauthenticated(
                "This token is not meant for this server; ROUTIQ_JWT_AUDIENCE says which are.", may_be_mended=False
            ) from None
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
            raise Unauthenticated(_NOT_OURS, may_be_mended=False) from None


def _time(claim: object) -> datetime:
    """When that is. Source: RFC 7519, "NumericDate".

    Raises:
        Unauthenticated: It is no time that a clock could show.
    """
    try:
        return datetime.fromtimestamp(int(claim), UTC)  # type: ignore[call-overload]
    except (ValueError, TypeError, OverflowError, OSError):
        raise Unauthenticated(_NOT_OURS, may_be_mended=False) from None
