"""Assigns tests to the targets of the Makefile that run tests: by file, by folder, and by the parts they use.

`conftest.py` marks every collected test here, so a new test needs no marker. Only `soak` is set by hand. A test
without the marker `processes` or another part can't start a process: it would slow `make test-fast` down unnoticed.
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

HERE = Path(__file__).parent

APP_FOLDERS = ("apps", "clients")
"""Their tests install, build and run other people's programs."""

PARTS = {
    "apps": {"npm"},
    "browser": {"chromium_path", "browser"},
    "postgres": {"postgres", "postgres_template"},
    "processes": {"nginx"},
}
"""Each marker, and the fixtures that imply it."""

LONG_FILES = (
    "api/test_fuzzing.py",
    "database/test_any_history.py",
    "emulator/test_living.py",
    "engines/postgres/histories/test_histories.py",
    "engines/postgres/test_chaos.py",
    "engines/postgres/test_live_chaos.py",
    "engines/test_living_hour.py",
    "patients/test_plans.py",
    "simulation/test_calibration.py",
    "simulation/test_killed_looks.py",
    "simulation/test_long_comparison.py",
    "simulation/test_simulation.py",
    "spec/test_models.py",
    "sync/histories/test_histories.py",
    "sync/test_changed_settings.py",
    "sync/test_churn.py",
    "sync/test_misbehaviour.py",
    "sync/test_resuming.py",
    "test_bench.py",
)
"""Searches through many random cases or states, tests of each fault at each place, and short benchmarks. `make
test-long` runs them."""

LONG_TESTS = (
    "api/graphql/projection/test_equality.py::test_every_plain_selection_is_rendered_as_the_executor_renders_it",
    "api/graphql/shared/test_random_subscribers.py::test_each_subscriber_gets_newer_states_and_the_last",
    "api/graphql/test_any_selection.py::test_a_selection_may_be_written_in_any_way",
    "api/graphql/trusted/test_manifests.py::test_any_manifest_finds_its_own_texts_and_no_other",
    "api/test_nothing_private_leaks.py::test_a_failing_sync_reveals_nothing_private",
    "browser/test_live.py::test_edits_at_random_moments_mark_their_rows_in_an_open_list",
    "browser/test_long_lists.py::test_any_place_of_fifty_thousand_patients_is_reached_at_once",
    "emulator/test_large_clinic.py::test_each_new_time_of_change_is_searched_fast",
    "engines/test_comparing_in_parts.py::test_a_part_that_keeps_failing_is_left_out",
    "engines/test_ration.py::test_half_of_the_share_is_taken_for_some_minutes",
    "engines/test_refreshing.py::test_every_edit_is_shown_as_a_full_sync_would_show_it",
    "patients/test_changes.py::test_changes_equal_the_difference_in_plain_python",
    "patients/test_pages.py::test_cursors_neither_skip_nor_repeat_while_syncs_publish",
    "sync/reconcile/test_bisecting.py::test_differences_are_found_with_few_requests",
    "sync/test_cancel.py::test_at_the_moment_of_completion",
    "sync/test_checkpoint.py::test_a_sync_continues_after_an_interruption_at_any_moment",
    "sync/test_crashes.py::test_a_server_killed_at_any_time",
    "sync/test_crashes.py::test_an_incremental_sync_killed_at_commits",
    "sync/test_crashes.py::test_killed_at_commits",
    "test_local_times.py::test_each_time_is_due_once_a_day",
)
"""Such tests in other files. `make test` runs the first case of one with several cases, `make test-long` the others."""

SLOW_FILES = (
    "api/auth/test_long_subscriptions.py",
    "api/auth/test_unauthorized.py",
    "api/rest/test_stream.py",
    "api/test_followers.py",
    "api/test_nothing_private_leaks.py",
    "browser/test_reconnecting.py",
    "cli/test_connections.py",
    "cli/test_demo.py",
    "cli/test_following_syncs.py",
    "cli/test_sync_command.py",
    "engines/test_schedules.py",
    "sync/test_cancel.py",
    "sync/reconcile/test_reconciler.py",
    "sync/test_crashes.py",
    "sync/test_incremental.py",
    "sync/test_modes.py",
    "sync/test_unreadable_rows.py",
    "test_supervised_tasks.py",
    "webhooks/test_delivering.py",
    "webhooks/test_killed_senders.py",
)
"""Files with tests of several seconds, or with many tests that each run whole syncs (``--durations`` shows them). They
are started first, like those of `LONG_FILES`, and `make test-fast` leaves them out."""

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
    return any(item.get_closest_marker(part) for part in (*PARTS, "soak"))


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
    """Whether this is a test of ``LONG_TESTS``, and not the first of several cases."""
    if f"{file}::{getattr(item, 'originalname', '')}" not in LONG_TESTS:
        return False
    case: dict[str, int] = getattr(getattr(item, "callspec", None), "indices", {})
    return not case.keys() - {"database_kind"} or any(case.values())


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
