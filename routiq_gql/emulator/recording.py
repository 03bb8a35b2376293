"""``RecordedRequest``: the emulator's record of one request. It holds no header, so no API key."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class RecordedRequest:
    """One request that reached the emulator, in ``Emulator.requests`` from the moment it arrived.

    Attributes:
        resource: The list's path (``practitioners/inactive``), ``settings``, ``user``, or the unknown path.
        time: The arrival by the account's clock.
        parameters: The decoded query in its order, ``("q[]", "id:>5")`` among them.
        status: The status of the response; ``None`` before it, or without a response.
    """

    method: str
    path: str
    resource: str
    parameters: tuple[tuple[str, str], ...]
    time: datetime
    status: int | None = None

    def values(self, name: str) -> list[str]:
        """All values of a query parameter."""
        return [value for found, value in self.parameters if found == name]
