"""The types of settings with their validation, and a check for misspelt variables.

Used by ``settings``. A ``ValueError`` raised here becomes the end of a sentence that begins with the variable's name.
"""

import difflib
import ipaddress
import os
import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from routiq_gql.addresses import is_safe_url
from routiq_gql.errors import SettingsError


def check_spelling(prefix: str, names: Iterable[str]) -> None:
    """Raise if a variable looks like a misspelling of ``prefix`` and a name; other programs may use the prefix, too.

    Raises:
        SettingsError: There is one, and it would have no effect.
    """
    known = [name.upper() for name in names]
    for variable in sorted(os.environ):
        name = variable.upper().removeprefix(prefix)
        if variable.upper().startswith(prefix) and name not in known:
            meant = difflib.get_close_matches(name, known, 1, cutoff=0.75)
            if meant:
                raise SettingsError(f"{variable} is not a setting. Do you mean {prefix}{meant[0]}?")


def _split_names(value: object) -> object:
    return tuple(filter(None, re.split(r"[,\s]+", value))) if isinstance(value, str) else value or ()


def _split_paths(value: object) -> object:
    if not isinstance(value, str):
        return value or ()
    return tuple(one.strip() for one in value.split(",") if one.strip())


def _check_database(value: str) -> str:
    if not value.startswith(("sqlite+aiosqlite:///", "postgresql+psycopg://")):
        raise ValueError(
            "must start with sqlite+aiosqlite:/// followed by the path of the database file, or with "
            "postgresql+psycopg:// followed by user:password@host/database"
        )
    try:
        url = make_url(value)
    except ArgumentError:
        raise ValueError("is not a URL; in a password, write characters such as @ and / as %40 and %2F") from None
    if url.database in {None, "", ":memory:"}:
        raise ValueError("must name a database file; a database in memory is lost when its process ends")
    return value


def _check_cliniko(value: str) -> str:
    if value and not is_safe_url(value):
        raise ValueError("must be an https address, or an http address of this machine for an emulator")
    return value


def _check_hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    if not all(re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", one) for one in value):
        raise ValueError("must be names such as routiq.example.com, without port, scheme or *")
    return value


def _check_issuer(value: str) -> str:
    if value and not is_safe_url(value):
        raise ValueError("must be an https address such as https://clerk.example.com")
    return value


def _check_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for one in value:
        try:
            ipaddress.ip_network(one)
        except ValueError:
            raise ValueError("must be addresses and networks such as 127.0.0.1 and 10.0.0.0/8") from None
    return value


def _check_receivers(value: tuple[str, ...]) -> tuple[str, ...]:
    for one in value:
        try:
            ipaddress.ip_network(one.strip("[]"))
        except ValueError:
            if not re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9._-]+", one):
                raise ValueError("must be host names, addresses and networks such as 10.1.2.0/24") from None
    return value


def _check_email(value: str) -> str:
    if value and not re.fullmatch(r"[^@\s()<>]+@[^@\s()<>]+\.[^@\s()<>]+", value):
        raise ValueError("must be an e-mail address such as ops@example.com")
    return value


NameList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_names)]
"""Names separated by commas or spaces in the environment."""
PathList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_paths)]
"""Paths separated by commas in the environment; a path may have spaces."""
HostList = Annotated[NameList, AfterValidator(_check_hosts)]
NetworkList = Annotated[NameList, AfterValidator(_check_networks)]
ReceiverList = Annotated[NameList, AfterValidator(_check_receivers)]
DatabaseUrl = Annotated[str, AfterValidator(_check_database)]
ClinikoUrl = Annotated[str, AfterValidator(_check_cliniko)]
IssuerUrl = Annotated[str, AfterValidator(_check_issuer)]
EmailAddress = Annotated[str, AfterValidator(_check_email)]
