"""The root of the errors that a caller can act on, and the errors that several packages raise.

Each has a stable ``code`` and a sentence that is safe to show. ``api/errors.py`` maps codes to HTTP statuses and
GraphQL codes. These errors are not logged as errors.

    RoutiqError
    ├── BadInput               a value is out of its documented form or range
    ├── UnknownId              nothing has this id, or another organization's has
    │   ├── SyncNotFound       of a sync
    │   └── WebhookNotFound    of a webhook or one of its deliveries
    ├── Unauthenticated        the token is missing or invalid
    ├── Forbidden              the viewer may not reach this organization, or not do this
    ├── IssuerAway             tokens can't be checked at the moment
    ├── RateLimited            too many requests or subscriptions
    ├── TookTooLong            a read was stopped at the time limit
    ├── SettingsError          a setting is missing or wrong; the server can't start with it
    └── StorageError           the database can't be used: corrupt, too new, locked, full
        ├── DatabaseAway       the database server can't be reached at the moment
        └── DatabaseFileLost   the database file was deleted or replaced while the process uses it
"""

import traceback
from enum import StrEnum
from typing import ClassVar


class RoutiqError(Exception):
    """Base of all errors with a sentence for the caller.

    Attributes:
        what_to_do: Advice, unless the first sentence includes it.
    """

    code: ClassVar[str] = "INTERNAL"
    what_to_do: str = ""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadInput(RoutiqError):
    """A value from the caller is not accepted."""

    code = "BAD_USER_INPUT"


class BadRequest(RoutiqError):
    """The request itself can't be understood."""

    code = "BAD_REQUEST"


class Kind(StrEnum):
    """What an id from a caller names. Each interface says in its own terms how to list those that exist."""

    SYNC = "sync"
    WEBHOOK = "webhook"
    DELIVERY = "delivery"


class UnknownId(RoutiqError):
    """Nothing of this kind has the id that the caller gave. Also raised for another organization's.

    Attributes:
        kind: What was looked for.
    """

    def __init__(self, kind: Kind) -> None:
        super().__init__(f"There is no {kind.value} with this id.")
        self.kind = kind


class SyncNotFound(UnknownId):
    """There is no such sync for this viewer."""

    code = "SYNC_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__(Kind.SYNC)


class WebhookNotFound(UnknownId):
    """There is no such webhook or delivery in the organization."""

    code = "WEBHOOK_NOT_FOUND"

    def __init__(self, kind: Kind = Kind.WEBHOOK) -> None:
        super().__init__(kind)


class Unauthenticated(RoutiqError):
    """The token is missing, wrong or expired.

    Attributes:
        may_be_mended: Whether a fresh token of the same kind may be accepted; if not, a retry is useless.
    """

    code = "UNAUTHENTICATED"

    def __init__(self, message: str, *, may_be_mended: bool = True) -> None:
        super().__init__(message)
        self.may_be_mended = may_be_mended


class Forbidden(RoutiqError):
    """The viewer may not reach this organization, or may not do this in it."""

    code = "FORBIDDEN"


class IssuerAway(RoutiqError):
    """Tokens can't be checked now: no public keys are known and a fetch fails, or the token file is unusable."""

    code = "ISSUER_AWAY"


class RateLimited(RoutiqError):
    """The caller exceeds a limit of its organization; a later attempt may succeed.

    Attributes:
        retry_after_seconds: The earliest time for another attempt.
    """

    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TookTooLong(RoutiqError):
    """A read was stopped at the time limit; nothing was changed."""

    code = "TOOK_TOO_LONG"


class SettingsError(RoutiqError):
    """A setting is missing, wrong, or contradicts another. The sentence is for the operator: it may name paths.

    Attributes:
        is_for_clients: Whether API clients may see the sentence, too.
    """

    code = "SETTINGS"

    def __init__(self, message: str, *, is_for_clients: bool = False) -> None:
        super().__init__(message)
        self.is_for_clients = is_for_clients


class StorageError(RoutiqError):
    """The database can't be used; the sentence says why and what to do."""

    code = "STORAGE"


class DatabaseAway(StorageError):
    """The database server can't be reached or has no free connection; an early retry may succeed.

    The sentence is for clients; details for the operator are logged where the problem is detected.
    """

    code = "DATABASE_AWAY"


class DatabaseFileLost(StorageError):
    """The files that this process has open are no longer those at the database's path.

    The process must stop writing and end: it would serve one database while new connections open another.
    """


def frames_of(error: BaseException) -> list[str]:
    """Where an error was raised, for the log: its last four frames, and never its text, which may hold private data."""
    return traceback.format_tb(error.__traceback__)[-4:]
