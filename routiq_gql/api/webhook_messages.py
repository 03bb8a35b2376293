"""What GraphQL and REST answer to a change of webhooks that was done."""

REGISTERED = "Webhook registered"
CHANGED = "Webhook changed"
ROTATED = "Secret rotated"
REMOVED = "Webhook removed"
REPEATED = "Delivery is sent again"
TESTED = "Test will be sent"


def registered(organization_id: str, *, is_connected: bool) -> str:
    """The answer to a registration. An organization may be connected after its webhooks; until then nothing happens."""
    return REGISTERED if is_connected else f"{REGISTERED}. {no_events_yet(organization_id)}"


def no_events_yet(organization_id: str) -> str:
    """The sentence about a webhook of an organization without a working connection."""
    return (
        f"{organization_id} is not connected to Cliniko, so it has no events yet. Check the id, or connect it: "
        f"routiq-gql connect {organization_id}"
    )
