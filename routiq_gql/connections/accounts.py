"""Whose Cliniko account a connection is: what a check of its key shows, and what stays known without one."""

from routiq_gql.cliniko import Access
from routiq_gql.clock import utc_now
from routiq_gql.database.keys import KeyRing, SealedForOthers
from routiq_gql.database.rows import ConnectionRow, ConnectionValues

_UNKNOWN: ConnectionValues = {
    "account_name": None,
    "account_subdomain": None,
    "role": None,
    "last_validated_at": None,
}


def account_values(access: Access | None, *, is_known_key: bool) -> ConnectionValues:
    """The columns of a connection that say whose account it is.

    Args:
        access: What a check of the key has shown just now; ``None`` without a check.
        is_known_key: The key is the one that the connection has already. Then a name that Cliniko does not give this
            time, or that was not asked for, stays as it is.
    """
    values: ConnectionValues = {} if is_known_key else _UNKNOWN.copy()
    if access is None:
        return values
    values["last_validated_at"] = utc_now()
    if access.account_name is not None:
        values["account_name"] = access.account_name
    if access.subdomain is not None:
        values["account_subdomain"] = access.subdomain
    if access.role is not None:
        values["role"] = access.role
    return values


NO_PROBLEM: ConnectionValues = {"problem_code": None, "problem_message": None, "problem_what_to_do": None}
"""The columns of a connection that may be used."""


def has_key(connection: ConnectionRow | None, ring: KeyRing, api_key: str) -> bool:
    """Whether this is the stored key of the connection, so that what is known of its account still holds."""
    if connection is None or not connection.encrypted_key:
        return False
    try:
        stored = ring.decrypt(connection.organization_id, connection.encryption_key_id, connection.encrypted_key)
    except SealedForOthers:
        return False
    return stored == api_key


def is_another_account(earlier: ConnectionRow | None, access: Access | None) -> bool:
    """Whether the key that was tried belongs to another account than the connection, as far as both are known."""
    if earlier is None or access is None or not earlier.account_subdomain or not access.subdomain:
        return False
    return earlier.account_subdomain != access.subdomain


def other_account_sentence(organization_id: str, earlier: ConnectionRow | None, access: Access | None) -> str:
    """Why a key of another account is not stored, and how to store it nevertheless."""
    new = (access.account_name or access.subdomain) if access else None
    old = (earlier.account_name or earlier.account_subdomain) if earlier else None
    return (
        f"This key belongs to the Cliniko account “{new}”, but {organization_id} is connected to “{old}”. To switch "
        f"accounts and remove everything stored from “{old}”: routiq-gql connect {organization_id} --replace"
    )
