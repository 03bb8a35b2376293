"""Odd input for every route, operation and transport, and raw connections that send it unchanged.

The input is generated from the app's routes and schema, so that new routes and fields are covered at once. JSON holds
values that ``json.dumps`` can't write, such as numbers of 5,000 digits.
"""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from itertools import chain
from typing import Any
from urllib.parse import quote, urlsplit

from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_composite_type
from hypothesis import strategies as st
from starlette.routing import Route

from routiq_gql.app import create_app
from routiq_gql.settings import Settings
from tests.built_schema import built_schema

LIMIT_SECONDS = 30
ORGANIZATION = "org_1"
"""The organization with syncs; the generated input names it as often as any other."""

DIGITS = "9" * 5_000
LONG = "x" * 60_000

RAW_JSON = {
    "@digits@": DIGITS,
    "@negative@": f"-{DIGITS}",
    "@fraction@": f"0.{DIGITS}",
    "@exponent@": "1e400",
    "@negative exponent@": "-1E+99999999",
    "@nan@": "NaN",
    "@infinity@": "-Infinity",
    "@deep list@": "[" * 3_000 + "]" * 3_000,
    "@rather deep list@": "[" * 300 + "]" * 300,
    "@deep object@": '{"a":' * 3_000 + "1" + "}" * 3_000,
    "@twice@": '{"a":1,"a":2}',
    "@half open@": "[",
}
"""Replacements of these strings in the JSON text."""

ODD_TEXTS = [
    "",
    " ",
    "\x00",
    "org_1\x00",
    "sync_org_1_20241222_143022\x00",
    "\ud800",
    "sync_\udfff_20241222_143022",
    "\ude00\ud83d",
    "\ufeff",
    "\u202e",
    "\x85\u2028",
    "٣",
    "1_0",
    "-1",
    "1e3",
    "²",
    DIGITS,
    LONG,
    "../..",
    "<b>",
    "' OR 1=1 --",
    "null",
    "sync_nobody_20241222_143022",
    "sync_" + "x" * 300,
    "bnVsbA",
    "W10",
    "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwgIngiXQ",  # a moment in the year 1
    "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzIzOjU5IiwgIngiXQ",  # a moment before it
    "W1tb" * 3_000,  # lists in lists in lists
    "OTk5" * 2_000,  # a number of 6,000 digits
    ORGANIZATION,
]
TEXTS = st.sampled_from(ODD_TEXTS) | st.text(st.characters(), max_size=12)
ODD_VALUES = [None, True, False, 0, -1, 2**31, 2**63, -(2**64), 10**400, 1.5, -0.0, 1e308, [], [[1]], {}, *RAW_JSON]
SCALARS = st.sampled_from(ODD_VALUES) | TEXTS
VALUES = SCALARS | st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(TEXTS.filter(lambda key: len(key) < 99), inner, max_size=2)
    ),
    max_leaves=4,
)
ODD_LITERALS = [
    DIGITS,
    f"-{DIGITS}",
    f"{DIGITS}.{DIGITS}",
    "1e400",
    "2147483648",
    "0",
    "null",
    "true",
    "FULL",
    "[]",
    "[[1]]",
    "{a: 1}",
    "$undefined",
    "[" * 80 + "]" * 80,
    '"\ud800"',
    '"\\ud800"',
    '"\\u{110000}"',
    '"\\u0000"',
    '""',
    f'"{LONG[:20_000]}"',
    '"""block"""',
    f'"{ORGANIZATION}"',
    '"sync_nobody_20241222_143022"',
    '"W1tbW1tb"',
]
"""As written into a document."""


def json_text(value: object) -> str:
    """JSON, with the values of ``RAW_JSON`` in place of their names."""
    return re.sub(r'"(@[a-z ]+@)"', lambda match: RAW_JSON.get(match[1], match[0]), json.dumps(value))


@dataclass(frozen=True)
class Place:
    """A field with arguments, and its path: the names and arguments of the fields above it come first."""

    operation: str
    path: tuple[tuple[str, dict[str, str]], ...]
    is_composite: bool

    def __str__(self) -> str:
        return f"{self.operation} {'.'.join(name for name, _ in self.path)}"


def places(schema: GraphQLSchema | None = None) -> list[Place]:
    """Every root field of the schema, and every other field with arguments, by its shortest path."""
    schema = schema or built_schema()
    found: list[Place] = []
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        assert root is not None
        seen = {root.name}
        level: list[tuple[GraphQLObjectType, tuple[tuple[str, dict[str, str]], ...]]] = [(root, ())]
        while level:
            below = []
            for kind, above in level:
                for name, field in kind.fields.items():
                    inner = get_named_type(field.type)
                    path = (*above, (name, {argument: str(one.type) for argument, one in field.args.items()}))
                    if not above or field.args:
                        found.append(Place(root.name.lower(), path, is_composite_type(inner)))
                    if isinstance(inner, GraphQLObjectType) and inner.name not in seen:
                        seen.add(inner.name)
                        below.append((inner, path))
            level = below
    return found


PLACES = places()


def each_odd_argument(known: dict[str, str], *kinds: str) -> Iterator[str]:
    """A request, as JSON, for odd values of every argument of these kinds of operations; other arguments are good.

    Each argument gets each odd text. Values of other types are refused by their type, so they are tried once per type.
    """
    tried: set[str] = set()
    for place in PLACES:
        for argument, kind in place.path[-1][1].items() if place.operation in kinds else ():
            is_new = kind not in tried
            tried.add(kind)
            document = _document(place, known, argument, "$v", f"($v: {kind})")
            for value in [*ODD_TEXTS, *(ODD_VALUES if is_new else ())]:
                yield json_text({"query": document, "variables": {"v": value}})
            for literal in ODD_LITERALS if is_new else ():
                yield json_text({"query": _document(place, known, argument, literal, "")})


def _document(place: Place, known: dict[str, str], argument: str, value: str, declared: str) -> str:
    opened = ""
    for depth, (name, arguments) in enumerate(place.path, 1):
        given = {one: json.dumps(known[one]) for one in arguments if one in known}
        if depth == len(place.path):
            given[argument] = value
        listed = ", ".join(f"{one}: {text}" for one, text in given.items())
        opened += f"{{ {name}{f'({listed})' if listed else ''} "
    selection = "{ __typename }" if place.is_composite else ""
    return f"{place.operation} Odd{declared} {opened}{selection}{' }' * len(place.path)}"


@st.composite
def operations(draw: st.DrawFn, known: dict[str, str]) -> dict[str, Any]:
    """A GraphQL request whose field, arguments and members are odd in some ways.

    Args:
        known: Good values of arguments by name, for those that are not odd.
    """
    place = draw(st.sampled_from(PLACES))
    variables: dict[str, Any] = {}
    declared: list[str] = []
    opened = ""
    for depth, (name, arguments) in enumerate(place.path):
        given = []
        for argument, kind in arguments.items():
            how = draw(st.sampled_from(["good", "literal", "variable", "variable", "absent"]))
            if how == "good" and argument in known:
                given.append(f'{argument}: "{known[argument]}"')
            elif how == "literal":
                given.append(f"{argument}: {draw(st.sampled_from(ODD_LITERALS))}")
            elif how == "variable":
                variable = f"v{depth}{argument}"
                default = draw(st.sampled_from(["", "", "", " = 5", f" = {DIGITS}", ' = "x"']))
                declared.append(f"${variable}: {draw(st.sampled_from([kind, kind, kind, 'Int', '[ID!]']))}{default}")
                given.append(f"{argument}: ${variable}")
                variables[variable] = draw(VALUES)
        opened += f"{{ {name}{'(' + ', '.join(given) + ')' if given else ''} "
    selection = "{ __typename }" if place.is_composite else ""
    name = draw(st.sampled_from(["", "", " Named"]))
    document = (
        f"{place.operation}{name}{'(' + ', '.join(declared) + ')' if declared else ''} "
        f"{opened}{selection}{' }' * len(place.path)}"
    )
    request: dict[str, Any] = {"query": document, "variables": variables}
    for member in draw(st.sets(st.sampled_from(["query", "variables", "operationName", "extensions"]), max_size=2)):
        if draw(st.booleans()):
            request[member] = draw(VALUES)
    return request


MESSAGE_TYPES = ["subscribe"] * 6 + ["complete", "ping", "pong", "connection_init", "next", "connection_ack"]


@st.composite
def frames(draw: st.DrawFn, known: dict[str, str]) -> str | bytes | tuple[bytes, ...]:
    """A frame of a websocket; bytes are sent as binary, a tuple as text in fragments."""
    how = draw(st.sampled_from(["message"] * 8 + ["json", "text", "binary", "fragments"]))
    if how == "json":
        return json_text(draw(VALUES))
    if how == "text":
        return draw(st.text(max_size=40) | st.sampled_from(["\ufeff{}", "{", *(RAW_JSON.values())]))
    if how == "binary":
        return draw(st.binary(max_size=40))
    if how == "fragments":
        return tuple(draw(st.lists(st.binary(max_size=9), min_size=1, max_size=3)))
    kind = draw(st.sampled_from(MESSAGE_TYPES) | VALUES)
    message: dict[str, Any] = {"type": kind}
    if kind in ("subscribe", "complete") or draw(st.booleans()):
        message["id"] = draw(st.sampled_from(["1", "2", "3"]) | VALUES)
    if kind == "subscribe":
        message["payload"] = draw(operations(known) | VALUES)
    elif draw(st.booleans()):
        message["payload"] = draw(st.dictionaries(st.sampled_from(["a", "Authorization"]), VALUES, max_size=2) | VALUES)
    return json_text(message)


def quoted(text: str) -> str:
    """The text as a part of an address that is not too long for any server."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")[:40_000]


def _templates() -> list[str]:
    app = create_app(Settings(graphiql=True))
    return sorted({route.path for route in app.routes if isinstance(route, Route)})


TEMPLATES = _templates()
"""The path of every HTTP route of the app."""
ODD_PARTS = [
    "%00",
    "%ff",
    "%ED%A0%80",
    "%",
    "%zz",
    "%2F",
    "..",
    "%F0%9F%98%80",
    "x" * 300,
    "y" * 30_000,
    "%0d%0a",
    "²",
    "",
]
PARTS = st.sampled_from(ODD_PARTS) | TEXTS.map(quoted)
PARAMETERS = {
    f"/api/v1/sync/history/{ORGANIZATION}?": ("limit", "after", "status"),
    "/api/v1/sync/stream/none?": ("after", "token"),
    "/graphql?": ("query",),
    "/graphql?query={{__typename}}&": ("variables", "operationName", "extensions"),
}
HEADERS = [
    "Accept",
    "Accept-Encoding",
    "Access-Control-Request-Method",
    "Authorization",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "Expect",
    "Host",
    "If-None-Match",
    "Last-Event-ID",
    "Origin",
    "Range",
    "Sec-Fetch-Site",
    "Transfer-Encoding",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "Forwarded",
    "X-Request-ID",
]
ODD_HEADER_VALUES = [
    b"",
    b"\xff\xfe",
    b"\xb2.\xb3",
    b"1.1",
    b"9" * 5_000,
    b"9" * 5_000 + b".1",
    b"-1",
    b"0x1",
    b"Bearer \xff",
    b"Bearer " + b"e30." * 3_000,
    b"Bearer W1tb" + b"W1tb" * 3_000 + b".e30.e30",
    b"text/event-stream",
    b"text/event-stream;q=nan, application/json;q=1e999",
    b"multipart/mixed;subscriptionSpec=1.0",
    b"multipart/mixed; boundary=\xff",
    b"application/graphql-response+json",
    b"application/json; charset=utf-16",
    b"application/json; charset*=x''%FF; charset*1*=%",
    b"application/x-www-form-urlencoded",
    b"*/*;q=" + b"1" * 5_000,
    b"text/html",
    b';;,="',
    b"localhost:" + b"9" * 5_000,
    b"http://localhost:" + b"9" * 5_000,
    b"http://localhost:99999",
    b"http://[::1",
    b"[::1]:0",
    b"null",
    b"cross-site",
    b"bytes=0-",
    b"gzip;q=0",
    b"100-continue",
    b"upgrade, keep-alive",
    b'for="[' + b":" * 100 + b']"',
    b"1." * 2_000,
]
HEADER_VALUES = st.sampled_from(ODD_HEADER_VALUES) | st.binary(max_size=12).map(
    lambda value: bytes(byte for byte in value if byte not in b"\r\n\0")
)
MULTIPART = b"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"
METHODS = ["GET"] * 4 + ["POST"] * 3 + ["DELETE", "HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "BREW"]
BODIES = (
    st.sampled_from(
        [
            b"",
            b"\xef\xbb\xbf{}",
            b"\xff\xfe{\x00}\x00",
            '{"query":"{ __typename }"}'.encode("utf-16"),
            b'{"query":"\xed\xa0\x80"}',
            b"query=%7B__typename%7D",
            b"--x\r\nContent-Disposition: form-data; name=operations\r\n\r\n{}\r\n--x--",
            b"[{},{}]",
            *(text.encode() for text in RAW_JSON.values()),
        ]
    )
    | st.binary(max_size=40)
    | VALUES.map(json_text).map(str.encode)
)


@dataclass(frozen=True)
class RawRequest:
    """An HTTP request as bytes; ``Content-Length`` and ``Host`` are added unless they are among ``headers``."""

    method: str
    target: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    body: bytes = b""


@st.composite
def requests(draw: st.DrawFn, known: dict[str, str]) -> RawRequest:
    """An HTTP request to any route, or to none, with an odd address, headers or body."""
    method = draw(st.sampled_from(METHODS))
    template = draw(st.sampled_from(["/graphql"] * len(TEMPLATES) + [*TEMPLATES, "/nowhere/{one}", "{one}"]))
    target = re.sub(r"\{(\w+)\}", lambda match: draw(PARTS | st.sampled_from(list(known.values()))), template)
    pairs = draw(st.lists(st.tuples(st.sampled_from([*chain(*PARAMETERS.values())]) | PARTS, PARTS), max_size=2))
    body, headers = b"", []
    if template == "/graphql":
        request = draw(operations(known))
        headers = draw(st.sampled_from([[], [("Accept", b"text/event-stream")], [("Accept", MULTIPART)]]))[:]
        if draw(st.integers(0, 2)):
            method, body = "POST", json_text(request).encode()
            headers.append(("Content-Type", b"application/json"))
        else:
            given = {name: value for name, value in request.items() if value}
            texts = {name: value if isinstance(value, str) else json_text(value) for name, value in given.items()}
            pairs = [(name, quote(text.encode("utf-8", "surrogatepass"))) for name, text in texts.items()]
    if template != "/graphql" or draw(st.integers(0, 4)) == 0:
        headers += draw(st.lists(st.tuples(st.sampled_from(HEADERS), HEADER_VALUES).filter(_is_honest), max_size=2))
        if method in {"POST", "PUT", "PATCH", "DELETE"}:
            body = draw(BODIES)
    query = "&".join(f"{name}={value}" for name, value in pairs)
    return RawRequest(
        method, (f"{target}?{query}" if query else target).encode("latin-1", "replace"), tuple(headers), body
    )


def each_odd_address() -> Iterator[RawRequest]:
    """Every odd part in each segment of every route's path and in every parameter, and every odd header."""
    targets = []
    for template in TEMPLATES:
        names = re.findall(r"\{(\w+)\}", template)
        targets += [template.format_map(dict.fromkeys(names, ORGANIZATION) | {name: "{}"}) for name in names]
    targets += [f"{path}{name}={{}}" for path, names in PARAMETERS.items() for name in names]
    for target in targets:
        method = {"/api/v1/sync/start/{}": "POST", "/api/v1/sync/cancel/{}": "DELETE"}.get(target, "GET")
        for part in [*ODD_PARTS, *map(quoted, ODD_TEXTS)]:
            yield RawRequest(method, target.format(part).encode("latin-1", "replace"))
    for name in HEADERS:
        path = b"/api/v1/sync/stream/none" if name == "Last-Event-ID" else b"/graphql?query={__typename}"
        for value in ODD_HEADER_VALUES:
            if _is_honest((name, value)):
                yield RawRequest("GET", path, ((name, value),))


def _is_honest(header: tuple[str, bytes]) -> bool:
    """Whether the request has no announced body that never arrives, for which a server would wait until a deadline."""
    name, value = header
    return not (name == "Content-Length" and value.isdigit() and len(value) < 20)


@contextmanager
def sent(url: str, request: RawRequest) -> Iterator[HTTPResponse]:
    """The head of the response to a raw request; its body can be read within the block."""
    place = urlsplit(url)
    names = {name.lower() for name, _ in request.headers}
    lines = [f"{request.method} ".encode() + request.target + b" HTTP/1.1"]
    if "host" not in names:
        lines.append(f"Host: {place.netloc}".encode())
    if "content-length" not in names and "transfer-encoding" not in names:
        lines.append(f"Content-Length: {len(request.body)}".encode())
    lines += [f"{name}: ".encode() + value for name, value in request.headers]
    with socket.create_connection((str(place.hostname), place.port or 80), LIMIT_SECONDS) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + request.body)
        answer = HTTPResponse(connection, method=request.method)
        try:
            answer.begin()
            yield answer
        finally:
            answer.close()
