"""Authentication of requests and sockets, for every transport.

Refusals are noted in the audit log. Tokens are never logged, and never leave this package.
"""

import ipaddress
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

from starlette.requests import HTTPConnection

from routiq_gql.api.auth.credentials import Authenticator, Credentials
from routiq_gql.api.auth.file_tokens import FileTokens
from routiq_gql.api.auth.session import Session
from routiq_gql.errors import Forbidden, SettingsError, Unauthenticated
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.stream_tokens import Grant, StreamTokens
from routiq_gql.security.viewer import Viewer
from routiq_gql.settings import Settings
from routiq_gql.supervision import SupervisedTask

MAX_TOKEN_CHARACTERS = 8192
"""No issuer makes longer tokens, and web servers accept no longer header."""

_MISSING = "This request has no token. Send “Authorization: Bearer …”, or a token in connection_init."
"""Short enough for the frame that closes a websocket."""


class Authentication:
    """Finds the viewer of a request, by ``ROUTIQ_AUTH``. Close it.

    Raises:
        SettingsError: A setting that goes with ``ROUTIQ_AUTH`` is missing.
    """

    def __init__(self, settings: Settings) -> None:
        self._grace = timedelta(seconds=settings.auth_grace_seconds)
        self._authenticator = _authenticator(settings)
        if self._authenticator is not None and not settings.allowed_hosts:
            raise SettingsError(
                f"ROUTIQ_ALLOWED_HOSTS is not set. With ROUTIQ_AUTH={settings.auth} it must list the host names of "
                "this server, such as routiq.example.com."
            )

    async def session(self, connection: HTTPConnection, audit: Audit) -> Session:
        """The session of an HTTP request.

        Raises:
            Unauthenticated: Its token is missing or not good.
            Forbidden: It names no organization.
            IssuerAway: The token can't be checked at the moment.
        """
        if self._authenticator is None:  # without a wait, as for most requests on one's own machine
            return Session(_operator_at(_address_of(connection)))
        return await self.session_of(self.authorization_of(connection), connection, audit)

    @staticmethod
    def authorization_of(connection: HTTPConnection) -> str | None:
        """The header ``Authorization`` of a request or handshake; ``None`` unless there is exactly one."""
        headers = connection.headers.getlist("authorization")
        return headers[0] if len(headers) == 1 else None

    async def session_of(self, authorization: object, connection: HTTPConnection, audit: Audit) -> Session:
        """The session for a value of ``Authorization``, including ``Bearer``; raises as ``session``."""
        credentials = await self._credentials(authorization, connection, audit)
        return Session(credentials, self._authenticator, self._grace)

    def grant(
        self, token: str, connection: HTTPConnection, tokens: StreamTokens, audit: Audit
    ) -> tuple[Grant, Session]:
        """The grant and the session of a stream token, which a client without headers sends in the address.

        Raises:
            Unauthenticated: It is not ours, it has expired, or its parent token is no longer accepted.
            IssuerAway: The parent token can't be checked at the moment.
        """
        address = _address_of(connection)
        try:
            grant = tokens.read(token, address)
            session = Session(Credentials(grant.viewer, grant.expires_at, grant.source), self._authenticator)
            session.require_child_of(grant.authority)
        except Unauthenticated as error:
            audit.refused(error, Action.ASK, Viewer(address=address))
            raise
        return grant, session

    async def renew(self, session: Session, authorization: object, connection: HTTPConnection, audit: Audit) -> None:
        """Extend a session with a fresh token.

        Raises:
            Unauthenticated: It is not good, or another person's or organization's.
            Forbidden: It names no organization.
            IssuerAway: The token can't be checked at the moment.
        """
        session.renew(await self._credentials(authorization, connection, audit))

    @property
    def supervised(self) -> tuple[SupervisedTask, ...]:
        """The background tasks that authentication needs."""
        return self._authenticator.supervised if self._authenticator is not None else ()

    def problem(self) -> str | None:
        """Why no token can be checked, as a sentence for the operator; ``None`` while all is well."""
        return self._authenticator.problem() if self._authenticator is not None else None

    async def close(self) -> None:
        """End the background tasks."""
        if self._authenticator is not None:
            await self._authenticator.close()

    async def _credentials(self, authorization: object, connection: HTTPConnection, audit: Audit) -> Credentials:
        address = _address_of(connection)
        if self._authenticator is None:
            return _operator_at(address)
        try:
            found = await self._authenticator.authenticate(_bearer(authorization))
        except (Unauthenticated, Forbidden) as error:
            audit.refused(error, Action.ASK, Viewer(address=address))
            raise
        return replace(found, viewer=replace(found.viewer, address=address))


def _authenticator(settings: Settings) -> Authenticator | None:
    """The authenticator of ``ROUTIQ_AUTH``."""
    match settings.auth:
        case "off":
            return None
        case "token":
            return FileTokens(settings)
        case "jwt":
            from routiq_gql.api.auth.issued_tokens import IssuedTokens  # noqa: PLC0415 — imports httpx and PyJWT

            return IssuedTokens(settings)


def _address_of(connection: HTTPConnection) -> str | None:
    """The client's IP address; ``None`` if a proxy reports another text."""
    client = connection.scope.get("client")
    return _ip_address(client[0]) if client else None


@lru_cache(maxsize=1_000)
def _ip_address(host: str) -> str | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])  # the zone may be any text
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


@lru_cache(maxsize=1_000)
def _operator_at(address: str | None) -> Credentials:
    return Credentials(Viewer(address=address))


def _bearer(authorization: object) -> str:
    """The token behind ``Bearer``, which may be written in any case. Source: RFC 9110, "Authentication Scheme"."""
    if authorization is None:
        raise Unauthenticated(_MISSING, may_be_mended=False)
    scheme, _, token = authorization.partition(" ") if isinstance(authorization, str) else ("", "", "")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not 0 < len(token) <= MAX_TOKEN_CHARACTERS or not token.isascii():
        raise Unauthenticated(_MISSING, may_be_mended=False)
    return token
