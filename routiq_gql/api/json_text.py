"""JSON of every transport: request bodies, GET parameters, websocket frames and responses.

The reader accepts JSON of RFC 8259 within limits that keep every later step simple: numbers fit ``int`` and ``float``,
and the nesting can't exhaust the stack. The writer can encode every text.
"""

import json
from typing import NoReturn

from starlette.responses import JSONResponse, Response

MAX_DIGITS = 300
"""Digits of a number. Python reads no more than 4,300, and no floating-point number has more than 309."""
MAX_NESTING = 100
"""Levels of lists and objects within each other; a GraphQL request needs about five."""


class UnreadableJson(ValueError):
    """The text is not JSON, or exceeds the limits.

    Attributes:
        reason: The rest of a sentence whose subject is the text: "… is not UTF-8". It repeats nothing of the text.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_json(data: str | bytes) -> object:
    """The value of a JSON text; bytes are UTF-8, with or without a byte order mark.

    Strings may hold lone surrogates, which JSON can express and UTF-8 can't.

    Raises:
        UnreadableJson: It is not JSON, or a number or the nesting exceeds the limits.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        value = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise UnreadableJson("is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise UnreadableJson(f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise UnreadableJson(_TOO_DEEP) from None
    if text.count("[") + text.count("{") > MAX_NESTING and _is_nested_deeper_than(MAX_NESTING, value):
        raise UnreadableJson(_TOO_DEEP)
    return value


def write_json(value: object) -> bytes:
    """JSON in UTF-8; a lone surrogate becomes ``?``."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


class EncodedJson(Response):
    """A JSON response that is encoded already; no cache stores it."""

    def __init__(self, body: bytes, media_type: str = "application/json") -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", media_type.encode()),
            (b"cache-control", b"no-store"),
        ]


class JsonResponse(JSONResponse):
    """A JSON response whose content may hold any text."""

    def render(self, content: object) -> bytes:
        return write_json(content)


_TOO_DEEP = f"is nested more deeply than {MAX_NESTING} levels"
_TOO_LARGE = f"has a number that is too large, or has more than {MAX_DIGITS} digits"


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise UnreadableJson(_TOO_LARGE)
    return int(text)


def _fraction(text: str) -> float:
    value = float(text) if len(text) <= MAX_DIGITS else float("inf")
    if value in (float("inf"), float("-inf")):
        raise UnreadableJson(_TOO_LARGE)
    return value


def _constant(name: str) -> NoReturn:
    raise UnreadableJson(f"is not JSON: {name} is not a JSON value")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_fraction, parse_constant=_constant)


def _is_nested_deeper_than(limit: int, value: object) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return any(isinstance(one, dict | list) for one in level)
