"""A connection that is made again, or switched off, keeps nothing of its earlier state in any column."""

from dataclasses import fields
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import update

from routiq_gql.clock import utc_now
from routiq_gql.connections.state import ConnectionState
from routiq_gql.database.connections import connection_of
from routiq_gql.database.rows import ConnectionRow
from routiq_gql.database.tables import CONNECTION
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import FailureCode
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION

FRESH = "org_fresh"
OTHER_KEY = "MS0wYW5vdGhlcg-au2"
OWN = {"organization_id", "encrypted_key", "created_at", "updated_at", "last_validated_at"}
"""Columns that differ between two connections that were made in the same way."""


async def _row(runtime: Runtime, organization_id: str) -> dict[str, Any]:
    async with runtime.database.reading() as connection:
        row = await connection_of(connection, organization_id)
    assert row is not None
    return {one.name: getattr(row, one.name) for one in fields(ConnectionRow)}


async def _spoil(runtime: Runtime) -> set[str]:
    """Give each column that may be empty a value of an earlier life; returns their names."""
    later: datetime = utc_now()
    values: dict[str, Any] = {
        "account_name": "Earlier clinic",
        "role": "practitioner",
        "last_validated_at": later,
        "totals": {"patients": 7},
        "problem_code": FailureCode.KEY_LACKS_PERMISSION.value,
        "problem_message": "Earlier problem.",
        "problem_what_to_do": "Earlier advice.",
        "retry_at": later,
    }
    async with runtime.database.writing() as connection:
        spoilt = values | {"state": ConnectionState.NEEDS_ATTENTION.value, "base_url": "http://127.0.0.1:9/v1"}
        await connection.execute(update(CONNECTION).where(CONNECTION.c.organization_id == ORGANIZATION).values(spoilt))
    return set(values)


@pytest.mark.parametrize("check", [True, False], ids=["checked", "unchecked"])
async def test_a_connection_made_again_is_like_a_new_one(runtime: Runtime, cliniko: Cliniko, check: bool):
    """A clinic replaces a key that was denied. Nothing of the old key's account, problem or waits is left."""
    connect = runtime.connections.connect
    await connect(LOCAL_OPERATOR, ORGANIZATION, OTHER_KEY, cliniko.base_url, check=False)
    may_be_empty = await _spoil(runtime) | {"account_subdomain"}
    assert may_be_empty == {column.name for column in CONNECTION.c if column.nullable}, (
        "a new column is tried here, too"
    )
    for organization in (ORGANIZATION, FRESH):
        await connect(LOCAL_OPERATOR, organization, EMULATED_API_KEY, cliniko.base_url, check=check)
    again, new = await _row(runtime, ORGANIZATION), await _row(runtime, FRESH)
    assert {name: again[name] for name in again.keys() - OWN} == {name: new[name] for name in new.keys() - OWN}
    assert (again["last_validated_at"] is None) == (new["last_validated_at"] is None) == (not check)


async def test_a_key_stored_again_keeps_only_what_is_known_of_its_account(runtime: Runtime, cliniko: Cliniko):
    """The same key without a check: its account is still known, and its earlier problem is not held against it."""
    connect = runtime.connections.connect
    await connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
    await _spoil(runtime)
    await connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
    kept = await _row(runtime, ORGANIZATION)
    assert (kept["account_name"], kept["role"], kept["totals"]) == ("Earlier clinic", "practitioner", {"patients": 7})
    assert {kept[name] for name in kept if name.startswith("problem_") or name == "retry_at"} == {None}
    assert (kept["state"], kept["base_url"]) == (ConnectionState.CONNECTED.value, cliniko.base_url)


async def test_a_connection_that_is_switched_off_has_no_key_no_problem_and_no_retry(runtime: Runtime, cliniko: Cliniko):
    """The account stays for the page; a schedule has nothing to try again."""
    await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
    await _spoil(runtime)
    await runtime.connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)
    off = await _row(runtime, ORGANIZATION)
    assert (off["state"], off["encrypted_key"]) == (ConnectionState.DISABLED.value, b"")
    assert off["account_name"] == "Earlier clinic"
    assert {off[name] for name in off if name.startswith("problem_") or name == "retry_at"} == {None}
