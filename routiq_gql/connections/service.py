"""Connects, tests, disconnects and erases organizations, and rotates keys. The API and the commands call it.

A connection is an organization's access to Cliniko. Its key is never returned.
"""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.addresses import is_loopback_url
from routiq_gql.cliniko import (
    Access,
    AccountMoved,
    ClinikoError,
    Horizon,
    InvalidApiKey,
    KeyLacksPermission,
    KeyRefused,
    base_url_for,
    check_access,
    clean_key,
    names_shard,
    shard_of,
)
from routiq_gql.clock import utc_now
from routiq_gql.connections.accounts import (
    NO_PROBLEM,
    account_values,
    has_key,
    is_another_account,
    other_account_sentence,
    require_distinct_id,
)
from routiq_gql.connections.clients import ClientOpener, require_base_url
from routiq_gql.connections.connect_limit import ConnectLimit
from routiq_gql.connections.network import check_route
from routiq_gql.connections.state import ConnectionInfo, ConnectionProblem, ConnectionState, info_of, require_connection
from routiq_gql.database.connections import (
    all_connections,
    change_connection,
    connection_of,
    end_looks,
    save_connection,
)
from routiq_gql.database.engine import Database
from routiq_gql.database.erasure import erase_organization, erase_patients
from routiq_gql.database.keys import KeyStore
from routiq_gql.database.rows import ConnectionValues
from routiq_gql.database.sealed import seal_again, sealing_ids
from routiq_gql.database.syncs import active_sync
from routiq_gql.errors import BadInput
from routiq_gql.live.bus import ProgressBus
from routiq_gql.organizations.listing import OrganizationState, read_organizations
from routiq_gql.organizations.stored_history import stored_history
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import Viewer
from routiq_gql.settings import Settings
from routiq_gql.sync.endings import EndedSync, Failed, announce, end_from_outside
from routiq_gql.sync.engine import SyncEngine
from routiq_gql.sync.model import FailureCode, SyncFailure, SyncStep

_NO_REGION = "The key names no region at its end, such as -au2: check that it was copied whole."
MOST_ATTEMPTS = 2
"""How often a request is tried while a person waits for the answer."""


@dataclass(frozen=True, slots=True)
class ConnectedAccount:
    """The result of ``connect``; ``access`` is ``None`` without a check."""

    connection: ConnectionInfo
    base_url: str
    access: Access | None


class ConnectionService:
    """Connects organizations to Cliniko, and disconnects them."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        clients: ClientOpener,
        engine: SyncEngine,
        bus: ProgressBus,
        audit: Audit,
        settings: Settings,
    ) -> None:
        self._database = database
        self._keys = keys
        self._clients = clients
        self._engine = engine
        self._bus = bus
        self._audit = audit
        self._settings = settings
        self._limit = ConnectLimit(settings.connects_per_minute, audit)

    async def connect(
        self,
        viewer: Viewer,
        organization_id: str,
        api_key: str,
        base_url: str | None = None,
        *,
        check: bool = True,
        replace: bool = False,
    ) -> ConnectedAccount:
        """Check that the key reads every list that a sync reads, then store it in place of an earlier key.

        Args:
            replace: Allow the key of another account, whose patients then take the place of the earlier account's.

        Raises:
            BadInput: The organization id, the base URL or the key has a wrong form, or it is another account's key.
            Forbidden: The organization is not the viewer's, or the viewer may not change its connection.
            RateLimited: Too many keys were tried within the last minute.
            ConnectionProblem: The key is refused, or Cliniko can't be reached; nothing was stored.
            SettingsError: ``ROUTIQ_CONTACT_EMAIL`` is missing, the pacing doesn't fit the address, or a proxy is wrong.
        """
        self._audit.require(viewer, organization_id, Action.CONNECT)
        try:
            api_key = clean_key(api_key)
            shard = shard_of(api_key)
            url = (base_url or self._settings.cliniko_base_url or base_url_for(api_key)).rstrip("/")
        except InvalidApiKey as error:
            raise BadInput(f"{error.message} {error.what_to_do}") from None
        require_base_url(url)
        check_route(self._settings, url)
        if check:
            self._limit.require(viewer, organization_id, Action.CONNECT)
        access = await self._try(organization_id, api_key, url) if check else None
        values: ConnectionValues = {
            "state": ConnectionState.CONNECTED.value,
            **NO_PROBLEM,
            "retry_at": None,
            "base_url": url,
            "shard": shard,
        }
        ended = None
        async with self._database.writing() as connection:
            earlier = await connection_of(connection, organization_id, to_change=True)
            require_distinct_id(organization_id, is_new=earlier is None)
            await end_looks(connection, organization_id)
            if is_another_account(earlier, access):
                if not replace:
                    raise BadInput(other_account_sentence(organization_id, earlier, access))
                ended = await self._end_running(connection, viewer, organization_id, "The connection was replaced.")
                await erase_patients(connection, organization_id)
            ring = self._keys.load()
            values |= account_values(access, is_known_key=has_key(earlier, ring, api_key))
            key_id, sealed = ring.encrypt(organization_id, api_key)
            values |= {"encrypted_key": sealed, "encryption_key_id": key_id}
            row = await save_connection(connection, organization_id, values)
            await self._audit.note(connection, viewer, Action.CONNECT, organization_id)
        self._announce(ended)
        return ConnectedAccount(info_of(row), url, access)

    async def test(self, viewer: Viewer, organization_id: str) -> ConnectionInfo:
        """Try the stored key as a sync would, and store the result; ``problem`` of the returned state is the error.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's, or the viewer may not change its connection.
            RateLimited: Too many keys were tried within the last minute.
            ConnectionProblem: There is no connection, or Cliniko can't be reached, which says nothing about the key.
        """
        self._audit.require(viewer, organization_id, Action.TEST)
        self._limit.require(viewer, organization_id, Action.TEST)
        opened = await self._clients.open(organization_id)
        try:
            async with opened.client as client:
                access = await check_access(client, await self._horizon(organization_id))
            await self._clients.note_access(opened, access)
        except (KeyRefused, KeyLacksPermission, AccountMoved) as error:
            await self._clients.note_refusal(opened, error)
        except ClinikoError as error:
            raise problem_of(error) from None
        async with self._database.reading() as connection:
            row = await connection_of(connection, organization_id)  # may be erased meanwhile
        return info_of(require_connection(row, organization_id))

    async def disconnect(self, viewer: Viewer, organization_id: str) -> ConnectionInfo:
        """Delete the key and end a running sync. Stored patients stay.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's, or the viewer may not change its connection.
            ConnectionProblem: There is nothing to disconnect.
        """
        self._audit.require(viewer, organization_id, Action.DISCONNECT)
        disabled: ConnectionValues = {"state": ConnectionState.DISABLED.value, "encrypted_key": b"", **NO_PROBLEM}
        disabled["retry_at"] = None
        async with self._database.writing() as connection:
            row = require_connection(await change_connection(connection, organization_id, disabled), organization_id)
            await end_looks(connection, organization_id)
            ended = await self._end_running(connection, viewer, organization_id, "The connection was switched off.")
            await self._audit.note(connection, viewer, Action.DISCONNECT, organization_id)
        self._announce(ended)
        return info_of(row)

    async def erase(self, viewer: Viewer, organization_id: str) -> bool:
        """Delete every row of the organization in a single transaction: patients, syncs, their log, the connection.

        The audit log keeps the time and the caller of the erasure, without the organization's name.

        Returns whether the rows are gone from the database's files too. If not, a reader still uses an older state, and
        they disappear with the next checkpoint.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's, or the viewer may not change its connection.
        """
        self._audit.require(viewer, organization_id, Action.ERASE)
        async with self._database.writing() as connection:
            ended = await self._end_running(connection, viewer, organization_id, "The organization was erased.")
            await erase_organization(connection, organization_id)
            await self._audit.note(connection, viewer, Action.ERASE)
        self._announce(ended)
        return await self._database.forget_deleted()

    async def has_enabled(self, organization_id: str) -> bool:
        """Whether the organization has an enabled connection, so that a sync can use it."""
        async with self._database.reading() as connection:
            row = await connection_of(connection, organization_id)
        return row is not None and row.state != ConnectionState.DISABLED

    async def organizations(self, viewer: Viewer) -> list[OrganizationState]:
        """Every connected organization that the viewer may read, by id, with its newest syncs."""
        async with self._database.reading() as connection:
            return await read_organizations(connection, viewer)

    async def move_local(self, base_url: str) -> None:
        """Change the connections with a loopback address to ``base_url``, since a demo has a new port at each start."""
        require_base_url(base_url)
        async with self._database.writing() as connection:
            for row in await all_connections(connection, to_change=True):
                if is_loopback_url(row.base_url):
                    await change_connection(connection, row.organization_id, {"base_url": base_url})

    async def rotate_keys(self, viewer: Viewer) -> tuple[str, int]:
        """Encrypt every stored key again; returns the id of the encrypting key, and the number of changed rows.

        With a key file a new key is created, and earlier keys are removed once no row needs them. Running processes
        read the file again. With ``ROUTIQ_ENCRYPTION_KEYS`` the first key there is used.

        Raises:
            StorageError: A stored key can't be decrypted; nothing was changed.
        """
        changed = 0
        async with self._database.writing() as connection:
            ring = self._keys.begin_rotation()
            for row in await all_connections(connection, to_change=True):
                if row.encrypted_key and row.encryption_key_id != ring.first_id:
                    api_key = ring.decrypt(row.organization_id, row.encryption_key_id, row.encrypted_key)
                    key_id, sealed = ring.encrypt(row.organization_id, api_key)
                    values: ConnectionValues = {"encrypted_key": sealed, "encryption_key_id": key_id}
                    await change_connection(connection, row.organization_id, values)
                    changed += 1
            await seal_again(connection, ring)
            await self._audit.note(connection, viewer, Action.ROTATE)
        async with self._database.writing() as connection:  # the transaction keeps other processes from storing a key
            rows = await all_connections(connection)
            self._keys.end_rotation({*(row.encryption_key_id for row in rows), *await sealing_ids(connection)})
        return ring.first_id, changed

    async def _horizon(self, organization_id: str) -> Horizon:
        async with self._database.reading() as connection:
            return (await stored_history(connection, organization_id, self._settings, utc_now())).horizon

    async def _try(self, organization_id: str, api_key: str, url: str) -> Access:
        horizon = await self._horizon(organization_id)
        attempts = min(MOST_ATTEMPTS, self._settings.cliniko_max_attempts)
        try:
            async with self._clients.client(api_key, url, max_attempts=attempts) as client:
                return await check_access(client, horizon)
        except ClinikoError as error:
            problem = problem_of(error)
            if not names_shard(api_key) and not is_loopback_url(url):
                problem.what_to_do = f"{_NO_REGION} {problem.what_to_do}"
            raise problem from None

    async def _end_running(
        self, connection: AsyncConnection, viewer: Viewer, organization_id: str, message: str
    ) -> EndedSync | None:
        row = await active_sync(connection, organization_id)
        if row is None:
            return None
        what_to_do = f"To sync again, connect the organization: routiq-gql connect {organization_id}"
        failure = SyncFailure(FailureCode.CONNECTION_DISABLED, SyncStep(row.step), message, what_to_do)
        return await end_from_outside(connection, self._engine, row.key, Failed(failure, viewer.actor))

    def _announce(self, ended: EndedSync | None) -> None:
        if ended is not None:
            announce(ended, self._bus, self._engine)


def problem_of(error: ClinikoError) -> ConnectionProblem:
    """The error as a problem of the connection, for callers outside the Cliniko package."""
    return ConnectionProblem(FailureCode(error.code), error.message, error.what_to_do)
