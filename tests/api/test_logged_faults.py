"""A fault is logged once, with all that is known about it, under the reference that the client gets."""

import json
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from routiq_gql.api.errors import OUTCOMES, internal_sentence, log_fault, problem_of, sentence_for_client
from routiq_gql.errors import RoutiqError, StorageError

PRIVATE = "Zoë Quist"
KNOWN = {"path": "/graphql", "sync_id": "sync_1", "transport": "websocket"}


def _body(error: Exception, **known: object) -> str:
    shown: str = json.loads(problem_of(error, **known).body)["detail"]
    return shown


def _sentence(error: Exception, **known: object) -> str:
    return sentence_for_client(error, **known) if isinstance(error, RoutiqError) else _reference(error, **known)


def _reference(error: Exception, **known: object) -> str:
    return internal_sentence(log_fault(error, **known))


@pytest.mark.parametrize("show", [_body, _sentence, _reference])
@pytest.mark.parametrize("error", [StorageError("The disk is full."), RuntimeError(PRIVATE), OSError(28, PRIVATE)])
def test_every_way_to_show_a_fault_logs_what_is_known(show: Callable[..., str], error: Exception):
    """Whichever API has met the fault, the operator finds the path, the sync and the kind of error by the reference."""
    with capture_logs() as lines:
        shown = show(error, **KNOWN)
    (line,) = lines
    assert shown == internal_sentence(line["reference"])
    assert KNOWN.items() <= line.items()
    assert line["error"] == type(error).__name__
    assert line.get("reason") == (error.message if isinstance(error, RoutiqError) else None)
    assert PRIVATE not in str(line)


@pytest.mark.parametrize("show", [_body, _sentence])
@pytest.mark.parametrize("code", [code for code, one in OUTCOMES.items() if one.is_shown and one.sentence is None])
def test_what_a_caller_can_act_on_is_not_logged(show: Callable[..., str], code: str):
    """The sentence is for the caller, and the log stays quiet."""
    error = RoutiqError("Do it differently.")
    error.code = code
    with capture_logs() as lines:
        assert show(error, **KNOWN) == "Do it differently."
    assert lines == []
