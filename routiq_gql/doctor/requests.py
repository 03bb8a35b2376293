"""Checks that send a single request: address, readiness, page, GraphQL, names, origins, CORS.

They change nothing: the only operation is ``{ __typename }``.
"""

from routiq_gql.doctor.findings import Finding, not_checked, ok, problem
from routiq_gql.doctor.site import Answer, Site

HARMLESS = "{ __typename }"
FOREIGN_NAME = "foreign.invalid"
"""A reserved name, so no site has it. Source: RFC 6761, "invalid."."""
PAGE_MARK = b'<meta name="routiq-server"'

HOST_REMEDY = (
    "Make the proxy forward Host as the browser sent it, with its port. nginx: proxy_set_header Host $http_host; "
    "($host drops the port)."
)
METHODS_REMEDY = "Make the proxy forward all methods and headers to the server, and answer no request itself."
LOGIN_REMEDY = "Use a token that the server accepts; `routiq-gql tokens list` shows which ones it knows."


async def find_server(site: Site) -> Finding:
    """Whether the address leads to a Routiq server; if not, the other checks are pointless.

    Raises:
        Unreachable: There was no response.
    """
    check = "address"
    answer = await site.ask("GET", "healthz")
    if answer.status == 200 and answer.json.get("status") == "ok":
        return ok(check, f"A Routiq server answers at {site.url}")
    page = await site.ask("GET", "", headers={"Accept": "text/html"})
    if page.status == 200 and PAGE_MARK in page.body:
        return ok(check, f"A Routiq server answers at {site.url}, but the proxy does not forward /healthz.")
    if await _is_api_ours(site):
        return ok(check, f"A Routiq server answers at {site.url}graphql, but the proxy does not forward its page.")
    if refused := _refused_by_guard(check, site, answer):
        return refused
    if 300 <= answer.status < 400:
        return _redirected(check, site, answer)
    if answer.problem_code == "NOT_FOUND":
        at_root = await site.ask("GET", "/healthz")
        if at_root.status == 200 and at_root.json.get("status") == "ok":
            return problem(check, f"The server is at {site.origin}/, without {site.path}", f"Use {site.origin}/")
        return problem(
            check,
            f"A Routiq server answers, but the proxy leaves {site.path} in the address.",
            f"Make the proxy remove the path: location {site.path} {{ proxy_pass http://routiq/; }} with a slash "
            "at the end of proxy_pass.",
        )
    if answer.status in {502, 503, 504}:
        return problem(
            check,
            f"A proxy answers with status {answer.status}: it can't reach the server behind it.",
            "Start `routiq-gql serve`, and compare its port with the proxy's (nginx: server 127.0.0.1:8000;).",
        )
    if answer.status in {401, 403, 407}:
        return problem(
            check,
            f"A proxy answers with status {answer.status}: it requires a login, or blocks this machine.",
            "Forward requests without a login; the server checks tokens itself (ROUTIQ_AUTH).",
        )
    if answer.status == 400 and site.scheme == "http" and b"HTTPS" in answer.body:
        return problem(check, f"{site.authority} requires TLS.", f"Use https://{site.authority}{site.path}")
    return problem(
        check,
        f"There is no Routiq server at {site.url} (another program answers with status {answer.status}).",
        "Correct the address: it is that of the page, with the path under which the proxy serves it.",
    )


async def _is_api_ours(site: Site) -> bool:
    answer = await site.ask("POST", "graphql", query=HARMLESS)
    data, errors = answer.json.get("data"), answer.json.get("errors")
    if answer.status == 200:
        return data == {"__typename": "Query"}
    return answer.status == 401 and isinstance(errors, list) and "UNAUTHENTICATED" in str(errors)


def _redirected(check: str, site: Site, answer: Answer) -> Finding:
    target = answer.headers.get("location", "")
    to_where = target.removesuffix("healthz") if target.isprintable() and len(target) < 500 else ""
    return problem(
        check,
        f"{site.url} redirects{f' to {to_where}' if to_where else ''} (status {answer.status}). Browsers turn a POST "
        "that is redirected into a GET, and websockets are not redirected at all.",
        f"Use the address that it redirects to in pages and clients{f': {to_where}' if to_where else ''}",
    )


def _refused_by_guard(check: str, site: Site, answer: Answer) -> Finding | None:
    if answer.problem_code == "HOST_NOT_ALLOWED" or answer.status == 421:
        return problem(
            check,
            f"The server does not accept this host name (status {answer.status}).",
            f"Add {site.host} to ROUTIQ_ALLOWED_HOSTS and restart it. {HOST_REMEDY}",
        )
    if answer.problem_code == "ORIGIN_NOT_ALLOWED":
        port = f" The proxy probably drops port {site.port}." if site.has_own_port else ""
        return problem(
            check,
            f"Pages of {site.origin} itself are refused: the server receives another Host than the browser sent.{port}",
            HOST_REMEDY,
        )
    if answer.problem_code == "NOT_LOCAL":
        return problem(check, answer.refusal, "Set ROUTIQ_AUTH to token or jwt, and ROUTIQ_ALLOWED_HOSTS.")
    return None


async def check_ready(site: Site) -> Finding:
    """Whether the server is ready."""
    check = "ready"
    answer = await site.ask("GET", "readyz")
    if answer.status == 200 and answer.json.get("status") == "ready":
        return ok(check, "Database and syncs work.")
    if answer.problem_code == "NOT_READY":
        return problem(check, answer.refusal, "Check the server's log.")
    return not_checked(check, f"/readyz is answered with status {answer.status} by another program.")


async def check_page(site: Site) -> Finding:
    """Whether browsers get the page."""
    check = "page"
    answer = await site.ask("GET", "", headers={"Accept": "text/html"})
    if answer.status == 200 and PAGE_MARK in answer.body:
        return ok(check, f"{site.url} shows the page.")
    if refused := _refused_by_guard(check, site, answer):
        return refused
    if 300 <= answer.status < 400:
        return _redirected(check, site, answer)
    return problem(
        check,
        f"Another program answers at {site.url} with status {answer.status}.",
        f"Make the proxy forward {site.path} and all paths below it to the server.",
    )


async def check_graphql(site: Site) -> Finding:
    """Whether a page of the site may send operations."""
    check = "graphql"
    headers = {"Origin": site.origin, **site.credentials}
    answer = await site.ask("POST", "graphql", headers=headers, query=HARMLESS)
    if answer.status == 200 and isinstance(answer.json.get("data"), dict):
        return ok(check, "Pages of this address may send operations by POST.")
    if refused := _refused_by_guard(check, site, answer):
        return refused
    if answer.status == 401 and answer.json.get("errors"):
        if site.token:
            return problem(check, "The server does not accept this token.", LOGIN_REMEDY)
        return ok(check, "Pages of this address may send operations by POST, with a token.")
    if 300 <= answer.status < 400:
        return _redirected(check, site, answer)
    if answer.json.get("errors") or answer.problem_code:
        return problem(check, f"The server refuses a POST (status {answer.status}).", METHODS_REMEDY)
    return problem(
        check,
        f"Another program answers a POST to {site.url}graphql with status {answer.status}.",
        f"Make the proxy forward {site.path}graphql to the server, with all methods.",
    )


async def check_foreign_origin(site: Site) -> Finding:
    """Whether pages of any other site are refused."""
    check = "other origins"
    headers = {"Origin": f"https://{FOREIGN_NAME}", **site.credentials}
    answer = await site.ask("POST", "graphql", headers=headers, query=HARMLESS)
    if answer.problem_code == "ORIGIN_NOT_ALLOWED":
        return ok(check, "Pages of other sites are refused.")
    if answer.status == 401 or (answer.status == 200 and "data" in answer.json):
        return problem(
            check,
            "A page of any other site may send operations from the browser of a visitor.",
            "Make the proxy forward Origin as the browser sent it, and list only the needed origins in "
            "ROUTIQ_ALLOWED_ORIGINS.",
        )
    return not_checked(check, f"The response with status {answer.status} does not show it.")


async def check_foreign_host(site: Site) -> Finding:
    """Whether the server accepts requests for any other host name."""
    check = "other names"
    answer = await site.ask("GET", "", headers={"Host": FOREIGN_NAME, "Accept": "text/html"})
    if answer.status == 421:
        return ok(check, "Other host names are refused.")
    if answer.status == 200 and PAGE_MARK in answer.body:
        return problem(check, "The page is served under every host name: the proxy replaces Host.", HOST_REMEDY)
    return ok(check, "Other host names do not reach the server.")


async def check_preflight(site: Site, origin: str) -> Finding:
    """Whether a page of ``origin`` may use the server, by the preflight request that browsers send first."""
    check = "preflight"
    if not origin:
        return not_checked(check, "No origin was given.", "Add --origin https://app.example.com")
    answer = await site.ask(
        "OPTIONS",
        "graphql",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    allowed = answer.headers.get_list("access-control-allow-origin")
    if answer.problem_code == "ORIGIN_NOT_ALLOWED":
        what_to_do = f"Add {origin} to ROUTIQ_ALLOWED_ORIGINS and restart the server."
        return problem(check, f"Pages of {origin} are refused.", what_to_do)
    if refused := _refused_by_guard(check, site, answer):
        return refused
    if len(allowed) > 1:
        return problem(
            check,
            f"Access-Control-Allow-Origin is in the answer {len(allowed)} times, which browsers refuse.",
            "Remove the CORS headers from the proxy (nginx: add_header Access-Control-…); the server sends them.",
        )
    names = answer.headers.get("access-control-allow-headers", "").lower()
    if 200 <= answer.status < 300 and allowed == [origin] and "authorization" in names:
        # The server lets an allowed page read the reason of a refusal, so the preflight itself succeeds.
        asked = await site.ask("POST", "graphql", headers={"Origin": origin, **site.credentials}, query=HARMLESS)
        if refused := _refused_by_guard(check, site, asked):
            return refused
        return ok(check, f"Pages of {origin} may use the server.")
    return problem(
        check,
        f"The preflight of {origin} is answered by another program, or changed by a proxy (status {answer.status}).",
        METHODS_REMEDY,
    )
