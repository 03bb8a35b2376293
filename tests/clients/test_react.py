"""The React example without a browser: its types, and its own tests."""

import pytest

from tests.node_projects import INSTALL_SECONDS, REACT, installed, run, tool

pytestmark = pytest.mark.timeout(2 * INSTALL_SECONDS)


def test_its_types_are_sound():
    """TypeScript, as strict as it can be, finds nothing."""
    folder = installed(REACT)
    run(tool(folder, "tsc"), "--noEmit", folder=folder)


def test_its_own_tests_pass():
    """The component and its hook against a server with real sockets; see examples/react/test/."""
    folder = installed(REACT)
    printed = run(tool(folder, "vitest"), "run", "--reporter=verbose", folder=folder, seconds=INSTALL_SECONDS)
    assert "StrictMode mounts twice and opens one socket" in printed
