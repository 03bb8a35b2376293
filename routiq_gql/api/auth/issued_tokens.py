"""``ROUTIQ_AUTH=jwt``: tokens that an issuer such as Clerk has signed, checked with its public keys."""

from datetime import UTC, datetime, timedelta

import jwt

from routiq_gql.api.auth.claims import check_party, organization_of, roles_of, subject_of
from routiq_gql.api.auth.credentials import Credentials
from routiq_gql.api.auth.roles import RoleTable
from routiq_gql.api.auth.session import LEEWAY
from routiq_gql.clock import utc_now
from routiq_gql.errors import SettingsError, Unauthenticated
from routiq_gql.security.jwks import KeySet
from routiq_gql.security.viewer import Right, Viewer
from routiq_gql.settings import Settings
from routiq_gql.supervision import SupervisedTask

ALGORITHMS = ("RS256", "ES256")
"""Asymmetric algorithms only: with a shared secret, every process that checks tokens could make them."""

_KEYS_BY_HEADER = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})
"""Headers that bring a key within the token, or demand unsupported extensions. Source: RFC 7515, 4.1."""

_REQUIRED = ("iss", "exp", "sub")
_NOT_OURS = "This token is not accepted here."


class IssuedTokens:
    """Accepts the tokens of an issuer. Close it."""

    def __init__(self, settings: Settings) -> None:
        if not settings.jwt_issuer:
            raise SettingsError(
                "ROUTIQ_JWT_ISSUER is not set. With ROUTIQ_AUTH=jwt it must name the issuer of the accepted tokens, "
                "such as https://clerk.example.com."
            )
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience or None
        self._parties = settings.jwt_authorized_parties
        self._longest = timedelta(seconds=settings.max_token_lifetime)
        self._roles = RoleTable(settings)
        self._keys = KeySet(settings.jwt_jwks_url or f"{settings.jwt_issuer.rstrip('/')}/.well-known/jwks.json")

    async def authenticate(self, token: str) -> Credentials:
        """See ``Authenticator``."""
        claims = await self._verified(token)
        check_party(claims, self._parties)
        expires_at = _time(claims["exp"])
        self._check_lifetime(expires_at, _time(claims["iat"]) if "iat" in claims else None)
        viewer = Viewer(organization_of(claims), self._roles.rights_of(roles_of(claims)), subject_of(claims))
        return Credentials(viewer, expires_at)

    @property
    def authority(self) -> str:
        """See ``Authenticator``."""
        return f"jwt {self._issuer}"

    def rights_now(self, credentials: Credentials) -> frozenset[Right] | None:
        """Issued tokens can only expire, and changed rights come with a fresh token."""
        return credentials.viewer.rights

    def problem(self) -> str | None:
        """See ``Authenticator``. The supervised task that fetches the keys reports by itself."""
        return None

    @property
    def supervised(self) -> tuple[SupervisedTask, ...]:
        """The background task that fetches keys."""
        return (self._keys.refresh,)

    async def close(self) -> None:
        """End the background task."""
        await self._keys.close()

    def _check_lifetime(self, expires_at: datetime, issued_at: datetime | None) -> None:
        """Raise if the token lives longer than the setting allows, with or without an ``iat``."""
        if expires_at - utc_now() > self._longest + LEEWAY or (
            issued_at is not None and expires_at - issued_at > self._longest
        ):
            raise Unauthenticated(
                "The lifetime of this token is too long: ROUTIQ_MAX_TOKEN_LIFETIME allows "
                f"{self._longest // timedelta(seconds=1)} s. Set a shorter one at its issuer.",
                may_be_mended=False,
            )

    async def _verified(self, token: str) -> dict[str, object]:
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
            raise Unauthenticated("The token has expired. Send a new one.") from None
        except jwt.ImmatureSignatureError:
            raise Unauthenticated(
                "The token is not valid yet. Check the clocks of the issuer and of this server."
            ) from None
        except jwt.InvalidAudienceError:
            raise Unauthenticated(
                "This token is for another audience. ROUTIQ_JWT_AUDIENCE lists the accepted ones.", may_be_mended=False
            ) from None
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
            raise Unauthenticated(_NOT_OURS, may_be_mended=False) from None


def _time(claim: object) -> datetime:
    """The time of a claim. Source: RFC 7519, "NumericDate".

    Raises:
        Unauthenticated: The number is not a time.
    """
    try:
        return datetime.fromtimestamp(int(claim), UTC)  # type: ignore[call-overload]
    except (ValueError, TypeError, OverflowError, OSError):
        raise Unauthenticated(_NOT_OURS, may_be_mended=False) from None
