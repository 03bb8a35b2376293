"""Everything that is encrypted for an installation besides API keys: encrypts it again, and says with which keys."""

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database import keep_out
from routiq_gql.database.keys import KeyRing
from routiq_gql.database.webhook_secrets import seal_secrets_again
from routiq_gql.database.webhooks import webhook_key_ids


async def seal_again(connection: AsyncConnection, ring: KeyRing) -> None:
    """Encrypt the keys of keep-out lists and the secrets of webhooks with the first key of the ring.

    Raises:
        StorageError: One of them can't be decrypted.
    """
    await keep_out.seal_again(connection, ring)
    await seal_secrets_again(connection, ring)


async def sealing_ids(connection: AsyncConnection) -> set[str]:
    """The ids of the installation's keys that encrypt them."""
    return await keep_out.sealing_ids(connection) | await webhook_key_ids(connection)
