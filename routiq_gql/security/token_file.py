"""The file of ``ROUTIQ_AUTH=token``: accepted tokens, a line each, stored as digests.

A token is 256 random bits, so its plain SHA-256 can't be reversed by guessing. ``routiq-gql tokens`` writes the file;
servers read it again after each change, so a revoked token is refused at once.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from routiq_gql.clock import format_time, utc_now
from routiq_gql.errors import BadInput, SettingsError
from routiq_gql.private_file import check_only_owner_writes, write_private
from routiq_gql.security.viewer import check_organization_id

PREFIX = "rtq_"
TOKEN_BYTES = 32
ID_BYTES = 6
LOCK_SECONDS = 10
_ROLE = re.compile(r"[A-Za-z0-9_:.-]{1,64}")
_HEADER = "# Who may use the API. Written by: routiq-gql tokens. id, organization, roles, made, SHA-256 of the token.\n"


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """A token.

    Attributes:
        id: Its name in lists and in the audit log.
        roles: Roles and permissions of its holder.
        digest: SHA-256 of the token, hexadecimal.
    """

    id: str
    organization_id: str
    roles: tuple[str, ...]
    made_at: datetime
    digest: str


class TokenFile:
    """The tokens in a file. Every method reads the file again if it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, ...] | None = None
        self._entries: dict[str, TokenEntry] = {}

    def entries(self) -> Sequence[TokenEntry]:
        """All tokens, in the order of their creation; none while there is no file.

        Raises:
            SettingsError: The file can't be read or is malformed, or others may write it.
        """
        return tuple(self._read().values())

    def entry(self, token_id: str) -> TokenEntry | None:
        """The token with this id; raises as ``entries``."""
        return self._read().get(token_id)

    def find(self, token: str) -> TokenEntry | None:
        """The entry of a token. The time taken does not depend on the token."""
        digest = _digest(token)
        found = None
        for entry in self._read().values():
            if hmac.compare_digest(entry.digest, digest):
                found = entry
        return found

    def add(self, organization_id: str, roles: Iterable[str] = ()) -> tuple[TokenEntry, str]:
        """Create a token; returns its entry, and the token, which is not stored.

        Raises:
            BadInput: The organization id or a role has a wrong form.
            SettingsError: The file can't be read or written.
        """
        check_organization_id(organization_id)
        named = tuple(role.removeprefix("org:") for role in roles)
        for role in named:
            if not _ROLE.fullmatch(role):
                raise BadInput("A role has 1 to 64 letters, digits and _ : . -")
        token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        with self._changing():
            entry = TokenEntry(secrets.token_hex(ID_BYTES), organization_id, named, utc_now(), _digest(token))
            self._write([*self._read().values(), entry])
        return entry, token

    def revoke(self, token_id: str) -> TokenEntry:
        """Remove a token.

        Raises:
            BadInput: There is no token with this id.
            SettingsError: The file can't be read or written.
        """
        with self._changing():
            by_id = dict(self._read())
            if token_id not in by_id:
                raise BadInput(f"There is no token {token_id}. Type `routiq-gql tokens list` to see all.")
            gone = by_id.pop(token_id)
            self._write(by_id.values())
        return gone

    def _read(self) -> dict[str, TokenEntry]:
        """All tokens by id; reads the file again if it was changed or replaced."""
        try:
            if _stamp(self._path.stat()) != self._stamp:
                with self._path.open(encoding="utf-8") as file:
                    found = os.fstat(file.fileno())
                    check_only_owner_writes(self._path, found, "token file")
                    text = file.read()
                self._entries = {entry.id: entry for entry in _parse(text, self._path)}
                self._stamp = _stamp(found)
        except FileNotFoundError:
            self._entries, self._stamp = {}, None
        except (OSError, UnicodeDecodeError) as error:
            reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "it is not text"
            raise SettingsError(f"The token file {self._path} can't be read: {reason}.") from None
        return self._entries

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Lock the file against changes by other processes."""
        try:
            with FileLock(self._path.with_name(self._path.name + ".lock"), timeout=LOCK_SECONDS, mode=0o600):
                yield
        except Timeout:
            raise SettingsError(f"Another process is changing the token file {self._path}. Try again.") from None
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise SettingsError(f"The token file {self._path} can't be written: {reason}.") from None

    def _write(self, entries: Iterable[TokenEntry]) -> None:
        write_private(self._path, _HEADER + "".join(map(_line, entries)), "token file")


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    """Differs after the file, its owner or its mode was changed."""
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode, found.st_uid


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _line(entry: TokenEntry) -> str:
    roles = ",".join(entry.roles) or "-"
    return f"{entry.id} {entry.organization_id} {roles} {format_time(entry.made_at)} {entry.digest}\n"


def _parse(text: str, path: Path) -> Iterable[TokenEntry]:
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split()
        if not parts or parts[0].startswith("#"):
            continue
        try:
            token_id, organization_id, roles, made_at, digest = parts
            check_organization_id(organization_id)
            if not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise ValueError(digest)
            moment = datetime.fromisoformat(made_at)
        except (ValueError, BadInput):
            raise SettingsError(
                f"Line {number} of the token file {path} is wrong. Make tokens by: routiq-gql tokens add ORG"
            ) from None
        yield TokenEntry(token_id, organization_id, () if roles == "-" else tuple(roles.split(",")), moment, digest)
