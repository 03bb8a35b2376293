"""What GraphQL and REST answer to a change of webhooks that was done."""

REGISTERED = "Webhook registered"
CHANGED = "Webhook changed"
ROTATED = "Secret rotated"
REMOVED = "Webhook removed"
REPEATED = "Delivery is sent again"
TESTED = "Test will be sent"
