"""Checks an API key: which account it belongs to, and whether it can read every list that a sync reads.

Called when a clinic connects and in step 3 of a full sync. Roles in Cliniko differ, so it requests one row of each list
and ignores the row's content. Each request carries the filters of a full sync: without them, attendees are all bookings
ever made, which takes Cliniko too long. An incremental sync asks only whose key it is, since its reads are the check.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from routiq_gql.cliniko.answers import ListAsker
from routiq_gql.cliniko.client import FOR_ANY_KEY, ClinikoClient
from routiq_gql.cliniko.errors import KeyLacksPermission, PaymentRequired, UnexpectedAnswer
from routiq_gql.cliniko.filters import Horizon, booking_in, content_filters
from routiq_gql.cliniko.resources import ATTENDEES, RESOURCES
from routiq_gql.cliniko.rows import find_id

NO_BOOKING = "1"
"""An id that almost surely doesn't exist, for a filter; Cliniko's ids have 18 digits by now."""


@dataclass(frozen=True, slots=True)
class KeyUser:
    """The person whose key it is. ``None`` where Cliniko sends no value.

    Attributes:
        user_name: First and last name.
        role: That person's role in Cliniko.
        time_zone: An IANA name, or else Cliniko's label, such as ``Melbourne``.
        user_id: That person's id in Cliniko.
    """

    user_name: str | None = field(repr=False)
    role: str | None
    time_zone: str | None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """The account and the rights of a valid key. ``None`` where Cliniko sends no value.

    Attributes:
        account_name: The clinic.
        time_zone: As in ``KeyUser``, like ``user_name`` and ``role``.
        totals: Rows of each list by its name, appointments within the horizon. Attendees are checked but not counted;
            practitioners are left out if the key may not read them.
    """

    account_name: str | None
    subdomain: str | None
    time_zone: str | None
    user_name: str | None = field(repr=False)
    role: str | None
    totals: Mapping[str, int]


UNNAMED = Access(None, None, None, None, None, {})
"""The key works; what is known of its account stays."""


async def check_user(client: ClinikoClient) -> KeyUser:
    """Request whose key it is, by one request. The names are unknown if the key may not read them, but it is valid.

    Raises:
        ClinikoError: Cliniko refuses the key or can't be reached.
    """
    user = await _get_if_allowed(client, "user", "the key's user")
    names = [name for name in (_text(user, "first_name"), _text(user, "last_name")) if name]
    time_zone = _text(user, "time_zone_identifier") or _text(user, "time_zone")
    return KeyUser(" ".join(names) or None, _text(user, "role"), time_zone, find_id(user))


async def check_access(client: ClinikoClient, horizon: Horizon, user: KeyUser | None = None) -> Access:
    """Request the account, the user and one row of each list, with the filters of a full sync.

    Args:
        user: Whose key it is, if that is known already.

    Raises:
        ClinikoError: Cliniko refuses the key or can't be reached, or the key can't read a list, which the error names.
    """
    settings = await _get_if_allowed(client, FOR_ANY_KEY, "the account's name")
    totals: dict[str, int] = {}
    for resource in RESOURCES:
        if resource is ATTENDEES:
            await ListAsker(client, resource, [booking_in([NO_BOOKING])]).count()
            continue
        try:
            totals[resource.name] = await ListAsker(client, resource, content_filters(resource, horizon)).count()
        except KeyLacksPermission:
            if not resource.is_optional:
                raise
    user = user or await check_user(client)
    nested = settings.get("account")
    account = nested if isinstance(nested, dict) else settings
    return Access(
        account_name=_text(account, "name"),
        subdomain=_text(account, "subdomain"),
        time_zone=user.time_zone,
        user_name=user.user_name,
        role=user.role,
        totals=totals,
    )


async def _get_if_allowed(client: ClinikoClient, path: str, where: str) -> Mapping[str, object]:
    """The object at ``path``; empty if it is missing or the key may not read it, as no sync depends on it."""
    try:
        return await client.repeat(lambda: client.ask(path, where=where), explains_denial=False)
    except PaymentRequired:  # an unknown person would count as another one, for whom a sync reads everything
        raise
    except (KeyLacksPermission, UnexpectedAnswer):
        return {}


def _text(values: Mapping[str, object], name: str) -> str | None:
    value = values.get(name)
    return value.strip() or None if isinstance(value, str) else None
