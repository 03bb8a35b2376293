"""Clients that prefer to send a document's hash, with a server that stores no documents."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.programs import Program
from tests.clients.conftest import RunScript

ORGANIZATION = "org_1"
HASH_ONLY = {"text": False, "hash": True}
TEXT_ONLY = {"text": True, "hash": False}
REFUSAL = {"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}


def test_clients_fall_back_to_the_text_and_remember(tmp_path: Path, run_script: RunScript):
    """A client that sends hashes works: after one refused request it sends texts while the page is open."""
    with Program("serve", "--port", "0", folder=tmp_path) as server:
        report = run_script("persisted.mjs", server.url(), ORGANIZATION)
    checks: dict[str, Callable[[Any, Any], None]] = {
        "apollo POST": _check_operations,
        "apollo GET": _check_operations,
        "apollo multipart": _check_subscriptions,
        "apollo websocket": _check_text_beside_hash,
        "urql POST": _check_operations,
        "urql GET": _check_operations,
        "urql event stream": _check_subscriptions,
        "urql websocket": _check_subscriptions,
        "graphql-ws": _check_shared_socket,
    }
    assert report.keys() == checks.keys()
    for way, check in checks.items():
        assert "error" not in report[way], (way, report[way])
        sent, found = report[way]["sent"], report[way]["found"]
        assert (sent[0]["method"] == "GET") is way.endswith("GET"), way
        check([{name: request[name] for name in HASH_ONLY} for request in sent], found)


def _check_operations(sent: Any, found: Any) -> None:
    """Two queries and a mutation."""
    assert sent == [HASH_ONLY, TEXT_ONLY, TEXT_ONLY, TEXT_ONLY]
    dashboard, history, started = found
    assert dashboard["dashboard"]["id"] == started["startSync"]["organizationId"] == ORGANIZATION
    assert history["history"]["totalSyncs"] >= 0


def _check_subscriptions(sent: Any, found: Any) -> None:
    assert sent == [HASH_ONLY, TEXT_ONLY, TEXT_ONLY]
    assert [state["dashboardUpdated"]["id"] for state in found] == [ORGANIZATION, ORGANIZATION]


def _check_text_beside_hash(sent: Any, found: Any) -> None:
    """Apollo's websocket link always sends the text."""
    assert sent == [{"text": True, "hash": True}]
    assert found[0]["dashboardUpdated"]["id"] == ORGANIZATION


def _check_shared_socket(sent: Any, found: Any) -> None:
    """A subscription stays open while another operation on the socket is refused and a third is executed."""
    assert sent == [TEXT_ONLY, HASH_ONLY, TEXT_ONLY]
    steady, refused, again = found
    assert refused["errors"] == [REFUSAL]
    assert steady["dashboardUpdated"]["id"] == again["dashboard"]["id"] == ORGANIZATION
