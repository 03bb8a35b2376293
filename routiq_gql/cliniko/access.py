"""Checks an API key: which account it belongs to, and whether it can read every list that a sync reads.

Called when a clinic connects and in step 3 of a sync. Roles in Cliniko differ, so it requests one row of each list and
ignores the row's content. Each request carries the sync's filter: without it, attendees are all bookings ever made,
which takes Cliniko too long.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from routiq_gql.cliniko.answers import ListAsker
from routiq_gql.cliniko.client import FOR_ANY_KEY, ClinikoClient
from routiq_gql.cliniko.errors import KeyLacksPermission, UnexpectedAnswer
from routiq_gql.cliniko.resources import ATTENDEES, RESOURCES, booking_in, starts_between

NO_BOOKING = "1"
"""An id that almost surely doesn't exist, for a filter; Cliniko's ids have 18 digits by now."""


@dataclass(frozen=True, slots=True)
class Access:
    """The account and the rights of a valid key. ``None`` where Cliniko sends no value.

    Attributes:
        account_name: The clinic.
        time_zone: The time zone of the key's user: an IANA name, or else Cliniko's label, such as ``Melbourne``.
        user_name: The person the key belongs to.
        role: That person's role in Cliniko.
        totals: Rows of each list by its name, appointments within the window. Attendees are checked but not counted.
    """

    account_name: str | None
    subdomain: str | None
    time_zone: str | None
    user_name: str | None = field(repr=False)
    role: str | None
    totals: Mapping[str, int]


async def check_access(client: ClinikoClient, start: datetime, end: datetime) -> Access:
    """Request the account, the user and one row of each list; appointments between ``start`` and ``end``.

    Raises:
        ClinikoError: Cliniko refuses the key or can't be reached, or the key can't read a list, which the error names.
    """
    settings = await _get_if_allowed(client, FOR_ANY_KEY, "the account's name")
    totals: dict[str, int] = {}
    for resource in RESOURCES:
        if resource is ATTENDEES:
            await ListAsker(client, resource, [booking_in([NO_BOOKING])]).count()
            continue
        filters = starts_between(start, end) if resource.has_start else []
        totals[resource.name] = await ListAsker(client, resource, filters).count()
    user = await _get_if_allowed(client, "user", "the key's user")
    nested = settings.get("account")
    account = nested if isinstance(nested, dict) else settings
    names = [name for name in (_text(user, "first_name"), _text(user, "last_name")) if name]
    return Access(
        account_name=_text(account, "name"),
        subdomain=_text(account, "subdomain"),
        time_zone=_text(user, "time_zone_identifier") or _text(user, "time_zone"),
        user_name=" ".join(names) or None,
        role=_text(user, "role"),
        totals=totals,
    )


async def _get_if_allowed(client: ClinikoClient, path: str, where: str) -> Mapping[str, object]:
    """The object at ``path``; empty if it is missing or the key may not read it, as no sync depends on it."""
    try:
        return await client.repeat(lambda: client.ask(path, where=where), explains_denial=False)
    except (KeyLacksPermission, UnexpectedAnswer):
        return {}


def _text(values: Mapping[str, object], name: str) -> str | None:
    value = values.get(name)
    return value.strip() or None if isinstance(value, str) else None
