"""Opens clients for Cliniko from stored connections, and stores on a connection how using it went.

The key leaves this module only inside a client. A base URL comes from an operator or from the key itself, never from
a client of the API.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from routiq_gql import metrics
from routiq_gql.addresses import is_loopback_url
from routiq_gql.cliniko import (
    Access,
    Backoff,
    ClinikoClient,
    ClinikoError,
    KeyLacksPermission,
    KeyRefused,
    KeyUser,
    Observer,
    OnWait,
    PacerRegistry,
    Ration,
    RationedPacer,
    check_base_url,
    check_user,
    pace_digest,
)
from routiq_gql.clock import utc_now
from routiq_gql.connections.accounts import NO_PROBLEM, account_values
from routiq_gql.connections.state import ConnectionState, not_set_up, require_usable, retry_after_denial
from routiq_gql.database.connections import change_connection, connection_of
from routiq_gql.database.engine import Database
from routiq_gql.database.keys import KeyStore, SealedForOthers
from routiq_gql.database.rows import ConnectionRow, ConnectionValues
from routiq_gql.database.webhook_events import EventType, NewEvent, write_events
from routiq_gql.errors import BadInput, SettingsError
from routiq_gql.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """A client to enter, and the key of its row, by which notes find the same key again."""

    organization_id: str
    client: ClinikoClient
    encrypted_key: bytes = field(repr=False)
    key_digest: str = field(repr=False)

    async def account(self) -> str:
        """The digest of the account and the person behind the key, which Cliniko is asked for.

        Raises:
            ClinikoError: Cliniko refuses the key or can't be read.
        """
        return self.account_digest(await check_user(self.client))

    def account_digest(self, user: KeyUser) -> str:
        """A digest of the account and the person that a connection reads as; of the key if the person is unknown.

        All addresses of this machine count as one, since a demo has a new port at each start.
        """
        address = "loopback" if is_loopback_url(self.client.base_url) else self.client.base_url
        person = f"user {user.user_id}" if user.user_id is not None else f"key {self.key_digest}"
        return sha256(f"{address} {person}".encode()).hexdigest()


class ClientOpener:
    """Creates clients. Clients with the same key share a pace."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        settings: Settings,
        pacers: PacerRegistry,
        observer: Observer | None = None,
    ) -> None:
        self._database = database
        self._keys = keys
        self._settings = settings
        self._pacers = pacers
        self._observer = observer

    async def open(
        self,
        organization_id: str,
        on_wait: OnWait | None = None,
        observer: Observer | None = None,
        *,
        known: ConnectionRow | None = None,
        ration: Ration | None = None,
    ) -> OpenConnection:
        """A client with the organization's key.

        Args:
            observer: Observes its requests, instead of the one for all clients.
            known: Its row, if the caller has just read it.
            ration: Limits its requests besides the pace of the key.

        Raises:
            ConnectionProblem: There is no connection, it is disabled, or the settings don't allow to use it.
            StorageError: The database or the key file can't be read now.
        """
        row = require_usable(known, organization_id) if known is not None else await self._row_of(organization_id)
        try:
            check_settings(self._settings, row.base_url)
            try:
                api_key = self._decrypt(row)
            except SealedForOthers:  # the keys may have been rotated between reading the row and reading the keys
                row = await self._row_of(organization_id)
                api_key = self._decrypt(row)
        except (SettingsError, SealedForOthers) as error:
            raise not_set_up(error) from None
        client = self.client(api_key, row.base_url, on_wait, observer=observer, ration=ration)
        return OpenConnection(organization_id, client, row.encrypted_key, sha256(api_key.encode()).hexdigest())

    def pace_digest_of(self, row: ConnectionRow) -> bytes | None:
        """The digest by which the requests of its key are counted; ``None`` if the key can't be read now."""
        try:
            return pace_digest(self._decrypt(row))
        except (SettingsError, SealedForOthers, KeyRefused):
            return None

    def client(
        self,
        api_key: str,
        base_url: str,
        on_wait: OnWait | None = None,
        *,
        max_attempts: int | None = None,
        observer: Observer | None = None,
        ration: Ration | None = None,
    ) -> ClinikoClient:
        """A client with this key; enter it to use it."""
        pacer = self._pacers.pacer_for(api_key)
        return ClinikoClient(
            api_key,
            base_url=base_url,
            contact_email=self._settings.contact_email or "nobody@localhost.invalid",  # loopback only, see below
            pacer=RationedPacer(pacer, ration) if ration is not None else pacer,
            max_attempts=max_attempts or self._settings.cliniko_max_attempts,
            read_timeout=self._settings.cliniko_read_timeout_seconds,
            on_wait=on_wait,
            on_request=metrics.cliniko_request,
            observer=observer or self._observer,
            backoff=Backoff(base_seconds=self._settings.cliniko_retry_seconds),
        )

    async def note_access(self, opened: OpenConnection, access: Access) -> None:
        """Store that the key works, and its account. Clears an earlier problem."""
        values: ConnectionValues = {
            "state": ConnectionState.CONNECTED.value,
            **NO_PROBLEM,
            **account_values(access, is_known_key=True),
        }
        await self._note(opened, lambda _row: values)

    async def note_refusal(self, opened: OpenConnection, error: ClinikoError) -> None:
        """Store that Cliniko refuses the key, or denies it a list, so that a person must act.

        A schedule tries again by itself if the key was only denied a list.
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
            if row is None or row.encrypted_key != opened.encrypted_key:  # replaced or removed meanwhile
                return
            changed = await change_connection(connection, opened.organization_id, values_for(row))
            if changed is not None and row.state != changed.state == ConnectionState.NEEDS_ATTENTION:
                event = NewEvent(EventType.CONNECTION_NEEDS_ATTENTION, data={"problemCode": changed.problem_code})
                await write_events(connection, opened.organization_id, changed.updated_at, [event])

    async def _row_of(self, organization_id: str) -> ConnectionRow:
        async with self._database.reading() as connection:
            return require_usable(await connection_of(connection, organization_id), organization_id)

    def _decrypt(self, row: ConnectionRow) -> str:
        return self._keys.load().decrypt(row.organization_id, row.encryption_key_id, row.encrypted_key)


def check_settings(settings: Settings, base_url: str) -> None:
    """Raise unless the settings allow requests to ``base_url``.

    Raises:
        SettingsError: The contact is missing or requests are not paced, and the address is not a loopback address.
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


def require_base_url(url: str) -> None:
    """Raise if ``url`` is no address to which a key may be sent.

    Raises:
        BadInput: It is none, or it may not be used; see ``check_base_url``.
    """
    try:
        check_base_url(url)
    except ValueError as error:
        raise BadInput(str(error)) from None
