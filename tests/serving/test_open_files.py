"""Errors of the event loop: a shortage of files is one line, what asyncio can't avoid is none, all else is logged."""

import asyncio
import errno
from itertools import product
from typing import Any

import pytest
from structlog.testing import capture_logs

from routiq_gql.serving.open_files import is_out_of_files, shortage_in_one_line


def _caused(error: BaseException, cause: BaseException, *, is_context: bool) -> BaseException:
    if is_context:
        error.__context__ = cause
    else:
        error.__cause__ = cause
    return error


SHORTAGES: list[BaseException] = [
    wrapped
    for number in (errno.EMFILE, errno.ENFILE)
    for error in [OSError(number, "too many")]
    for wrapped in (
        error,
        *(_caused(RuntimeError("a"), error, is_context=one) for one in (False, True)),
        *(
            _caused(ValueError("a"), _caused(OSError(errno.EIO, "b"), error, is_context=one), is_context=other)
            for one, other in product((False, True), repeat=2)
        ),
    )
]
OTHERS: list[BaseException | None] = [
    *(None, ValueError("a"), ValueError("_start_serving"), RuntimeError("a"), OSError(errno.ECONNRESET, "reset")),
    *(_caused(ValueError("a"), KeyError("b"), is_context=one) for one in (False, True)),
]
ACCEPTING, OTHER = "<TimerHandle BaseSelectorEventLoop._start_serving()>", "<Handle Feed.read()>"


def test_a_shortage_is_recognized_behind_other_errors():
    """The limit of the process and of the system, also as the cause of an error of a library."""
    assert all(map(is_out_of_files, SHORTAGES))
    assert not any(map(is_out_of_files, OTHERS))


@pytest.mark.parametrize("has_own_handler", [True, False])
async def test_every_error_of_a_callback_is_reported_unless_it_is_a_shortage(
    has_own_handler: bool, monkeypatch: pytest.MonkeyPatch
):
    """Nothing of the product's own faults is lost, and the handler of before is there again afterwards."""
    loop, reported = asyncio.get_running_loop(), list[dict[str, Any]]()
    before = (lambda _loop, context: reported.append(context)) if has_own_handler else None
    loop.set_exception_handler(before)
    monkeypatch.setattr(loop, "default_exception_handler", reported.append)
    with capture_logs() as logs, shortage_in_one_line(loop):
        for error, handle in product([*SHORTAGES, *OTHERS], (ACCEPTING, OTHER, None)):
            context = {"message": "a", "exception": error, "handle": handle}
            reported.clear()
            loop.call_exception_handler({name: value for name, value in context.items() if value is not None})
            is_unavoidable = isinstance(error, ValueError) and handle == ACCEPTING
            is_reported = error not in SHORTAGES and not is_unavoidable
            assert len(reported) == is_reported, context
    assert [line["event"] for line in logs] == ["too_many_open_files"]
    assert loop.get_exception_handler() is before
