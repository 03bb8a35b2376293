"""Tests that need a program which this machine lacks: skipped with the reason, and failed in CI."""

import os
from typing import NoReturn

import pytest

LEFT_OUT = (pytest.skip.Exception, pytest.fail.Exception)
"""The exceptions of ``leave_out``, for programs that use it outside of a test."""


def leave_out(reason: str) -> NoReturn:
    """Skip the test, or fail it with ``CI=true``."""
    if os.environ.get("CI", "") not in {"", "0", "false"}:
        pytest.fail(reason)
    pytest.skip(reason)
