"""The exceptions that leave this package.

Each has a stable ``code``, a sentence for the clinic and advice. None holds a key, a name or any content of a response.
``detail`` is for the log (a status, a count), under the same rule.

    ClinikoError
    ├── KeyRefused                 401: Cliniko does not know the API key
    │   └── InvalidApiKey          the text can't be an API key; nothing was sent
    ├── KeyLacksPermission         403 at every attempt: the key's user may not read this
    ├── AccountMoved               a redirect, which is never followed
    ├── ClinikoUnreachable         no response, a server error or the rate limit at every attempt
    │   ├── QueryTooSlow           504 at every attempt; the list is then read another way
    │   └── ServerBlocked          403 for everything, even for data that any key may read
    └── UnexpectedAnswer           not the documented shape at every attempt, or a 4xx
        ├── CountsDisagree         a total that is not the number of rows; the list is then read another way
        ├── PaymentRequired        402
        └── QueryRefused           400, 414, 422: the order or a filter is refused; the list is then read another way
"""

from typing import ClassVar


class ClinikoError(Exception):
    """Base of all errors that a sync or ``connect`` reports to a clinic.

    Attributes:
        code: Stable; the failure code of the sync.
        message: One sentence: what happened, and where.
        what_to_do: One or two sentences of advice for the clinic or the operator.
        detail: A few technical words for the log, without private content.
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
    """Every attempt to read a part of the data got a 403, but other requests did not."""

    code = "KEY_LACKS_PERMISSION"

    def __init__(self, where: str) -> None:
        super().__init__(
            f"The Cliniko user of this API key may not read {where}.",
            "Give that user a role in Cliniko that may read it, or connect again with the key of a user who has such "
            "a role.",
            "status 403",
        )


class AccountMoved(ClinikoError):
    """Cliniko answered with a redirect. The key is not sent to the new address."""

    code = "ACCOUNT_MOVED"

    def __init__(self, status: int) -> None:
        super().__init__(
            "This account has moved to another address of Cliniko.",
            "Make a new API key in Cliniko under My Info (its ending names the new address) and connect again.",
            f"status {status}",
        )


class ClinikoUnreachable(ClinikoError):
    """No attempt brought a usable response."""

    code = "CLINIKO_UNREACHABLE"


class QueryTooSlow(ClinikoUnreachable):
    """Every attempt got a 504: Cliniko is too slow with this order and these filters."""


class ServerBlocked(ClinikoUnreachable):
    """Cliniko answers 403 to everything, even to the account's name, which any key may read."""

    def __init__(self) -> None:
        super().__init__(
            "Cliniko blocks this server: it denies even what every API key may read.",
            "The role of the key's user is not the reason. Ask Cliniko's support whether the address of this server is "
            "blocked, and check that no proxy or firewall answers in Cliniko's place and that ROUTIQ_CONTACT_EMAIL "
            "is an address you read.",
            "status 403 for everything",
        )


class UnexpectedAnswer(ClinikoError):
    """The response differs from Cliniko's documentation, so no data was taken from it."""

    code = "CLINIKO_UNEXPECTED_ANSWER"


class CountsDisagree(UnexpectedAnswer):
    """The number of rows does not match the total in the same response."""


class PaymentRequired(UnexpectedAnswer):
    """Cliniko answered 402."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"Cliniko requires a payment before it returns {where}.",
            "Look in Cliniko under Settings whether the subscription of this account is paid, then start again.",
            "status 402",
        )


class QueryRefused(UnexpectedAnswer):
    """Cliniko answered 400 or 422: it does not accept the order or a filter. Or 414: the address is too long."""
