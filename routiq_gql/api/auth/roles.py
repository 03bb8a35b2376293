"""The rights that the roles and permissions of a token give, by the settings."""

from collections.abc import Collection, Iterable

from routiq_gql.security.viewer import Right
from routiq_gql.settings import Settings

EVERY_MEMBER = "*"
_PREFIX = "org:"


class RoleTable:
    """The settings ``ROUTIQ_…_ROLES``, one for each right."""

    def __init__(self, settings: Settings) -> None:
        self._needed: dict[Right, frozenset[str]] = {
            Right.START: _plain(settings.start_roles),
            Right.CANCEL: _plain(settings.cancel_roles),
            Right.CONNECT: _plain(settings.connect_roles),
            Right.PATIENTS: _plain(settings.patient_roles),
            Right.WEBHOOKS: _plain(settings.webhook_roles),
        }

    def rights_of(self, names: Collection[str]) -> frozenset[Right]:
        """The rights of a member with these roles and permissions."""
        held = _plain(names) | {EVERY_MEMBER}
        return frozenset(right for right, needed in self._needed.items() if needed & held)


def _plain(names: Iterable[str]) -> frozenset[str]:
    """Without the prefix that version 1 of Clerk's tokens has and version 2 has not."""
    return frozenset(name.removeprefix(_PREFIX) for name in names)
