"""Checks at the start of a command that the environment allows requests to Cliniko.

An unusable proxy or file of certificates then ends the command with a message, and does not fail every sync.
"""

from routiq_gql.connections.clients import check_settings
from routiq_gql.database.connections import all_connections
from routiq_gql.database.engine import Database
from routiq_gql.errors import SettingsError
from routiq_gql.proxies import UnusableVariable, check_certificates, proxy_for
from routiq_gql.settings import Settings

CLINIKO = "https://api.au1.cliniko.com/v1"
"""The address that is checked while no organization is connected. All hosts of Cliniko have this form."""


def check_route(settings: Settings, url: str) -> None:
    """Raise unless the settings and the environment allow requests to ``url``. Nothing is sent.

    Raises:
        SettingsError: A variable is missing or can't be used; the sentence names it.
    """
    check_settings(settings, url)
    check_environment(url)


def check_environment(url: str) -> None:
    """Raise unless the proxies and certificates in the environment can be used for ``url``.

    Raises:
        SettingsError: A variable can't be used; the sentence names it.
    """
    try:
        proxy_for(url)
        check_certificates()
    except UnusableVariable as error:
        raise SettingsError(error.sentence, is_for_clients=True) from None


async def check_routes(database: Database, settings: Settings) -> None:
    """The same for all connected organizations.

    Raises:
        SettingsError: A variable can't be used; the sentence names it.
        StorageError: The database can't be used.
    """
    async with database.reading() as connection:
        rows = await all_connections(connection)
    for url in {row.base_url for row in rows} or {settings.cliniko_base_url or CLINIKO}:
        check_environment(url)
