"""Refuses at registration the hosts to which nothing could ever be sent.

The check when something is sent is the one that protects: it knows the addresses that a name resolves to.
"""

import re
from ipaddress import ip_address

from routiq_gql.errors import BadInput
from routiq_gql.webhooks.addresses import Allowed

_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\.?\Z){_LABEL}(?:\.{_LABEL})*\.?")
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")
"""Programs read such a host as an IPv4 address. Source: WHATWG URL Standard, "Host parsing"."""


def check_host(host: str, allowed: Allowed) -> None:
    """Raise unless ``host``, without brackets, can be a receiver's name or is an allowed IP address.

    Raises:
        BadInput: It can't be one, or is an IP address that is not public.
    """
    try:
        address = ip_address(host)
    except ValueError:
        if not _NAME.fullmatch(host) or _ENDS_IN_A_NUMBER.fullmatch(host):
            raise BadInput(
                "The address of a webhook has a host name or IP address that can't exist. Check what follows https://."
            ) from None
        return
    if not allowed.includes(host, str(address)):
        raise BadInput(
            "The address of a webhook must be public. The operator allows a receiver in the own network by naming it "
            "in ROUTIQ_WEBHOOK_PRIVATE."
        )
