"""The TypeScript sources of the page and of the custom element: types, lint, and the tests beside them."""

import pytest

from tests.node_projects import CLIENT, INSTALL_SECONDS, installed, run, tool

pytestmark = pytest.mark.timeout(2 * INSTALL_SECONDS)


def test_its_types_and_style_are_sound():
    """TypeScript in its strictest mode and ESLint find no error."""
    folder = installed(CLIENT)
    run(tool(folder, "tsc"), "--noEmit", folder=folder)
    run(tool(folder, "eslint"), ".", folder=folder)


def test_its_operations_are_fresh():
    """graphql-codegen's output equals the committed file; after a change: npm run codegen in examples/client."""
    folder = installed(CLIENT)
    run(tool(folder, "graphql-codegen"), "--config", "codegen.ts", "--check", folder=folder)


def test_the_tests_of_the_sources_pass():
    """The core and the views work; see examples/client/test/."""
    folder = installed(CLIENT)
    printed = run(tool(folder, "vitest"), "run", "--reporter=verbose", folder=folder, seconds=INSTALL_SECONDS)
    assert "the steps, levels and endings are those of the schema" in printed


def test_the_committed_bundles_are_fresh():
    """The page in the repository is what its sources give; after a change: make bundles."""
    folder = installed(CLIENT)
    run("node", "build.mjs", "--check", folder=folder)
