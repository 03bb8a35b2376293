"""The Cliniko account of a connection: from a check of its key, or from an earlier check of the same key."""

import re

from routiq_gql.cliniko import Access
from routiq_gql.clock import utc_now
from routiq_gql.database.keys import KeyRing, SealedForOthers
from routiq_gql.database.rows import ConnectionRow, ConnectionValues
from routiq_gql.errors import BadInput

_UNKNOWN: ConnectionValues = {
    "account_name": None,
    "account_subdomain": None,
    "role": None,
    "last_validated_at": None,
    "totals": None,
}

_SYNC_ID = re.compile(r"sync_[A-Za-z0-9_-]+_\d{8}_\d{6}(?:_\d+)?", re.ASCII)


def require_distinct_id(organization_id: str, *, is_new: bool) -> None:
    """Raise if a new organization's id could be that of a sync, since ids of the API name a single object.

    Raises:
        BadInput: It could.
    """
    if is_new and _SYNC_ID.fullmatch(organization_id):
        raise BadInput(
            "This organization id has the form of a sync's id, which ends in a date and a time. Connect the "
            "organization under another id."
        )


def account_values(access: Access | None, *, is_known_key: bool) -> ConnectionValues:
    """The columns of a connection that describe its account.

    Args:
        access: The result of a check of the key just now; ``None`` without a check.
        is_known_key: Whether the connection has this key already. Then a value that the check did not return stays
            unchanged.
    """
    values: ConnectionValues = {} if is_known_key else _UNKNOWN.copy()
    if access is None:
        return values
    values["last_validated_at"] = utc_now()
    values["totals"] = dict(access.totals)
    if access.account_name is not None:
        values["account_name"] = access.account_name
    if access.subdomain is not None:
        values["account_subdomain"] = access.subdomain
    if access.role is not None:
        values["role"] = access.role
    return values


NO_PROBLEM: ConnectionValues = {"problem_code": None, "problem_message": None, "problem_what_to_do": None}
"""The columns of a connection without a problem."""


def has_key(connection: ConnectionRow | None, ring: KeyRing, api_key: str) -> bool:
    """Whether this is the stored key of the connection, so that the stored account still applies."""
    if connection is None or not connection.encrypted_key:
        return False
    try:
        stored = ring.decrypt(connection.organization_id, connection.encryption_key_id, connection.encrypted_key)
    except SealedForOthers:
        return False
    return stored == api_key


def is_another_account(earlier: ConnectionRow | None, access: Access | None) -> bool:
    """Whether the checked key belongs to another account than the connection; ``False`` if either is unknown."""
    if earlier is None or access is None or not earlier.account_subdomain or not access.subdomain:
        return False
    return earlier.account_subdomain != access.subdomain


def other_account_sentence(organization_id: str, earlier: ConnectionRow | None, access: Access | None) -> str:
    """Explains why a key of another account is not stored, and how to store it nevertheless."""
    new = (access.account_name or access.subdomain) if access else None
    old = (earlier.account_name or earlier.account_subdomain) if earlier else None
    return (
        f"This key belongs to the Cliniko account “{new}”, but {organization_id} is connected to “{old}”. To switch "
        f"accounts and remove everything stored from “{old}”: routiq-gql connect {organization_id} --replace"
    )
