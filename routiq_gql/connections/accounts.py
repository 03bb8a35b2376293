"""Whose Cliniko account a connection is: what a check of its key shows, and what stays known without one."""

from typing import Any

from sqlalchemy import Row

from routiq_gql.cliniko import Access
from routiq_gql.clock import utc_now
from routiq_gql.database.keys import KeyRing, SealedForOthers

_UNKNOWN: dict[str, Any] = dict.fromkeys(("account_name", "account_subdomain", "role", "last_validated_at"))


def account_values(access: Access | None, *, is_known_key: bool) -> dict[str, Any]:
    """The columns of a connection that say whose account it is.

    Args:
        access: What a check of the key has shown just now; ``None`` without a check.
        is_known_key: The key is the one that the connection has already. Then a name that Cliniko does not give this
            time, or that was not asked for, stays as it is.
    """
    shown = {} if access is None else {
        "account_name": access.account_name,
        "account_subdomain": access.subdomain,
        "role": access.role,
        "last_validated_at": utc_now(),
    }  # fmt: skip
    if is_known_key:
        return {column: value for column, value in shown.items() if value is not None}
    return _UNKNOWN | shown


NO_PROBLEM: dict[str, Any] = dict.fromkeys(("problem_code", "problem_message", "problem_what_to_do"))
"""The columns of a connection that may be used."""


def has_key(connection: Row[Any] | None, ring: KeyRing, api_key: str) -> bool:
    """Whether this is the stored key of the connection, so that what is known of its account still holds."""
    if connection is None or not connection.encrypted_key:
        return False
    try:
        stored = ring.decrypt(connection.organization_id, connection.encryption_key_id, connection.encrypted_key)
    except SealedForOthers:
        return False
    return stored == api_key


def is_another_account(earlier: Row[Any] | None, access: Access | None) -> bool:
    """Whether the key that was tried belongs to another account than the connection, as far as both are known."""
    if earlier is None or access is None or not earlier.account_subdomain or not access.subdomain:
        return False
    return bool(earlier.account_subdomain != access.subdomain)


def other_account_sentence(organization_id: str, earlier: Row[Any] | None, access: Access | None) -> str:
    """Why a key of another account is not stored, and how to store it nevertheless."""
    new = (access.account_name or access.subdomain) if access else None
    old = (earlier.account_name or earlier.account_subdomain) if earlier else None
    return (
        f"This key belongs to the Cliniko account “{new}”, but {organization_id} is connected to “{old}”. To switch "
        f"accounts and remove everything stored from “{old}”: routiq-gql connect {organization_id} --replace"
    )
