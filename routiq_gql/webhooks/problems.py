"""Why a change of webhooks is not possible now."""

from enum import StrEnum

from routiq_gql.errors import RoutiqError


class Refusal(StrEnum):
    """The reasons that programs may branch on."""

    LIMIT_REACHED = "LIMIT_REACHED"
    ALREADY_PENDING = "ALREADY_PENDING"
    WEBHOOK_DISABLED = "WEBHOOK_DISABLED"


class WebhookRefused(RoutiqError):
    """The request is right, and the present state of the webhook or the organization does not allow it."""

    code = "WEBHOOK_REFUSED"

    def __init__(self, reason: Refusal, message: str, what_to_do: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.what_to_do = what_to_do
