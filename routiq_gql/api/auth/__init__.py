"""Who asks: tokens on every transport become a viewer here, and nowhere else.

``ROUTIQ_AUTH`` chooses how: not at all (``off``), by the tokens of a file, or by those of an issuer such as Clerk.
"""

from routiq_gql.api.auth.authentication import Authentication
from routiq_gql.api.auth.credentials import Credentials
from routiq_gql.api.auth.session import Session

__all__ = ["Authentication", "Credentials", "Session"]
