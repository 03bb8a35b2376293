"""Signs webhooks as Standard Webhooks, with the library of that specification.

Called for each attempt to send, as the signature covers the time of the attempt.
Source: Standard Webhooks specification 1.0.0, "Signature scheme" and "Zero downtime secret rotation".
"""

from collections.abc import Sequence
from datetime import datetime
from math import floor

from standardwebhooks import Webhook


def signed_headers(event_id: str, at: datetime, body: str, secrets: Sequence[str]) -> list[tuple[str, str]]:
    """The three headers of an attempt.

    Args:
        event_id: The same for each attempt, so that a receiver can drop repeats.
        at: Time of the attempt, in UTC; receivers refuse old ones.
        secrets: All that are valid now. During a rotation a receiver that knows any one of them can verify.
    """
    signatures = [Webhook(secret).sign(event_id, at, body) for secret in secrets]
    return [
        ("webhook-id", event_id),
        ("webhook-timestamp", str(floor(at.timestamp()))),
        ("webhook-signature", " ".join(signatures)),
    ]
