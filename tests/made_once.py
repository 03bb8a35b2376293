"""Makes once for a whole test process what a server makes at each of its starts.

A test process starts about a thousand servers. Building the GraphQL schema, loading the migrations and collecting
garbage took three quarters of the processor time of a start.
"""

from functools import cache
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from routiq_gql.api.graphql import view
from routiq_gql.serving import server


def share_between_servers(patch: pytest.MonkeyPatch) -> None:
    """Give all servers of this process the same schemas and migrations, which never change.

    Servers also stop tuning the garbage collector: each would freeze the objects of the tests before it, and they
    would stay in memory until the process ends.
    """
    patch.setattr(view, "make_schema", cache(view.make_schema))
    patch.setattr(server, "tune_gc", lambda: None)
    load = ScriptDirectory.from_config
    scripts: dict[str, ScriptDirectory] = {}

    def from_config(_class: Any, config: Config) -> ScriptDirectory:
        folder = config.get_main_option("script_location", "")
        if folder not in scripts:
            scripts[folder] = load(config)
        return scripts[folder]

    patch.setattr(ScriptDirectory, "from_config", classmethod(from_config))


def tune_gc_for_tests() -> None:
    """Keep the collected tests and the imported modules out of every garbage collection."""
    server.tune_gc()
