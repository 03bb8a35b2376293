"""Who asks. Made once per request or socket by the doors, checked by the services.

With authentication off the viewer is an operator on this machine and reaches every organization.
"""

import re
from dataclasses import dataclass

from routiq_gql.errors import BadInput, Forbidden

ORGANIZATION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person or program behind a request.

    Attributes:
        organization_id: The only organization within reach; ``None`` reaches all (authentication is off).
    """

    organization_id: str | None = None

    def require(self, organization_id: str) -> None:
        """Pass if the viewer may reach ``organization_id``.

        Raises:
            BadInput: It can't be an organization's id.
            Forbidden: It is another organization's.
        """
        check_organization_id(organization_id)
        if self.organization_id is not None and self.organization_id != organization_id:
            raise Forbidden("This token belongs to another organization.")


LOCAL_OPERATOR = Viewer()
"""The viewer of the command line, and of every request while ``ROUTIQ_AUTH=off``."""


def check_organization_id(organization_id: str) -> None:
    """Pass if the id has the documented form.

    Raises:
        BadInput: It has not.
    """
    if not ORGANIZATION_ID.fullmatch(organization_id):
        raise BadInput("An organization id has 1 to 64 letters, digits, dashes and underscores.")
