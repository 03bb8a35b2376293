"""Who asks. Made once per request or socket by the doors, checked by the services.

With authentication off the viewer is an operator on this machine and reaches every organization.
"""

from dataclasses import dataclass

from routiq_gql.errors import Forbidden


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
            Forbidden: It is another organization's.
        """
        if self.organization_id is not None and self.organization_id != organization_id:
            raise Forbidden("This token belongs to another organization.")


LOCAL_OPERATOR = Viewer()
"""The viewer of the command line, and of every request while ``ROUTIQ_AUTH=off``."""
