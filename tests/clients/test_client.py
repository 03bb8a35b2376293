"""The TypeScript sources of the page and of the custom element: types, lint, and the tests beside them."""

import sys

import pytest

from tests.node_projects import CLIENT, INSTALL_SECONDS, installed, run, tool

TEST_SECONDS = 900
"""How long the tests may take on a busy machine: they start about ten servers."""

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + TEST_SECONDS)


def test_its_types_and_style_are_sound():
    """TypeScript in its strictest mode and ESLint find no error."""
    folder = installed(CLIENT)
    run(tool(folder, "tsc"), "--noEmit", folder=folder)
    run(tool(folder, "eslint"), ".", folder=folder, seconds=INSTALL_SECONDS)


def test_its_operations_are_fresh():
    """graphql-codegen's output equals the committed file; after a change: npm run codegen in examples/client."""
    folder = installed(CLIENT)
    run(tool(folder, "graphql-codegen"), "--config", "codegen.ts", "--check", folder=folder)


def test_the_tests_of_the_sources_pass():
    """The core and the views work, also with a real server; see examples/client/test/."""
    folder = installed(CLIENT)
    command = (tool(folder, "vitest"), "run", "--reporter=verbose")
    printed = run(*command, folder=folder, seconds=TEST_SECONDS, ROUTIQ_PYTHON=sys.executable)
    assert "the steps, levels and endings are those of the schema" in printed


def test_the_committed_bundles_are_fresh():
    """The page in the repository is what its sources give; after a change: make bundles."""
    folder = installed(CLIENT)
    run("node", "build.mjs", "--check", folder=folder)
