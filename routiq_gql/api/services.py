"""The parts of the process that a request needs, as one typed object: ``services_of(request)``.

The application's lifespan puts them into ``app.state``, which Starlette does not type; only this module reads it.
"""

from dataclasses import dataclass
from typing import cast

from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from routiq_gql.api.admission import Admission
from routiq_gql.api.auth import Authentication
from routiq_gql.api.remembered import EncodedAnswer, Place, RememberedAnswers
from routiq_gql.runtime import Runtime
from routiq_gql.settings import Settings

_ENGINE_STOPPED = "Syncs are not run because their engine has stopped. The log has the reason; restart the server."


@dataclass(frozen=True, slots=True)
class ProcessParts:
    """The parts of every process that serves HTTP; a worker has only these."""

    runtime: Runtime

    async def problem(self) -> str | None:
        """A sentence that says why the process is not ready, else ``None``."""
        if (found := await self.runtime.readiness.problem()) is not None:
            return found
        return None if self.runtime.is_working else _ENGINE_STOPPED


@dataclass(frozen=True, slots=True)
class Services(ProcessParts):
    """The parts of a process that serves the API."""

    settings: Settings
    authentication: Authentication
    admission: Admission
    remembered: RememberedAnswers

    def answer_at(self, place: Place) -> EncodedAnswer | None:
        """The remembered answer to a request, unless its organization's operations have to wait for their turn."""
        known = self.remembered.find(place)
        return known if known is not None and self.admission.has_room(known.bucket) else None

    async def problem(self) -> str | None:
        return await ProcessParts.problem(self) or self.authentication.problem()


def attach(app: Starlette, parts: ProcessParts) -> None:
    """Give the application its parts."""
    app.state.parts = parts


def parts_of(connection: HTTPConnection) -> ProcessParts:
    """The parts of the process that received the request."""
    return cast(ProcessParts, connection.app.state.parts)


def services_of(connection: HTTPConnection) -> Services:
    """The parts of the application that received the request; for routes that a worker does not have."""
    return cast(Services, connection.app.state.parts)
