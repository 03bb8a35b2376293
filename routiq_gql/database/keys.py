"""Encrypts Cliniko API keys before they are stored: AES-256-GCM with the organization as associated data.

A row that is copied to another organization can't be decrypted. The first configured key encrypts and every configured
key decrypts, which allows rotation. Without configured keys a key file is created beside the database.
"""

import base64
import binascii
import os
import re
import stat
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from routiq_gql.errors import SettingsError, StorageError
from routiq_gql.private_file import write_private
from routiq_gql.supervision import shortage_sentence

NONCE_BYTES = 12  # the size that GCM is specified for; random per encryption
KEY_BYTES = 32


class SealedForOthers(StorageError):
    """A stored secret can't be decrypted with any of the keys. Trying again doesn't help."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Named 256-bit keys; the first encrypts."""

    keys: dict[str, bytes] = field(repr=False)

    @property
    def first_id(self) -> str:
        """The id of the key that encrypts."""
        return next(iter(self.keys))

    def encrypt(self, organization_id: str, secret: str) -> tuple[str, bytes]:
        """The id of the key used, and the nonce with the ciphertext."""
        key_id = self.first_id
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self.keys[key_id]).encrypt(nonce, secret.encode(), organization_id.encode())
        return key_id, nonce + sealed

    def derived(self, purpose: str) -> dict[str, bytes]:
        """Keys for another purpose, 32 bytes each, by the ids of the keys they are derived from; the first signs."""
        return {
            key_id: HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose.encode()).derive(key)
            for key_id, key in self.keys.items()
        }

    def decrypt(self, organization_id: str, key_id: str, sealed: bytes) -> str:
        """The secret as it was encrypted for this organization.

        Raises:
            SealedForOthers: The key is unknown, the row was changed, or it belongs to another organization.
        """
        key = self.keys.get(key_id)
        if key is None:
            raise SealedForOthers(
                f"The stored Cliniko key was encrypted with the key “{key_id}”, which is not configured. Add it to "
                "ROUTIQ_ENCRYPTION_KEYS, or restore the key file."
            )
        try:
            secret = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], organization_id.encode())
        except (InvalidTag, ValueError):
            raise SealedForOthers(
                "The stored Cliniko key can't be decrypted: it was changed or stored for another organization. "
                "Connect the organization again."
            ) from None
        return secret.decode()


class KeyStore:
    """Loads the keys from ``ROUTIQ_ENCRYPTION_KEYS``, or from the file beside the database.

    The file is read at each use, so that a running process follows a rotation by another process.
    """

    def __init__(self, configured: str, database_path: Path | None) -> None:
        self._configured = configured
        self._database_path = database_path

    def load(self) -> KeyRing:
        """The keys as they are now. Without a setting a missing file is created.

        Raises:
            SettingsError: The setting or the file is malformed, or other users may read the file.
            StorageError: The file can't be opened now, as this process has too many files open.
        """
        if self._configured.strip():
            return KeyRing(_parse(self._configured, "ROUTIQ_ENCRYPTION_KEYS"))
        path = self._path
        if not path.exists():
            with suppress(FileExistsError):  # another process was faster
                _write_key_file(path, KeyRing(_new_key()), os.link)
        return KeyRing(_parse(_read_private(path), str(path)))

    @property
    def _path(self) -> Path:
        if self._database_path is None:
            raise SettingsError(
                "ROUTIQ_ENCRYPTION_KEYS is not set. PostgreSQL needs it, as there is no key file. Make a key with "
                "`echo key1:$(head -c 32 /dev/urandom | base64)` and set it for every process."
            )
        return self._database_path.with_name(self._database_path.name + ".key")

    def begin_rotation(self) -> KeyRing:
        """The keys with a new key first, or the configured keys. Call it in the transaction that encrypts again.

        Raises:
            SettingsError: As ``load``, or the file can't be written.
        """
        ring = self.load()
        if not self._configured.strip():
            ring = KeyRing({**_new_key(), **ring.keys})
            _write_key_file(self._path, ring, os.replace)
        return ring

    def end_rotation(self, needed_ids: Collection[str]) -> None:
        """Remove all keys except the first and those that stored rows need. Configured keys always stay."""
        if not self._configured.strip():
            ring = self.load()
            kept = {key_id: key for key_id, key in ring.keys.items() if key_id in {ring.first_id, *needed_ids}}
            _write_key_file(self._path, KeyRing(kept), os.replace)


def _new_key() -> dict[str, bytes]:
    return {f"file-{os.urandom(4).hex()}": os.urandom(KEY_BYTES)}


def _write_key_file(path: Path, ring: KeyRing, publish: Callable[[str, Path], None]) -> None:
    pairs = [f"{key_id}:{base64.b64encode(key).decode()}\n" for key_id, key in ring.keys.items()]
    write_private(path, "".join(pairs), "key file", publish)


def _read_private(path: Path) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if os.name == "posix" and mode & 0o077:
            raise SettingsError(f"Other users may read the key file {path} (mode {mode:o}). Run: chmod 600 {path}")
        return path.read_text()
    except OSError as error:
        if shortage := shortage_sentence(error):
            raise StorageError(shortage) from None
        raise SettingsError(f"The key file {path} can't be read: {os.strerror(error.errno or 0)}.") from None


def _parse(text: str, source: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for pair in filter(None, re.split(r"[,\s]+", text)):
        key_id, separator, encoded = pair.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if not separator or not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", key_id) or len(key) != KEY_BYTES:
            raise SettingsError(f"{source} is wrong: expected id:base64 pairs with {KEY_BYTES} bytes each.")
        if key_id in keys:
            raise SettingsError(f"{source} is wrong: the key id {key_id} occurs twice.")
        keys[key_id] = key
    if not keys:
        raise SettingsError(f"{source} is wrong: it holds no key.")
    return keys
