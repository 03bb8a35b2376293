"""Bugs that no test found in a survey with random changes; see ``docs/proof.md``, "Random changes"."""

from tests.mutants.mutant import Mutant

OF_SURVEYED = (
    Mutant(
        "wait-without-length",
        "A sync that waits for Cliniko shows that it resumes now",
        "cliniko/pacing.py",
        "datetime.now(UTC) + timedelta(milliseconds=ceil(seconds * 1000))",
        "datetime.now(UTC)",
    ),
    Mutant(
        "known-keys-asked-for-ever",
        "While the issuer's known keys can't be fetched again, each request asks for them",
        "security/jwks.py",
        "if not is_running and self._is_older_than(self._tried_at, UNKNOWN_KEY_SECONDS):",
        "if not is_running:",
        ("tests/api/auth/test_issued_tokens.py::test_an_issuer_that_fails_is_asked_once_in_a_while_for_known_keys",),
    ),
    Mutant(
        "any-timeout-is-the-limit",
        "A sync that meets an unexpected timeout says that it has reached its time limit",
        "sync/runner.py",
        "                    if not deadline.expired():\n                        raise\n",
        "",
        ("tests/sync/test_storage_trouble.py::test_an_unexpected_error_ends_the_sync_with_its_id",),
    ),
    Mutant(
        "webhooks-in-any-order",
        "The webhooks of an organization are listed in no certain order",
        "database/webhooks.py",
        "query.order_by(WEBHOOK.c.created_at, WEBHOOK.c.id)",
        "query",
        ("tests/webhooks/test_registry.py::test_webhooks_are_listed_in_the_order_of_their_registration",),
    ),
    Mutant(
        "average-of-all-endings",
        "The average duration of completed syncs counts failed ones",
        "database/history.py",
        "        SYNC.c.status == status,\n        SYNC.c.completed_at.is_not(None),\n        in_history(),\n",
        "        SYNC.c.completed_at.is_not(None),\n        in_history(),\n",
        ("tests/database/test_reading_syncs.py::test_the_figures_of_a_history_are_of_its_syncs",),
    ),
    Mutant(
        "log-of-another-sync",
        "A token for one sync reads the logs of the organization's other syncs, if no check before stops it",
        "database/sync_log.py",
        "    if only is not None:\n        conditions.append(SYNC.c.sync_id == only)\n",
        "",
        ("tests/database/test_reading_syncs.py::test_lines_are_of_the_syncs_that_a_viewer_may_see",),
    ),
    Mutant(
        "whole-log-for-a-part",
        "A part of a log that begins after a line has all lines",
        "database/sync_log.py",
        "(LOG.c.seq > after) & (LOG.c.seq <= min(after + limit, MAX_SEQ))",
        "(LOG.c.seq > after) | (LOG.c.seq <= min(after + limit, MAX_SEQ))",
        ("tests/database/test_reading_syncs.py::test_lines_are_of_the_syncs_that_a_viewer_may_see",),
    ),
    Mutant(
        "cursor-at-nobody",
        "A page after an erased person is the first page",
        "patients/pages.py",
        "    if anchor is None:  # the cursor was changed, or the patient was erased\n"
        "        raise refused_cursor(name)\n"
        "    return anchor\n",
        "    return anchor  # type: ignore[return-value]\n",
        ("tests/patients/test_erasing.py::test_a_cursor_at_an_erased_person_is_refused",),
    ),
)
