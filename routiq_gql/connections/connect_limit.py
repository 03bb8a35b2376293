"""Limits the API keys tried with Cliniko per minute: for an organization, for a caller, and for this process.

Each try sends requests to Cliniko. Without a limit a caller could use this server to guess keys, or get it blocked by
Cliniko. Each process counts in its memory. Only allowed tries are kept, so the table has a bound.
"""

import time
from collections import deque
from dataclasses import dataclass
from math import ceil

from routiq_gql.errors import RateLimited
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import LOCAL_OPERATOR, Viewer

A_MINUTE_SECONDS = 60.0
ALL_TOGETHER = 6
"""The limit of all callers together, as a multiple of the other limits; with the default, 60 a minute."""


@dataclass(frozen=True, slots=True)
class _Try:
    at: float
    organization_id: str
    address: str | None
    subject: str | None


class ConnectLimit:
    """Counts the tries of the last minute.

    Args:
        most: Tries a minute for each organization, each address, and each subject.
    """

    def __init__(self, most: int, audit: Audit) -> None:
        self._most = most
        self._audit = audit
        self._tries: deque[_Try] = deque()

    def require(self, viewer: Viewer, organization_id: str, action: Action) -> None:
        """Count a try, or refuse it and write the refusal to the audit log. The command line is exempt.

        Raises:
            RateLimited: The limit is reached.
        """
        if viewer == LOCAL_OPERATOR:
            return
        try:
            self._count(viewer, organization_id)
        except RateLimited as error:
            self._audit.refused(error, action, viewer, organization_id)
            raise

    def _count(self, viewer: Viewer, organization_id: str) -> None:
        now = time.monotonic()
        while self._tries and now - self._tries[0].at >= A_MINUTE_SECONDS:
            self._tries.popleft()
        own = [one.at for one in self._tries if one.organization_id == organization_id]
        here = [one.at for one in self._tries if viewer.address is not None and one.address == viewer.address]
        theirs = [one.at for one in self._tries if viewer.subject is not None and one.subject == viewer.subject]
        self._refuse_beyond(self._most, own, now, "for this organization")
        self._refuse_beyond(self._most, here, now, "from your address")
        self._refuse_beyond(self._most, theirs, now, "by you")
        self._refuse_beyond(self._most * ALL_TOGETHER, [one.at for one in self._tries], now, "on this server")
        self._tries.append(_Try(now, organization_id, viewer.address, viewer.subject))

    @staticmethod
    def _refuse_beyond(most: int, tries: list[float], now: float, where: str) -> None:
        if len(tries) < most:
            return
        seconds = max(1, ceil(tries[-most] + A_MINUTE_SECONDS - now))
        raise RateLimited(
            f"{len(tries)} connections to Cliniko were tried {where} within a minute. Try again in {seconds} s.",
            seconds,
        )
