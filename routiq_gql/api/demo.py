"""The additions of a demo to the application. ``routiq-gql demo`` passes a ``Demo``, and so do tests of its parts."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute


@dataclass(frozen=True, slots=True)
class Demo:
    """The additions; without any, the application is that of ``routiq-gql serve``.

    Attributes:
        extra_routes: Matched before all others.
        allow_null_origin: Whether pages opened as files may use the API.
        default_organization: Shown by the page and GraphiQL unless an address names another organization. ``None``:
            the only connected organization, if the viewer reaches all of them.
        trouble_path: The route of ``extra_routes`` that makes the emulated Cliniko fail; ``None`` hides its panel.
        token_path: The route of ``extra_routes`` that gives tokens to the page and GraphiQL; with ``None`` they ask
            their reader once a token is needed.
    """

    extra_routes: Sequence[BaseRoute] = ()
    allow_null_origin: bool = False
    default_organization: str | None = None
    trouble_path: str | None = None
    token_path: str | None = None


NO_DEMO = Demo()
