"""Opens clients for Cliniko out of stored connections, and notes on a connection what came of using it.

The key leaves this module only inside a client. A base URL comes from an operator or from the key itself, never from
a client of the API.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from routiq_gql import metrics
from routiq_gql.cliniko import Access, Backoff, ClinikoClient, ClinikoError, KeyLacksPermission, OnWait, PacerRegistry
from routiq_gql.clock import utc_now
from routiq_gql.connections.accounts import NO_PROBLEM, account_values
from routiq_gql.connections.state import (
    ConnectionProblem,
    ConnectionState,
    not_connected,
    not_set_up,
    retry_after_denial,
)
from routiq_gql.database.connections import change_connection, connection_of
from routiq_gql.database.engine import Database
from routiq_gql.database.keys import KeyStore, SealedForOthers
from routiq_gql.database.rows import ConnectionRow, ConnectionValues
from routiq_gql.errors import BadInput, SettingsError
from routiq_gql.setting_checks import is_loopback_url
from routiq_gql.settings import Settings
from routiq_gql.sync.model import FailureCode


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """A client, to be entered, and the row it was made from, by which notes find the same key again."""

    organization_id: str
    client: ClinikoClient
    encrypted_key: bytes = field(repr=False)


class ClientOpener:
    """Makes clients that share one pace per key."""

    def __init__(self, database: Database, keys: KeyStore, settings: Settings, pacers: PacerRegistry) -> None:
        self._database = database
        self._keys = keys
        self._settings = settings
        self._pacers = pacers

    async def open(self, organization_id: str, on_wait: OnWait | None = None) -> OpenConnection:
        """A client with the organization's key.

        Raises:
            ConnectionProblem: There is no connection, it is disabled, or the settings don't allow to use it.
            StorageError: The database or the key file can't be read now.
        """
        row = await self._row_of(organization_id)
        try:
            check_settings(self._settings, row.base_url)
            try:
                api_key = self._decrypt(row)
            except SealedForOthers:  # the keys may have been rotated between reading the row and reading the keys
                row = await self._row_of(organization_id)
                api_key = self._decrypt(row)
        except (SettingsError, SealedForOthers) as error:
            raise not_set_up(error) from None
        return OpenConnection(organization_id, self.client(api_key, row.base_url, on_wait), row.encrypted_key)

    def client(
        self, api_key: str, base_url: str, on_wait: OnWait | None = None, *, max_attempts: int | None = None
    ) -> ClinikoClient:
        """A client with this key; enter it to use it."""
        return ClinikoClient(
            api_key,
            base_url=base_url,
            contact_email=self._settings.contact_email or "nobody@localhost.invalid",  # loopback only, see below
            pacer=self._pacers.pacer_for(api_key),
            max_attempts=max_attempts or self._settings.cliniko_max_attempts,
            read_timeout=self._settings.cliniko_read_timeout_seconds,
            on_wait=on_wait,
            on_request=metrics.cliniko_request,
            backoff=Backoff(base_seconds=self._settings.cliniko_retry_seconds),
        )

    async def note_access(self, opened: OpenConnection, access: Access) -> None:
        """The key works: whose it is, and that nothing is wrong with it any more."""
        values: ConnectionValues = {
            "state": ConnectionState.CONNECTED.value,
            **NO_PROBLEM,
            **account_values(access, is_known_key=True),
        }
        await self._note(opened, lambda _row: values)

    async def note_refusal(self, opened: OpenConnection, error: ClinikoError) -> None:
        """Cliniko doesn't accept the key, or not for all that is needed: people have to look after it.

        A schedule tries a key again by itself that only lacks a list.
        """

        def values(row: ConnectionRow) -> ConnectionValues:
            is_denial = isinstance(error, KeyLacksPermission)
            return {
                "state": ConnectionState.NEEDS_ATTENTION.value,
                "problem_code": error.code,
                "problem_message": error.message,
                "problem_what_to_do": error.what_to_do,
                "retry_at": retry_after_denial(row.retry_at, utc_now()) if is_denial else None,
            }

        await self._note(opened, values)

    async def _note(self, opened: OpenConnection, values_for: Callable[[ConnectionRow], ConnectionValues]) -> None:
        async with self._database.writing() as connection:
            row = await connection_of(connection, opened.organization_id, to_change=True)
            if row is not None and row.encrypted_key == opened.encrypted_key:  # not a newer key, nor a taken away one
                await change_connection(connection, opened.organization_id, values_for(row))

    async def _row_of(self, organization_id: str) -> ConnectionRow:
        async with self._database.reading() as connection:
            row = await connection_of(connection, organization_id)
        if row is None:
            raise not_connected(organization_id)
        if row.state == ConnectionState.DISABLED:
            raise ConnectionProblem(
                FailureCode.CONNECTION_DISABLED,
                "This organization's connection to Cliniko is switched off.",
                f"Connect it again: routiq-gql connect {organization_id}",
            )
        return row

    def _decrypt(self, row: ConnectionRow) -> str:
        return self._keys.load().decrypt(row.organization_id, row.encryption_key_id, row.encrypted_key)


def appointment_window(now: datetime, settings: Settings) -> tuple[datetime, datetime]:
    """The times between which appointments are read: the recent and the upcoming window together."""
    return now - timedelta(days=settings.recent_days), now + timedelta(days=settings.upcoming_days)


def check_settings(settings: Settings, base_url: str) -> None:
    """Pass if the settings allow to ask ``base_url``.

    Raises:
        SettingsError: The contact is missing, or requests are not paced, and it is a real Cliniko.
    """
    if is_loopback_url(base_url):
        return
    if not settings.contact_email:
        raise SettingsError(
            "ROUTIQ_CONTACT_EMAIL is not set. Cliniko may block programs without a contact. Set it to an address "
            "that you read.",
            is_for_clients=True,
        )
    if settings.cliniko_requests_per_minute == 0:
        raise SettingsError(
            "ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE=0 works for loopback addresses only. Set 180 or less.",
            is_for_clients=True,
        )


def check_base_url(url: str) -> None:
    """Pass if a key may be sent to ``url``: https anywhere, http on this machine only.

    Raises:
        BadInput: It is no such address.
    """
    if not _is_base_url(url):
        raise BadInput("The base URL must look like https://api.au1.cliniko.com/v1 (http only for this machine).")


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_good_port = parts.port != 0
    except ValueError:  # a bracket that is not closed, or a port that is none
        return False
    is_allowed = parts.scheme == "https" or (parts.scheme == "http" and is_loopback_url(url))
    has_more = parts.username or parts.query or parts.fragment
    return bool(
        url.isascii() and url.isprintable() and parts.hostname and has_good_port and is_allowed and not has_more
    )
