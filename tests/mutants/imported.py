"""A pytest plugin: ends the run unless the tests import the package of the copy, not that of the working tree."""

import os
from pathlib import Path

import pytest

import routiq_gql


def pytest_configure() -> None:
    imported, expected = Path(routiq_gql.__file__).parents[1], Path(os.environ["ROUTIQ_MUTANT_COPY"])
    if imported != expected:
        pytest.exit(f"The tests import {imported} instead of {expected}.", returncode=99)
