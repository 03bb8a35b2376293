"""``GET /``: the dashboard page for people.

Its source is ``examples/sync_dashboard.html``, which people also open as a file. A wheel has a copy beside this module;
a checkout has only the source. The page loads nothing from elsewhere, and its policy says so to the browser.
"""

import base64
import hashlib
import html
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from routiq_gql.api.demo import Demo
from routiq_gql.api.suggestions import keeps_window, suggested_organizations

_NAME = "sync_dashboard.html"
_IN_THE_PACKAGE = Path(__file__).with_name(_NAME)
_IN_A_CHECKOUT = Path(__file__).parents[2] / "examples" / _NAME


def page_route(windows: tuple[int, int], demo: Demo) -> Route:
    """The page.

    Args:
        windows: Days back and ahead within which an appointment makes a patient active; the page shows them.
    """
    source = _read_source()
    values = {
        "server": "this",  # a page that a server shows sends its requests to that server
        "organization": demo.default_organization or "",
        "windows": " ".join(map(str, windows)),
        "trouble": demo.trouble_path or "",
        "token": demo.token_path or "",
    }
    filled = _fill(source, values)
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _policy(source),
        "Referrer-Policy": "no-referrer",
    }

    async def page(request: Request) -> HTMLResponse:
        read = {"keeps-window": "true"} if await keeps_window(request) else {}
        found = [] if demo.default_organization else await suggested_organizations(request)
        if found:
            read |= {"organization": found[0] if len(found) == 1 else "", "organizations": " ".join(found)}
        return HTMLResponse(_fill(filled, read), headers=headers)

    return Route("/", page)


def _read_source() -> str:
    path = _IN_THE_PACKAGE if _IN_THE_PACKAGE.exists() else _IN_A_CHECKOUT
    return path.read_text(encoding="utf-8")


def _fill(source: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        source = source.replace(
            f'<meta name="routiq-{name}" content="">', f'<meta name="routiq-{name}" content="{html.escape(value)}">'
        )
    return source


def _policy(source: str) -> str:
    """A policy that allows the style and the script of the page, and requests to this server."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src {_digest(source, 'style')}",
            f"script-src {_digest(source, 'script')}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def _digest(source: str, element: str) -> str:
    match = re.search(rf"<{element}>(.*?)</{element}>", source, re.DOTALL)
    content = match[1] if match else ""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
