"""The tables of ``routiq-gql webhooks``: their headings, and the cells of a webhook, a delivery and an attempt."""

from routiq_gql.cli.times import local_time
from routiq_gql.webhooks.model import Delivery, PastAttempt, Webhook

WEBHOOKS = ("id", "address", "events", "names", "state", "pending", "made", "description")
DELIVERIES = ("id", "event", "about", "when", "state", "attempts", "last attempt", "status", "error")
ATTEMPTS = ("began", "seconds", "status", "error")


def webhook_row(one: Webhook) -> tuple[str, ...]:
    """The cells below ``WEBHOOKS``."""
    state = "failing since " + local_time(one.failing_since) if one.failing_since else "enabled"
    if one.failing_since and one.next_attempt_at is not None:
        state += f", next attempt {local_time(one.next_attempt_at, seconds=True)}"
    if one.disabled_at is not None:
        state = f"disabled: {one.disabled_reason}"
    return (
        one.id,
        one.url,
        ", ".join(one.events),
        "yes" if one.includes_names else "",
        state,
        f"{one.pending_count:,}",
        local_time(one.created_at),
        one.description or "",
    )


def attempt_row(one: PastAttempt) -> tuple[str, ...]:
    """The cells below ``ATTEMPTS``."""
    return local_time(one.at, seconds=True), f"{one.seconds:.3f}", str(one.status or ""), one.error or ""


def delivery_row(one: Delivery) -> tuple[str, ...]:
    """The cells below ``DELIVERIES``."""
    return (
        one.id,
        one.event.value,
        one.subject or "",
        local_time(one.occurred_at, seconds=True),
        one.state.name.lower(),
        str(one.attempts),
        local_time(one.last_attempt_at, seconds=True) if one.last_attempt_at else "",
        str(one.last_status or ""),
        one.last_error or "",
    )
