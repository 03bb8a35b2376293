"""The rules of a registration: its address, its events and its description."""

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from routiq_gql.database.webhook_events import EventType
from routiq_gql.errors import BadInput
from routiq_gql.webhooks.addresses import Allowed
from routiq_gql.webhooks.hosts import check_host
from routiq_gql.webhooks.model import REGISTRABLE

MOST_WEBHOOKS = 10
"""Of an organization. Each event is stored once for each of them."""
LONGEST_URL = 2_000
LONGEST_DESCRIPTION = 200
_VISIBLE = re.compile(r"[!-~]+")


def checked_url(url: str, allowed: Allowed) -> str:
    """The address, if events may be sent to it. The addresses of a host name are checked when something is sent.

    Args:
        allowed: Knows the private receivers of ``ROUTIQ_WEBHOOK_PRIVATE``, which may do without TLS.

    Raises:
        BadInput: It is not an https address, has parts that it must not have, or its host can't get events.
    """
    if len(url) > LONGEST_URL:
        raise BadInput(f"The address of a webhook has at most {LONGEST_URL:,} characters.")
    parts = _split(url)
    if parts is None or not parts.hostname:
        raise BadInput("The address of a webhook is a URL such as https://example.com/routiq, in ASCII without spaces.")
    check_host(parts.hostname, allowed)
    if parts.scheme != "https" and not (parts.scheme == "http" and allowed.includes_host(parts.hostname)):
        raise BadInput(
            "The address of a webhook must begin with https://. The operator allows http:// for a receiver on this "
            "machine or in the own network by naming its host in ROUTIQ_WEBHOOK_PRIVATE."
        )
    if parts.username is not None or parts.password is not None:
        raise BadInput("The address of a webhook must not hold a user name or a password.")
    if parts.fragment or "#" in url:
        raise BadInput("The address of a webhook must not have a fragment (#…).")
    return url


def checked_events(events: Sequence[EventType]) -> list[str]:
    """The events in the order of their definition, each once.

    Raises:
        BadInput: There is none, or one is unknown.
    """
    unknown = [one for one in events if one not in REGISTRABLE]
    if unknown or not events:
        names = ", ".join(one.value for one in REGISTRABLE)
        raise BadInput(f"A webhook receives one or more of these events: {names}.")
    return [one.value for one in REGISTRABLE if one in events]


def checked_description(description: str) -> str:
    """The description, without spaces around it.

    Raises:
        BadInput: It is too long, or has line breaks or other control characters.
    """
    text = description.strip()
    if len(text) > LONGEST_DESCRIPTION or not text.isprintable():
        raise BadInput(f"The description of a webhook is one line of at most {LONGEST_DESCRIPTION} characters.")
    return text


def _split(url: str) -> SplitResult | None:
    if not _VISIBLE.fullmatch(url) or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return None
    is_other_literal = "[" in parts.netloc and ":" not in (parts.hostname or "")  # no IPv6; reserved for the future
    return parts if has_port and not is_other_literal else None
