"""Node's packages for the comparison. The short form of the benchmark leaves Node out, as `make test` needs no npm."""

import shutil
from pathlib import Path

from tests.machine import LEFT_OUT
from tests.node_projects import CLIENTS, installed

SERVER = Path(__file__).with_name("node_server.mjs")


def packages() -> tuple[Path | None, str]:
    """The folder that has them, or a sentence that says why there is none."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None, "Node.js is not installed, so graphql-ws is left out."
    try:
        return installed(CLIENTS), ""
    except LEFT_OUT:
        return None, "npm could not install graphql-ws, so it is left out."
