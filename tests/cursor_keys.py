"""Keys for cursors, for tests that read pages of patients without a server."""

import base64

from routiq_gql.database.keys import KeyStore

CURSOR_KEYS = KeyStore(f"test:{base64.b64encode(bytes(range(32))).decode()}", None)
