"""Reads the claims of a verified token: subject, organization and roles.

Claims are Clerk's, of both versions. Source: Clerk, "Session tokens".
"""

from collections.abc import Iterator, Mapping

from routiq_gql.errors import Forbidden, Unauthenticated
from routiq_gql.security.viewer import ORGANIZATION_ID

MAX_SUBJECT_CHARACTERS = 255
"""Source: OpenID Connect Core, "ID Token"."""
MAX_MASK_DIGITS = 300
"""Enough for a thousand permissions of a feature."""


def check_party(claims: Mapping[str, object], allowed: tuple[str, ...]) -> None:
    """Raise if the token was made for a page that is not ``allowed``, or before the sign-in was complete.

    Raises:
        Unauthenticated: The token may not be used here.
    """
    party = claims.get("azp")
    if party is not None and allowed and party not in allowed:
        raise Unauthenticated(
            "This token was made for a page that is not listed in ROUTIQ_JWT_AUTHORIZED_PARTIES.", may_be_mended=False
        )
    if claims.get("sts") == "pending":
        raise Unauthenticated("The sign-in is not complete. Complete it, then send a new token.")


def subject_of(claims: Mapping[str, object]) -> str:
    """The subject, which identifies the person.

    Raises:
        Unauthenticated: The claim is missing or unreadable.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS or not subject.isprintable():
        raise Unauthenticated("This token has no subject (“sub”).", may_be_mended=False)
    return subject


def organization_of(claims: Mapping[str, object]) -> str:
    """The organization that its holder has chosen.

    Raises:
        Forbidden: The claim is missing, or is no possible organization id.
    """
    nested = claims.get("o")
    organization_id = nested.get("id") if isinstance(nested, Mapping) else claims.get("org_id")
    if not isinstance(organization_id, str) or not ORGANIZATION_ID.fullmatch(organization_id):
        raise Forbidden(
            "This token has no organization. Select an organization after signing in, then send a new token."
        )
    return organization_id


def roles_of(claims: Mapping[str, object]) -> frozenset[str]:
    """Roles and permissions in that organization; empty if the token holds no readable name."""
    nested = claims.get("o")
    if isinstance(nested, Mapping):
        named = [nested.get("rol"), *_unpacked(claims.get("fea"), nested.get("per"), nested.get("fpm"))]
    else:
        permissions = claims.get("org_permissions")
        named = [claims.get("org_role"), *(permissions if isinstance(permissions, list) else [])]
    return frozenset(name for name in named if isinstance(name, str) and name)


def _unpacked(features: object, permissions: object, masks: object) -> Iterator[str]:
    """``feature:permission`` for each bit: the first permission is the lowest bit of each feature's number.

    Features of the organization are written ``o:name``. Features of the person have another letter and no mask.
    """
    if not (isinstance(features, str) and isinstance(permissions, str) and isinstance(masks, str)):
        return
    scoped = [feature.strip().partition(":") for feature in features.split(",")]
    names = [name for scope, _, name in scoped if "o" in scope]
    for name, mask in zip(names, masks.split(","), strict=False):
        for bit, permission in enumerate(permissions.split(",")):
            if len(mask) <= MAX_MASK_DIGITS and mask.strip().isdecimal() and int(mask) >> bit & 1:
                yield f"{name}:{permission.strip()}"
