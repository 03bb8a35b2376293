"""An emulated sign-in service: it makes tokens like Clerk's and publishes its public keys.

For the demo and for tests only: ``POST /token`` gives any token to any client.
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

Algorithm = Literal["RS256", "ES256"]

JWKS_PATH = "/.well-known/jwks.json"
TOKEN_PATH = "/token"  # noqa: S105 - a path
TOKEN_SECONDS = 60
"""How long a token lives. Source: Clerk, "Session tokens"."""


class Issuer:
    """Makes tokens. Put ``routes`` under ``url``.

    Args:
        url: The ``iss`` of its tokens, without a slash at the end.

    Attributes:
        lifetime_seconds: How long tokens of ``POST /token`` live; a test may shorten it.
        key_requests: How often clients fetched its public keys.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.lifetime_seconds = TOKEN_SECONDS
        self.key_requests = 0
        self._generation = 0
        self._private_keys: dict[Algorithm, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {}
        self.rotate()

    def rotate(self) -> None:
        """Exchange all keys. Earlier tokens can't be verified with the keys published from now on."""
        self._generation += 1
        self._private_keys = {
            "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
        }

    def token(
        self,
        organization_id: str | None,
        *,
        subject: str = "user_demo",
        role: str = "member",
        permissions: Sequence[str] = (),
        version: Literal[1, 2] = 2,
        algorithm: Algorithm = "RS256",
        lifetime_seconds: float = TOKEN_SECONDS,
        claims: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> str:
        """A signed token of a person in an organization.

        Args:
            organization_id: ``None`` for a person who has selected no organization.
            permissions: Such as ``syncs:start``, feature and permission.
            version: The version of Clerk's claims.
            lifetime_seconds: From now; negative for a token that has expired.
            claims: Replace or add claims; ``None`` leaves a claim out.
            headers: Replace or add headers.
        """
        now = time.time()
        made: dict[str, Any] = {
            "iss": self.url,
            "sub": subject,
            "sid": "sess_demo",
            "iat": int(min(now, now + lifetime_seconds)),
            "nbf": int(min(now, now + lifetime_seconds)) - 10,
            "exp": int(now + lifetime_seconds),
            "v": version,
            "sts": "active",
        }
        if organization_id is not None:
            made |= _organization_claims(organization_id, role, permissions, version)
        made |= claims or {}
        return jwt.encode(
            {name: value for name, value in made.items() if value is not None},
            self._private_keys[algorithm],
            algorithm,
            headers={"kid": self._key_id(algorithm), **(headers or {})},
        )

    def public_keys(self) -> dict[str, Any]:
        """The published JSON Web Key Set."""
        keys = []
        for algorithm, private in self._private_keys.items():
            writer: Any = jwt.get_algorithm_by_name(algorithm)
            key = json.loads(writer.to_jwk(private.public_key()))
            keys.append({**key, "kid": self._key_id(algorithm), "alg": algorithm, "use": "sig"})
        return {"keys": keys}

    def routes(self, prefix: str = "") -> list[Route]:
        """The public keys, and ``POST /token?organization=ORG&role=admin&subject=user_1``: ``{"token": …}``."""

        async def jwks(_request: Request) -> JSONResponse:
            self.key_requests += 1
            return JSONResponse(self.public_keys())

        async def token(request: Request) -> JSONResponse:
            wanted = request.query_params
            made = self.token(
                wanted.get("organization"),
                subject=wanted.get("subject", "user_demo"),
                role=wanted.get("role", "admin"),
                lifetime_seconds=self.lifetime_seconds,
            )
            return JSONResponse({"token": made}, headers={"Cache-Control": "no-store"})

        return [Route(prefix + JWKS_PATH, jwks), Route(prefix + TOKEN_PATH, token, methods=["POST"])]

    def _key_id(self, algorithm: Algorithm) -> str:
        return f"{algorithm.lower()}_{self._generation}"


def _organization_claims(organization_id: str, role: str, permissions: Sequence[str], version: int) -> dict[str, Any]:
    """Source: Clerk, "Session tokens", versions 1 and 2."""
    if version == 1:
        named = [f"org:{permission}" for permission in permissions]
        return {"org_id": organization_id, "org_role": f"org:{role}", "org_permissions": named}
    pairs = [permission.split(":", 1) for permission in permissions]
    features = sorted({feature for feature, _ in pairs})
    actions = sorted({action for _, action in pairs})
    masks = [sum(1 << bit for bit, action in enumerate(actions) if [name, action] in pairs) for name in features]
    organization = {"id": organization_id, "slg": "clinic", "rol": role}
    if pairs:
        organization |= {"per": ",".join(actions), "fpm": ",".join(map(str, masks))}
    return {"o": organization, "fea": ",".join(f"o:{name}" for name in features) or None}
