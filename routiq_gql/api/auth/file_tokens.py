"""``ROUTIQ_AUTH=token``: long-lived tokens, each for an organization, made and revoked by an operator."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog

from routiq_gql.api.auth.credentials import Credentials
from routiq_gql.api.auth.roles import RoleTable
from routiq_gql.errors import IssuerAway, SettingsError, Unauthenticated
from routiq_gql.rate_limited_log import RateLimitedLog
from routiq_gql.security.token_file import TokenEntry, TokenFile
from routiq_gql.security.viewer import Right, Viewer
from routiq_gql.settings import Settings
from routiq_gql.supervision import SupervisedTask

log = structlog.get_logger(__name__)

T = TypeVar("T")


class FileTokens:
    """Accepts the tokens of ``ROUTIQ_TOKENS_FILE``."""

    authority = "token"
    supervised: tuple[SupervisedTask, ...] = ()

    def __init__(self, settings: Settings) -> None:
        if not settings.tokens_file:
            raise SettingsError(
                "ROUTIQ_TOKENS_FILE is not set. With ROUTIQ_AUTH=token it must name the file of `routiq-gql tokens`, "
                "such as /var/lib/routiq/tokens."
            )
        self._file = TokenFile(Path(settings.tokens_file))
        self._roles = RoleTable(settings)
        self._unusable = RateLimitedLog("token_file_unusable")
        if not self._file.entries():
            log.warning("no_tokens_yet", what_to_do="Make a token: routiq-gql tokens add ORG")

    async def authenticate(self, token: str) -> Credentials:
        """See ``Authenticator``."""
        entry = self._read(lambda: self._file.find(token))
        if entry is None:
            raise Unauthenticated("This token is not accepted here.", may_be_mended=False)
        rights = self._roles.rights_of(entry.roles)
        return Credentials(Viewer(entry.organization_id, rights, f"token:{entry.id}"), source=_source_of(entry))

    def rights_now(self, credentials: Credentials) -> frozenset[Right] | None:
        """See ``Authenticator``. A line that names another token or organization than before has replaced the token."""
        entry = self._read(lambda: self._file.entry(credentials.source.partition(".")[0]))
        if entry is None or _source_of(entry) != credentials.source:
            return None
        if entry.organization_id != credentials.viewer.organization_id:
            return None
        return self._roles.rights_of(entry.roles)

    def problem(self) -> str | None:
        """See ``Authenticator``."""
        try:
            self._read(self._file.entries)
        except IssuerAway:
            return "Tokens can't be checked because the token file can't be used. The server log has the reason."
        return None

    async def close(self) -> None:
        """Nothing is open."""

    def _read(self, read: Callable[[], T]) -> T:
        """Return the result of ``read``. Logs why the file can't be used, for the operator, at most once a minute.

        Raises:
            IssuerAway: The file can't be used at the moment.
        """
        try:
            return read()
        except SettingsError as error:
            self._unusable.warn(reason=error.message)
            raise IssuerAway("Tokens can't be checked at the moment. Try again soon.") from None


def _source_of(entry: TokenEntry) -> str:
    """The id and a part of the digest, which reveals nothing of a token of 256 random bits."""
    return f"{entry.id}.{entry.digest[:16]}"
