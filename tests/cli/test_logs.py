"""Log lines: both kinds of loggers in the same form, without secrets."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from routiq_gql.logs import configure_logging
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
