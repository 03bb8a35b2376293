"""Stored secrets stay readable through every order of changes of the keys that encrypt them."""

import base64
from itertools import count, product

import pytest
from sqlalchemy import select

from routiq_gql.clock import utc_now
from routiq_gql.database.connections import connection_of
from routiq_gql.database.keys import KeyStore
from routiq_gql.database.tables import WEBHOOK
from routiq_gql.database.webhook_rows import WebhookRow
from routiq_gql.database.webhook_secrets import secrets_of
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.webhooks.model import EventType
from tests.organization import ORGANIZATION

pytestmark = pytest.mark.sqlite_only

CHANGES = ("add a key", "rotate and drop", "new secret", "connect", "disconnect")
URL = "http://127.0.0.1:1/v1"
NUMBERS = count(1)


def _every_order(length: int) -> list[str]:
    """A sequence of changes in which each order of so many changes in a row occurs."""
    made: list[str] = []
    for order in product(CHANGES, repeat=length):
        if not any(tuple(made[start : start + length]) == order for start in range(len(made))):
            made += order
    return made


def _key() -> str:
    number = next(NUMBERS)
    return f"key{number}:{base64.b64encode(number.to_bytes(32)).decode()}"


async def test_every_order_of_changes_of_keys_leaves_all_secrets_readable(settings: Settings):
    """An operator adds, rotates and drops keys, while people disconnect, connect and rotate a webhook's secret."""
    with_key = settings.model_copy(update={"encryption_keys": _key()})
    async with open_runtime(with_key, run_syncs=False) as runtime:
        keys, connections = runtime.connections._keys, runtime.connections
        await connections.connect(LOCAL_OPERATOR, ORGANIZATION, "MS0wfirst-au1", URL, check=False)
        webhook, secret = await runtime.webhooks.register(
            LOCAL_OPERATOR, ORGANIZATION, url="https://example.com/", events=[EventType.SYNC_FAILED]
        )
        api_key: str | None = "MS0wfirst-au1"
        secrets, done = [secret], []
        for change in _every_order(3):
            done.append(change)
            match change:
                case "add a key":
                    keys._configured = f"{_key()},{keys._configured}"
                case "rotate and drop":
                    await connections.rotate_keys(LOCAL_OPERATOR)
                    keys._configured = keys._configured.partition(",")[0]
                case "new secret":
                    _, secret = await runtime.webhooks.rotate_secret(LOCAL_OPERATOR, ORGANIZATION, webhook.id)
                    secrets = [secret, secrets[0]]
                case "disconnect":
                    await connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)
                    api_key = None
                case _:
                    api_key = f"MS0w{next(NUMBERS)}-au1"
                    await connections.connect(LOCAL_OPERATOR, ORGANIZATION, api_key, URL, check=False)
            assert await _stored(runtime, keys, webhook.id) == (api_key, secrets), done[-4:]


async def _stored(runtime: Runtime, keys: KeyStore, webhook_id: str) -> tuple[str | None, list[str]]:
    """The API key, if one is stored, and the webhook's secrets, as they are decrypted for their use."""
    async with runtime.database.reading() as connection:
        row = WebhookRow(*(await connection.execute(select(WEBHOOK).where(WEBHOOK.c.id == webhook_id))).one())
        connected = await connection_of(connection, ORGANIZATION)
    assert connected is not None
    ring = keys.load()
    sealed, key_id = connected.encrypted_key, connected.encryption_key_id
    api_key = ring.decrypt(ORGANIZATION, key_id, sealed) if sealed else None
    return api_key, secrets_of(ring, row, utc_now())
