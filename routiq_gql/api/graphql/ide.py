"""GraphiQL for browsers that open ``/graphql``: our page around the files of npm's ``graphiql``.

``make graphiql`` puts these into ``graphiql/assets``; they are part of a built package and never committed. If they are
missing, the caller shows Strawberry's page, which loads the same files from a public server. With authentication on,
foreign scripts would get tokens, so the response then says how to install the files.
"""

import html
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from routiq_gql.api.errors import problem

OURS = Path(__file__).parent / "graphiql"
ASSETS = OURS / "assets"
ASSET_NAMES = (
    "react.production.min.js",
    "react-dom.production.min.js",
    "graphql-ws.min.js",
    "graphiql.min.js",
    "graphiql.min.css",
)
OUR_NAMES = frozenset(path.name for path in OURS.iterdir() if path.suffix in {".js", ".css"})

_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # its editor and menus add styles
        "font-src data:",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_NOT_INSTALLED = (
    "GraphiQL's files are missing on this server, and with authentication on they are not loaded from elsewhere. "
    "Install them with `make graphiql`, or hide GraphiQL with ROUTIQ_GRAPHIQL=false."
)
_CACHE_SECONDS = 3600  # short, since the names of the files have no version


def graphiql_page(
    default_organization: str | None, *, auth: str = "off", token_path: str | None = None
) -> HTMLResponse | None:
    """The page; ``None`` where its files are missing.

    Args:
        default_organization: The organization of its prepared operations.
        auth: ROUTIQ_AUTH; unless it is off, the page has a field for a token.
        token_path: The route of a demo that gives tokens; with ``None`` the page asks its reader.
    """
    if not all((ASSETS / name).is_file() for name in ASSET_NAMES):
        return None
    filled = (OURS / "page.html").read_text(encoding="utf-8")
    for name, value in {"organization": default_organization, "auth": auth, "token": token_path}.items():
        place = f'<meta name="routiq-{name}" content="'
        filled = filled.replace(f'{place}">', f'{place}{html.escape(value or "")}">')
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _POLICY,
        "Referrer-Policy": "no-referrer",
    }
    return HTMLResponse(filled, headers=headers)


def how_to_install() -> Response:
    """The response if the files are missing and may not be loaded from elsewhere."""
    return problem(404, "GRAPHIQL_NOT_INSTALLED", "GraphiQL is not installed", _NOT_INSTALLED)


def graphiql_routes() -> list[Route]:
    """The scripts and styles of the page."""
    return [Route("/graphiql/{name}", _file)]


async def _file(request: Request) -> FileResponse:
    name = request.path_params["name"]
    is_ours = name in OUR_NAMES
    path = OURS / name if is_ours else ASSETS / name
    if not (is_ours or name in ASSET_NAMES) or not path.is_file():
        raise HTTPException(404)
    # Our files belong together: after an update a browser must not mix them with those of the version before.
    headers = {"Cache-Control": "no-cache" if is_ours else f"max-age={_CACHE_SECONDS}"}
    return FileResponse(path, headers=headers)
