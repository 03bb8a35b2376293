"""``routiq-gql demo --auth``: the demo with tokens required, and an emulated service that issues them.

The issuer runs in the demo's process, under ``/demo/issuer``, and gives any token to any client. It shows how pages and
programs obtain and renew tokens; it is no protection.
"""

from routiq_gql.emulator import Issuer
from routiq_gql.settings import Settings

ISSUER_PATH = "/demo/issuer"
TOKEN_PATH = f"{ISSUER_PATH}/token"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")


def with_issuer(settings: Settings, url: str) -> tuple[Settings, Issuer]:
    """An issuer for a demo at ``url``, and settings that accept only its tokens."""
    issuer = Issuer(url + ISSUER_PATH)
    wanted = {
        "auth": "jwt",
        "jwt_issuer": issuer.url,
        "jwt_jwks_url": "",
        "jwt_audience": "",
        "jwt_authorized_parties": (),
        "allowed_hosts": (*LOOPBACK_HOSTS, *settings.allowed_hosts),
    }
    return settings.model_copy(update=wanted), issuer


def how_to_get_a_token(url: str, organization_id: str) -> list[str]:
    """Instructions for requesting a token in a terminal."""
    address = f"{url}{TOKEN_PATH}?organization={organization_id}"
    return [
        f"Tokens   curl -X POST '{address}&role=admin'",
        "         Each lives a minute; the pages get their own. Programs of examples/clients take them from:",
        f"         export ROUTIQ_TOKEN_URL='{address}'",
    ]
