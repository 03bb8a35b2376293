"""A pytest plugin for searches: tests give up sooner, and must import the package of the copy."""

import os
from pathlib import Path

import pytest

import routiq_gql
from tests import waiting

LIMIT_SECONDS = 30
"""Many bugs are found by a wait that lasts until its limit. All tests pass with this limit before a bug is planted."""

waiting.LIMIT_SECONDS = LIMIT_SECONDS


def pytest_configure() -> None:
    imported, expected = Path(routiq_gql.__file__).parents[1], Path(os.environ["ROUTIQ_MUTANT_COPY"])
    if imported != expected:
        pytest.exit(f"The tests import {imported} instead of {expected}.", returncode=99)
