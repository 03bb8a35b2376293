"""Log lines: both kinds of loggers in the same form, without secrets."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from routiq_gql.logs import clean_text, configure_logging, plain_line
from routiq_gql.settings import load_settings

KEY = "MS0xMjM0NTY3ODkwMTIzNDU2Nzg5LWFiY2RlZg-au2"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_secrets_are_removed_from_all_loggers(capsys: pytest.CaptureFixture[str]):
    """Keys, tokens, names and e-mail addresses are not logged, even if a programmer passes them."""
    configure_logging(load_settings(log_format="json"))
    structlog.get_logger("ours").warning(
        f"key {KEY} refused",
        api_key=KEY,
        first_name="Zoë",
        nested={"Authorization": "Basic abc", "rows": [{"email": "zoe@example.com", "id": 7}]},
        said="Bearer eyJhbGciOiJub25l.eyJzdWIiOiIxIn0.c2ln from zoe@example.com",
    )
    logging.getLogger("theirs").warning("sent %s to %s", KEY, "zoe@example.com")
    try:
        raise ValueError(KEY)
    except ValueError:
        structlog.get_logger("ours").exception("it broke")
    text = capsys.readouterr().err
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["logger"] for line in lines] == ["ours", "theirs", "ours"]
    for secret in (KEY, "Zoë", "zoe@", "Basic abc", "eyJ"):
        assert secret not in text
    assert lines[0]["nested"]["rows"][0]["id"] == 7
    assert "ValueError" in lines[2]["exception"]


def test_query_strings_are_cut_from_the_web_servers_lines(capsys: pytest.CaptureFixture[str]):
    """Tokens in URLs, as of event streams, are not logged."""
    configure_logging(load_settings())
    web_server = logging.getLogger("uvicorn.error")
    web_server.info('%s - "WebSocket %s" [accepted]', "192.0.2.7", "/graphql")  # its lines for sockets are left out
    web_server.warning("refused %s", "/graphql?token=abc")
    text = capsys.readouterr().err
    assert "/graphql" in text
    assert "token" not in text
    assert "192.0.2.7" not in text


def test_the_level_and_quietness(capsys: pytest.CaptureFixture[str]):
    """A command with terminal output shows warnings only, unless the operator asked for more."""
    configure_logging(load_settings(), quiet=True)
    structlog.get_logger("ours").info("small talk")
    configure_logging(load_settings(log_level="INFO"), quiet=True)
    structlog.get_logger("ours").info("asked for")
    configure_logging(load_settings())
    structlog.get_logger("ours").debug("details")
    text = capsys.readouterr().err
    assert "asked for" in text
    assert "small talk" not in text
    assert "details" not in text


def test_a_header_can_t_steer_the_terminal_that_shows_the_log(capsys: pytest.CaptureFixture[str]):
    """Escape sequences and reversed text are escaped; line ends of a traceback stay."""
    configure_logging(load_settings())
    structlog.get_logger("ours").warning("refused\x1b[2J", origin="http://evil\x9b31m", said="a\u202eb\nc", code=7)
    logging.getLogger("theirs").warning("from %s", "evil\x9b31m")
    text = capsys.readouterr().err
    assert all(one.isprintable() or one == "\n" for one in text)
    assert "http://evil\\x9b31m" in text
    assert "\\u202e" in text


LINES = [
    {},
    {"b": 1, "a": "plain", "c": None, "d": 1.5, "e": ["x", 'y"z'], "f": {"g": True}},
    {
        "quoted": "two words",
        "equals": "a=b",
        "quotes": "it's",
        "double": 'a"b',
        "line": "a\nb",
        "empty": "",
        "tab": "\t",
    },
    {"exception": "Traceback\n  File"},
    {"stack": "Stack\n  File"},
    {"exception": "Traceback\n  File", "stack": "Stack\n  File", "more": 1},
]


@pytest.mark.parametrize("values", LINES)
@pytest.mark.parametrize("text", ["short", "a sentence that is longer than the thirty columns of its place"])
def test_a_plain_line_is_that_of_the_library(values: dict[str, Any], text: str):
    """Lines look the same in a file and in a terminal, but for the colors."""
    render = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    event = {"timestamp": "2026-03-02T09:00:00Z", "level": "info", "event": text, "logger": "ours", **values}
    assert plain_line(None, "info", dict(event)) == render(None, "info", dict(event))


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_fault_is_logged_with_its_traceback(capsys: pytest.CaptureFixture[str], log_format: Any):
    """The traceback is in the line of our loggers and of others, without secrets."""
    configure_logging(load_settings(log_format=log_format))
    for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
        try:
            raise ValueError(KEY)
        except ValueError:
            log.exception("it broke")
    text = capsys.readouterr().err
    assert text.count("ValueError: [removed]") == 2
    assert text.count("in test_a_fault_is_logged_with_its_traceback") == 2
    assert KEY not in text


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        "rtq_0123456789abcdef0",
        "Basic YWJjZGVmZ2g=",
        "Bearer abcdefgh",
        "eyJhbGciOiJu.eyJzdWIiOiIxIn0.c2ln",
        "zoe@x.org",
    ],
)
def test_every_private_text_is_found(text: str):
    """What a key, a token or an address looks like is removed, wherever in a sentence it stands."""
    for sentence in (text, f"before {text} after", f"({text})"):
        assert text not in clean_text(sentence)
    assert clean_text("a sentence about keys and tokens") == "a sentence about keys and tokens"


def test_a_closed_output_is_no_fault(monkeypatch: pytest.MonkeyPatch):
    """A log that can't be written, as when its disk is full, ends no request."""
    configure_logging(load_settings())
    for error in (OSError(28, "No space left on device"), ValueError("I/O operation on closed file")):

        class Full:
            def write(self, _text: str, error: Exception = error) -> None:
                raise error

            def flush(self) -> None: ...

        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", Full())
            structlog.get_logger("ours").info("small talk")
