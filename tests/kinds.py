"""Assigns tests to the targets of the Makefile that run tests: by file, by folder, and by the parts they use.

`conftest.py` marks every collected test here, so a new test needs no marker. Only `soak` is set by hand. A test
without the marker `processes`, or that of another program, can't start a process: it would slow `make test-fast` down
unnoticed.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.long_tests import LONG_CASES, LONG_FILES, LONG_TESTS

HERE = Path(__file__).parent

APP_FOLDERS = ("apps", "clients")
"""Their tests install, build and run other people's programs."""

PARTS = {
    "apps": {"npm"},
    "browser": {"chromium_path", "browser"},
    "postgres": {"postgres", "postgres_template"},
    "processes": {"nginx"},
    "server": {"bare_server", "cliniko", "command", "emulator_server", "issuer_server", "runtime", "server"},
}
"""Each marker, and the fixtures that imply it."""

SLOW_FILES = (
    "api/auth/test_long_subscriptions.py",
    "api/auth/test_unauthorized.py",
    "api/graphql/projection/test_equality.py",
    "api/graphql/shared/test_random_log_readers.py",
    "api/graphql/test_event_memo.py",
    "api/graphql/test_operation_limits.py",
    "api/graphql/trusted/test_documents.py",
    "api/rest/test_log.py",
    "api/rest/test_patient_export.py",
    "api/rest/test_stream.py",
    "api/test_concurrency.py",
    "api/test_cors.py",
    "api/test_followers.py",
    "api/test_nothing_private_leaks.py",
    "browser/test_reconnecting.py",
    "cli/test_connections.py",
    "cli/test_demo.py",
    "cli/test_following_syncs.py",
    "cli/test_limit_options.py",
    "cli/test_server.py",
    "cli/test_sync_command.py",
    "cliniko/test_access.py",
    "cliniko/test_any_list.py",
    "cliniko/test_lists.py",
    "cliniko/test_passes.py",
    "database/test_pruning.py",
    "database/test_reading_syncs.py",
    "database/test_retention.py",
    "database/test_rollback.py",
    "database/test_schema.py",
    "database/test_to_versions.py",
    "database/test_unseen_drafts.py",
    "emulator/test_churn.py",
    "emulator/test_clinics.py",
    "emulator/test_large_clinic.py",
    "engines/test_paused_engine.py",
    "engines/test_refreshing.py",
    "engines/test_schedules.py",
    "live/test_idle_watchers.py",
    "organizations/test_history_totals.py",
    "organizations/test_rereading.py",
    "patients/test_analysis.py",
    "patients/test_change_plans.py",
    "patients/test_outlook.py",
    "patients/test_pages.py",
    "patients/test_rules.py",
    "security/test_changes_of_keys.py",
    "serving/test_request_deadline.py",
    "serving/test_stalled_clients.py",
    "sync/reconcile/test_classes.py",
    "sync/reconcile/test_reconciler.py",
    "sync/reconcile/test_rereading.py",
    "sync/test_attendee_batches.py",
    "sync/test_cancel.py",
    "sync/test_checkpoint.py",
    "sync/test_crashes.py",
    "sync/test_endings.py",
    "sync/test_incremental.py",
    "sync/test_modes.py",
    "sync/test_unreadable_rows.py",
    "test_supervised_tasks.py",
    "webhooks/test_delivering.py",
    "webhooks/test_histories.py",
    "webhooks/test_killed_senders.py",
)
"""Files with tests of several seconds, or whose tests take seconds together (``--durations`` shows them). They are
started first, like those of `LONG_FILES`, and `make test-fast` leaves them out."""

STARTING = re.compile(r"\bsubprocess\b|\bcreate_subprocess_|\bmultiprocessing\b|\bos\.(fork|exec|spawn|posix_spawn)")
"""A module whose source matches starts processes itself."""

STARTERS = (
    "tests.bench.children",
    "tests.cli.programs",
    "tests.engines.postgres.histories.deployment",
    "tests.engines.postgres.processes",
    "tests.forked",
    "tests.mutants.running",
    "tests.postgres",
    "tests.spec.tlc",
)
"""Modules with functions and classes that start processes. A module that imports from them gets the marker."""

BEGINNINGS: tuple[tuple[Any, str], ...] = (
    (subprocess.Popen, "__init__"),
    *((os, name) for name in ("execv", "execve", "fork", "forkpty", "posix_spawn", "posix_spawnp")),
)
"""The functions by which Python starts processes. (An audit hook would see all, but is called for each ``id()``, too:
SQLAlchemy calls it so often that the hook took 2 % of the processor time.)"""


def mark_by_kind(item: pytest.Item) -> None:
    """Give a test the markers of the parts that it needs."""
    for part in parts_of(item):
        item.add_marker(part)


def parts_of(item: pytest.Item) -> set[str]:
    fixtures = set(getattr(item, "fixturenames", ()))
    parts = {part for part, bringing in PARTS.items() if not bringing.isdisjoint(fixtures)}
    file = item.path.relative_to(HERE).as_posix()
    if file in SLOW_FILES or file in LONG_FILES:
        parts.add("slow")
    if file in LONG_FILES or is_long(item, file) or _repeats_on_postgres(item):
        parts.add("long")
    if item.path.relative_to(HERE).parts[0] in APP_FOLDERS:
        parts.add("apps")
    if item.get_closest_marker("postgres_only") or ("database_kind" in fixtures and _database(item) == "postgres"):
        parts.add("postgres")
    if _starts_processes(item.path) or _imports_a_starter(item.module):
        parts.add("processes")
    return parts


def may_start_processes(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(part) for part in (*PARTS, "soak") if part != "server")


class ProcessGuard:
    """Fails a test that starts a process without a marker for it."""

    def __init__(self) -> None:
        self.item: pytest.Item | None = None
        """The running test, if it may not start a process."""
        for owner, name in BEGINNINGS:
            setattr(owner, name, self._guarded(getattr(owner, name)))

    def _guarded(self, begin: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(begin)
        def checked(*arguments: Any, **options: Any) -> Any:
            if self.item is not None:
                pytest.fail(f"{self.item.nodeid} starts a process: name what starts it in tests/kinds.py", False)
            return begin(*arguments, **options)

        return checked


def is_long(item: pytest.Item, file: str) -> bool:
    """Whether this is a test of ``LONG_TESTS``, or one of ``LONG_CASES`` and not the first of its cases."""
    test = f"{file}::{getattr(item, 'originalname', '')}"
    case: dict[str, int] = getattr(getattr(item, "callspec", None), "indices", {})
    is_further = any(index for name, index in case.items() if name != "database_kind")
    return test in LONG_TESTS or (test in LONG_CASES and is_further)


def _repeats_on_postgres(item: pytest.Item) -> bool:
    """Whether this test runs on SQLite, too: `make test` leaves the repetition to `make test-long`."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return bool(parameters.get("database_kind") == "postgres")


def _database(item: pytest.Item) -> str:
    for kind in ("sqlite", "postgres"):
        if item.get_closest_marker(f"{kind}_only"):
            return kind
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return str(parameters.get("database_kind", item.config.getoption("--database")))


@cache
def _starts_processes(file: Path) -> bool:
    return STARTING.search(file.read_text()) is not None


@cache
def _imports_a_starter(module: ModuleType) -> bool:
    return any(map(_is_starter, vars(module).values()))


def _is_starter(value: Any) -> bool:
    if isinstance(value, type(sys)):
        return value.__name__ in STARTERS
    return callable(value) and getattr(value, "__module__", "") in STARTERS
