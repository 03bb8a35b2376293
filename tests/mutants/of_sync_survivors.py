"""Bugs in syncs, looks and retention that a later survey planted and no test had found."""

from tests.mutants.mutant import Mutant

OF_SYNC_SURVIVORS = (
    Mutant(
        "starts-of-looks-count",
        "Syncs of looks use up the syncs that a person may start within a minute",
        "database/syncs.py",
        "            reads_cliniko(),\n            ~SYNC.c.refresh,\n",
        "            reads_cliniko(),\n",
        ("tests/database/test_reading_syncs.py::test_limits_estimates_and_overviews_are_of_the_syncs_that_they_name",),
    ),
    Mutant(
        "resume-forgets-unreadable",
        "The receipt of a sync that was interrupted leaves out the unreadable rows of before",
        "sync/drafting.py",
        "name: dict.fromkeys(effort.unreadable) for name, effort in self._efforts_before.items()",
        "name: {} for name in self._efforts_before",
        ("tests/sync/test_resuming.py::test_a_sync_that_is_interrupted_behind_each_checkpoint_says_the_same",),
    ),
    Mutant(
        "new-key-trusted-after-failure",
        "After a look that failed, the next one does not ask whose the new key is",
        "engines/refreshing.py",
        "        if look.due.has_new_key:\n            values",
        "        if False:\n            values",
        (
            "tests/engines/test_looks_and_connections.py::test_another_account_behind_an_unchecked_key_is_noticed_by_the_first_look",
        ),
    ),
    Mutant(
        "time-only-forgets-plan",
        "After a time-only sync a clock that is ahead makes the next sync miss changes",
        "engines/time_only.py",
        '        "rules": RULES,\n        "checkpoint": plan_only(base.checkpoint),\n',
        '        "rules": RULES,\n',
        ("tests/engines/test_time_only.py::test_a_time_only_sync_keeps_all_facts_of_the_sync_before",),
    ),
    Mutant(
        "cutoffs-stay",
        "A server deletes by the times of its first round as long as it runs",
        "engines/housekeeping.py",
        "self._cutoffs = cutoffs if has_more else None",
        "self._cutoffs = cutoffs",
        ("tests/database/test_retention.py::test_the_regular_removal_is_not_delayed",),
    ),
    Mutant(
        "canceller-not-forgotten",
        "The name of a person who cancelled a sync is kept as long as the sync",
        "database/pruning.py",
        "is_named = SYNC.c.started_by_name.is_not(None) | SYNC.c.cancelled_by_name.is_not(None)",
        "is_named = SYNC.c.started_by_name.is_not(None)",
        ("tests/database/test_pruning.py::test_a_kept_sync_forgets_every_person",),
    ),
)
