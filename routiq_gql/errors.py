"""Outcomes that a caller can act on: the root of the tree, and the errors that more than one package raises.

Each carries a stable ``code`` and a sentence that is safe to show. ``api/errors.py`` maps codes to HTTP
statuses and GraphQL codes; nothing here is logged as an error.

    RoutiqError
    ├── BadInput               a value is out of its documented form or range
    ├── SyncNotFound           unknown, or another organization's
    ├── Unauthenticated        nobody can tell who asks
    ├── Forbidden              the viewer may not reach this organization, or not do this
    ├── IssuerAway             whether a token is good can't be told now, but can later
    ├── RateLimited            more at once, or in a short time, than anyone needs
    ├── TookTooLong            a read was stopped at the time limit
    ├── SettingsError          a setting is missing or wrong; the server can't start with it
    └── StorageError           the database can't be used: corrupt, too new, locked, full
        ├── DatabaseAway       the database server can't be reached, but will be again
        └── DatabaseFileLost   the database file was deleted or replaced while the process uses it
"""

import traceback
from typing import ClassVar


class RoutiqError(Exception):
    """Base of all errors with a sentence meant for the person who asked.

    Attributes:
        what_to_do: A second sentence, if the first one does not say it.
    """

    code: ClassVar[str] = "INTERNAL"
    what_to_do: str = ""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadInput(RoutiqError):
    """A value that the caller sent can't be accepted."""

    code = "BAD_USER_INPUT"


class SyncNotFound(RoutiqError):
    """There is no such sync for this viewer. Another organization's sync answers the same."""

    code = "SYNC_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no sync with this id.")


class Unauthenticated(RoutiqError):
    """The token is missing, wrong or no longer good.

    Attributes:
        may_be_mended: Whether a fresh token of the same kind may be accepted; if not, asking again is of no use.
    """

    code = "UNAUTHENTICATED"

    def __init__(self, message: str, *, may_be_mended: bool = True) -> None:
        super().__init__(message)
        self.may_be_mended = may_be_mended


class Forbidden(RoutiqError):
    """The viewer may not reach this organization, or may not do this in it."""

    code = "FORBIDDEN"


class IssuerAway(RoutiqError):
    """Tokens can't be checked now: no public keys are known and none can be fetched, or the token file is unusable."""

    code = "ISSUER_AWAY"


class RateLimited(RoutiqError):
    """The caller asks for more than is given to one organization; later it may succeed.

    Attributes:
        retry_after_seconds: When to try again, at the earliest.
    """

    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TookTooLong(RoutiqError):
    """A read was stopped at the time limit; nothing was changed."""

    code = "TOOK_TOO_LONG"


class SettingsError(RoutiqError):
    """A setting is missing, wrong, or does not fit another one. The sentence is for the operator: it may name paths.

    Attributes:
        is_for_clients: Whether the sentence may be shown to clients of the API too.
    """

    code = "SETTINGS"

    def __init__(self, message: str, *, is_for_clients: bool = False) -> None:
        super().__init__(message)
        self.is_for_clients = is_for_clients


class StorageError(RoutiqError):
    """The database can't be used as it is; the sentence says why and what to do."""

    code = "STORAGE"


class DatabaseAway(StorageError):
    """The database server can't be reached or has no connection free; asking again soon helps.

    Its sentence is for clients; what the operator needs to know is logged where it is found out.
    """

    code = "DATABASE_AWAY"


class DatabaseFileLost(StorageError):
    """The files that this process has open are no longer those at the database's path.

    The process must write nothing more and end: it would serve one database while new connections open another.
    """


def frames_of(error: BaseException) -> list[str]:
    """Where an error was raised, for the log: its last four frames, and never its text, which may hold private data."""
    return traceback.format_tb(error.__traceback__)[-4:]
