"""An organization's access to Cliniko: stored, checked and opened. Called by the command line and by the sync.

The key leaves this module only inside a client; it is encrypted before it is stored. A base URL comes from an
operator or from the key itself, never from a client of the API.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from routiq_gql.cliniko import (
    Access,
    Backoff,
    ClinikoClient,
    ClinikoError,
    PacerRegistry,
    Wait,
    base_url_for,
    check_access,
    shard_of,
)
from routiq_gql.clock import utc_now
from routiq_gql.database.connections import connection_of, save_connection
from routiq_gql.database.engine import Database
from routiq_gql.database.keys import KeyRing
from routiq_gql.errors import BadInput, RoutiqError, SettingsError
from routiq_gql.settings import Settings, is_loopback_url
from routiq_gql.sync.progress import FailureCode

OnWait = Callable[[Wait], Awaitable[None]]

ORGANIZATION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class ConnectionState(StrEnum):
    """Whether an organization's connection may be used."""

    CONNECTED = "connected"
    DISABLED = "disabled"
    NEEDS_ATTENTION = "needs_attention"


class ConnectionProblem(RoutiqError):
    """A sync can't use the organization's connection; becomes the sync's failure."""

    code = "CONNECTION_PROBLEM"

    def __init__(self, failure_code: FailureCode, message: str, what_to_do: str) -> None:
        super().__init__(message)
        self.failure_code = failure_code
        self.what_to_do = what_to_do


@dataclass(frozen=True, slots=True)
class ConnectedAccount:
    """What ``connect`` found out; ``access`` is ``None`` when it was told not to check."""

    organization_id: str
    base_url: str
    shard: str
    access: Access | None


def check_organization_id(organization_id: str) -> None:
    """Pass if the id has the documented form.

    Raises:
        BadInput: It has not.
    """
    if not ORGANIZATION_ID.fullmatch(organization_id):
        raise BadInput("An organization id has 1 to 64 letters, digits, dashes and underscores.")


def appointment_window(now: datetime, settings: Settings) -> tuple[datetime, datetime]:
    """The times between which appointments are read: the recent and the upcoming window together."""
    return now - timedelta(days=settings.recent_days), now + timedelta(days=settings.upcoming_days)


class ConnectionService:
    """The door to connections."""

    def __init__(self, database: Database, keys: KeyRing, settings: Settings) -> None:
        self._database = database
        self._keys = keys
        self._settings = settings
        self._pacers = PacerRegistry(settings.cliniko_requests_per_minute)

    async def connect(
        self, organization_id: str, api_key: str, base_url: str | None = None, *, check: bool = True
    ) -> ConnectedAccount:
        """Check that the key reads every list that a sync reads, then store it, replacing an earlier one.

        Raises:
            BadInput: The organization id or the base URL has a wrong form.
            ClinikoError: The key is malformed or refused, or Cliniko can't be reached; nothing was stored.
            SettingsError: ``ROUTIQ_CONTACT_EMAIL`` is missing, or the pacing doesn't fit the address.
        """
        check_organization_id(organization_id)
        api_key = api_key.strip()
        shard = shard_of(api_key)
        url = (base_url or base_url_for(api_key)).rstrip("/")
        check_base_url(url)
        self._check_settings(url)
        access = None
        if check:
            window = appointment_window(utc_now(), self._settings)
            async with self._client(api_key, url, None) as client:
                access = await check_access(client, *window)
        key_id, sealed = self._keys.encrypt(organization_id, api_key)
        values = {
            "state": ConnectionState.CONNECTED.value,
            "base_url": url,
            "shard": shard,
            "encrypted_key": sealed,
            "encryption_key_id": key_id,
            "account_name": access.account_name if access else None,
            "role": access.role if access else None,
            "last_validated_at": utc_now() if access else None,
        }
        async with self._database.writing() as connection:
            await save_connection(connection, organization_id, values)
        return ConnectedAccount(organization_id, url, shard, access)

    async def has_enabled(self, organization_id: str) -> bool:
        """Whether a sync of the organization would find a connection that it may use."""
        async with self._database.reading() as connection:
            row = await connection_of(connection, organization_id)
        return row is not None and row.state != ConnectionState.DISABLED

    async def open_client(self, organization_id: str, on_wait: OnWait) -> ClinikoClient:
        """A client with the organization's key; enter it to use it.

        Raises:
            ConnectionProblem: There is no connection, it is disabled, or the settings don't allow to use it.
        """
        async with self._database.reading() as connection:
            row = await connection_of(connection, organization_id)
        if row is None:
            raise ConnectionProblem(
                FailureCode.CONNECTION_MISSING,
                "This organization is not connected to Cliniko.",
                f"Connect it with a Cliniko API key: routiq-gql connect {organization_id}",
            )
        if row.state == ConnectionState.DISABLED:
            raise ConnectionProblem(
                FailureCode.CONNECTION_DISABLED,
                "The connection of this organization to Cliniko is switched off.",
                f"Connect it again: routiq-gql connect {organization_id}",
            )
        try:
            self._check_settings(row.base_url)
            api_key = self._keys.decrypt(organization_id, row.encryption_key_id, row.encrypted_key)
        except RoutiqError as error:
            raise ConnectionProblem(
                FailureCode.CONNECTION_MISSING,
                error.message,
                "Ask whoever runs this server to mend it, then start again.",
            ) from None
        return self._client(api_key, row.base_url, on_wait)

    def _client(self, api_key: str, base_url: str, on_wait: OnWait | None) -> ClinikoClient:
        return ClinikoClient(
            api_key,
            base_url=base_url,
            contact_email=self._settings.contact_email or "nobody@localhost.invalid",  # loopback only, see below
            pacer=self._pacers.pacer_for(api_key),
            max_attempts=self._settings.cliniko_max_attempts,
            read_timeout=self._settings.cliniko_read_timeout_seconds,
            on_wait=on_wait,
            backoff=Backoff(base_seconds=self._settings.cliniko_retry_seconds),
        )

    def _check_settings(self, base_url: str) -> None:
        if is_loopback_url(base_url):
            return
        if not self._settings.contact_email:
            raise SettingsError(
                "ROUTIQ_CONTACT_EMAIL is missing: Cliniko may block programs that don't name a contact. "
                "Set it to an address that you read."
            )
        if self._settings.cliniko_requests_per_minute == 0:
            raise SettingsError(
                "ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE=0 works for loopback addresses only. Set 180 or less."
            )


def check_base_url(url: str) -> None:
    """Pass if a key may be sent to ``url``: https anywhere, http on this machine only.

    Raises:
        BadInput: It is no such address.
    """
    parts = urlsplit(url)
    is_plain = parts.scheme == "http" and is_loopback_url(url)
    if (
        not parts.hostname
        or parts.username
        or parts.query
        or parts.fragment
        or not (parts.scheme == "https" or is_plain)
    ):
        raise BadInput("The base URL must look like https://api.au1.cliniko.com/v1 (http only for this machine).")


__all__ = ["ClinikoError", "ConnectedAccount", "ConnectionProblem", "ConnectionService", "ConnectionState"]
