"""The secrets that sign what a webhook receives: made here, and stored encrypted like API keys.

Each is encrypted for its webhook, so that a row copied to another can't be decrypted.
"""

import base64
import os
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.keys import KeyRing, SealedForOthers
from routiq_gql.database.webhook_rows import WebhookRow, WebhookValues
from routiq_gql.database.webhooks import change_webhook, sealed_secrets

SECRET_BYTES = 32
"""Standard Webhooks asks for 24 to 64."""
PREFIX = "whsec_"


def new_secret() -> str:
    """A secret in the form of Standard Webhooks. Source: https://www.standardwebhooks.com."""
    return PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def seal(ring: KeyRing, organization_id: str, webhook_id: str, secret: str) -> tuple[str, bytes]:
    """The id of the encrypting key, and the encrypted secret."""
    return ring.encrypt(_owner(organization_id, webhook_id), secret)


def secrets_of(ring: KeyRing, row: WebhookRow, now: datetime) -> list[str]:
    """The secrets that sign: the current one, then the one before a rotation while it is good.

    Raises:
        StorageError: One can't be decrypted.
    """
    secrets = [_opened(ring, row, row.encryption_key_id, row.encrypted_secret)]
    if row.earlier_secret is not None and row.earlier_until is not None and row.earlier_until > now:
        secrets.append(_opened(ring, row, row.earlier_key_id or "", row.earlier_secret))
    return secrets


async def seal_secrets_again(connection: AsyncConnection, ring: KeyRing) -> None:
    """Encrypt every secret with the first key of the ring.

    Raises:
        StorageError: One can't be decrypted.
    """
    for row in await sealed_secrets(connection, ring.first_id):
        secret = _opened(ring, row, row.encryption_key_id, row.encrypted_secret)
        key_id, sealed = seal(ring, row.organization_id, row.id, secret)
        values: WebhookValues = {"encryption_key_id": key_id, "encrypted_secret": sealed}
        if row.earlier_secret is not None:
            earlier = _opened(ring, row, row.earlier_key_id or "", row.earlier_secret)
            values["earlier_key_id"], values["earlier_secret"] = seal(ring, row.organization_id, row.id, earlier)
        await change_webhook(connection, row.id, values)


def _opened(ring: KeyRing, row: WebhookRow, key_id: str, sealed: bytes) -> str:
    try:
        return ring.decrypt(_owner(row.organization_id, row.id), key_id, sealed)
    except SealedForOthers:
        raise SealedForOthers(
            f"The secret of the webhook {row.id} can't be read: it was encrypted with the key “{key_id}”, which is not "
            "configured or is another key. Add it to ROUTIQ_ENCRYPTION_KEYS, or restore the key file."
        ) from None


def _owner(organization_id: str, webhook_id: str) -> str:
    """The associated data of the encryption."""
    return f"webhook {webhook_id} of {organization_id}"
