"""Why reading from Cliniko can't go on: the tree of errors that leave the connector.

Each has a stable ``code``, a sentence for the clinic and one that says what to do. Neither ever holds a key, anything
out of an answer's body, or a name. ``detail`` is for us (a status, a count), under the same rule.

    ClinikoError
    ├── KeyRefused                 401: Cliniko does not know the API key
    │   └── InvalidApiKey          it can't be an API key at all; nothing was sent
    ├── KeyLacksPermission         403 again and again: the key's user may not see this
    ├── AccountMoved               a redirect, which is never followed
    ├── ClinikoUnreachable         no answer, errors of Cliniko's side or its rate limit, to the end of all attempts
    │   ├── QueryTooSlow           504, to the end of all attempts; a list is then read another way
    │   └── ServerBlocked          403 for everything, also for what any key may see
    └── UnexpectedAnswer           not the documented shape, to the end of all attempts, or a 4xx
        ├── CountsDisagree         a list's total is not the number of its rows; it is then read another way
        ├── PaymentRequired        402
        └── QueryRefused           400 or 422: Cliniko refuses the order or a filter; a list is then read another way
"""

from typing import ClassVar


class ClinikoError(Exception):
    """Base of all errors that a sync or ``connect`` reports to a clinic.

    Attributes:
        code: Stable; the name of a sync's failure code.
        message: One sentence that says what happened and where.
        what_to_do: One or two sentences that say what the clinic or the operator can do.
        detail: A few technical words for our log, without private content.
    """

    code: ClassVar[str] = "CLINIKO_UNEXPECTED_ANSWER"

    def __init__(self, message: str, what_to_do: str, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.what_to_do = what_to_do
        self.detail = detail


class KeyRefused(ClinikoError):
    """Cliniko answered 401."""

    code = "KEY_REFUSED"

    def __init__(self) -> None:
        super().__init__(
            "Cliniko refused the API key.",
            "Check in Cliniko under My Info that “Allow yourself to create and use API keys” is switched on, and that "
            "the key still exists and was copied whole, including what follows its last dash. If the account has moved "
            "to another region, make a new key there. Then connect again.",
            "status 401",
        )


class InvalidApiKey(KeyRefused):
    """The text can't be an API key; no request was made with it."""

    def __init__(self, message: str = "This is not a Cliniko API key.") -> None:
        ClinikoError.__init__(
            self,
            message,
            "Copy the whole key from Cliniko under My Info, including what follows its last dash, and connect again.",
        )


class KeyLacksPermission(ClinikoError):
    """Cliniko kept answering 403 for one of the things that a sync reads, but not for all."""

    code = "KEY_LACKS_PERMISSION"

    def __init__(self, where: str) -> None:
        super().__init__(
            f"The Cliniko user of this API key may not read {where}.",
            "Give that user a role in Cliniko that may read it, or connect again with the key of a user who has such "
            "a role.",
            "status 403",
        )


class AccountMoved(ClinikoError):
    """Cliniko answered with a redirect. The key is not sent to where it points."""

    code = "ACCOUNT_MOVED"

    def __init__(self, status: int) -> None:
        super().__init__(
            "This account has moved to another address of Cliniko.",
            "Make a new API key in Cliniko under My Info (its ending names the new address) and connect again.",
            f"status {status}",
        )


class ClinikoUnreachable(ClinikoError):
    """No usable contact after all attempts."""

    code = "CLINIKO_UNREACHABLE"


class QueryTooSlow(ClinikoUnreachable):
    """Cliniko kept answering 504: it can't put this order and these filters together in time."""


class ServerBlocked(ClinikoUnreachable):
    """Cliniko answers 403 for everything. This is no matter of roles: the account's name is for any key to see."""

    def __init__(self) -> None:
        super().__init__(
            "Cliniko blocks this server: it denies even what every API key may read.",
            "The role of the key's user is not the reason. Ask Cliniko's support whether the address of this server is "
            "blocked, and check that no proxy or firewall answers in Cliniko's place and that ROUTIQ_CONTACT_EMAIL "
            "is an address you read.",
            "status 403 for everything",
        )


class UnexpectedAnswer(ClinikoError):
    """Cliniko's answer was not what its documentation says, so nothing was taken from it."""

    code = "CLINIKO_UNEXPECTED_ANSWER"


class CountsDisagree(UnexpectedAnswer):
    """An answer did not hold the number of rows that its own total calls for."""


class PaymentRequired(UnexpectedAnswer):
    """Cliniko answered 402."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"Cliniko requires a payment before it returns {where}.",
            "Look in Cliniko under Settings whether the subscription of this account is paid, then start again.",
            "status 402",
        )


class QueryRefused(UnexpectedAnswer):
    """Cliniko answered 400 or 422: it does not accept the order or one of the filters."""
