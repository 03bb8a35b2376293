"""Later bugs that no test found when they were first planted; see ``docs/proof.md``, "Bugs without a prepared test"."""

from tests.mutants.mutant import Mutant

OF_UNSEEN_LATER = (
    Mutant(
        "pending-forgotten-first",
        "An interruption leaves out the bookings of merged patients that had to be read again",
        "sync/drafting.py",
        "            for resource in (INDIVIDUAL_APPOINTMENTS, ATTENDEES):\n"
        "                await self._read_again(resource, patient_in, patients)\n"
        "            await self._forget(patients=patients)\n",
        "            await self._forget(patients=patients)\n"
        "            for resource in (INDIVIDUAL_APPOINTMENTS, ATTENDEES):\n"
        "                await self._read_again(resource, patient_in, patients)\n",
        ("tests/sync/test_pending.py::test_an_interruption_at_any_request_repeats_what_has_to_be_read_again",),
    ),
    Mutant(
        "digests-for-ever",
        "What looks remember of a clinic grows with each edit",
        "sync/looking.py",
        "kept = (known & current) | stored",
        "kept = known | stored",
        ("tests/engines/test_found_pages.py::test_looks_remember_what_they_saw_last_only",),
    ),
    Mutant(
        "ration-never-grows",
        "Each look begins the wait for the whole share again, so it stays halved after a rate limit",
        "sync/rationed.py",
        "        return {}, since\n",
        "        return {}, now\n",
        ("tests/engines/test_ration.py::test_half_of_the_share_is_taken_for_some_minutes",),
    ),
    Mutant(
        "limit-of-a-sync-forgotten",
        "A look's sync that meets no rate limit gives looks their whole share back at once",
        "sync/rationed.py",
        '{"spent": self._ration.sent}',
        '{"spent": self._ration.sent, "allowance": None}',
        ("tests/engines/test_ration.py::test_half_of_the_share_is_taken_for_some_minutes",),
    ),
    Mutant(
        "burst-of-a-look",
        "On PostgreSQL the turns that a look takes together count as one",
        "engines/postgres/pacing.py",
        'values["early"] = self._step * (BURST - count)',
        'values["early"] = early',
        ("tests/engines/postgres/test_pacing.py::test_turns_that_are_taken_together_count_like_single_ones",),
    ),
    Mutant(
        "unreadable-counted-twice",
        "Unreadable rows of a range that is read again count twice",
        "cliniko/lists.py",
        "last, read, unreadable = before.start, read - before.rows, unreadable - before.unreadable",
        "last, read = before.start, read - before.rows",
        ("tests/cliniko/test_lists.py::test_unreadable_rows_of_a_range_that_is_read_again_count_once",),
    ),
    Mutant(
        "no-growing-wait",
        "A short wait that Cliniko asks for replaces the growing waits",
        "cliniko/retries.py",
        "seconds = max(backoff.growing(max(tried, 1)), asked)",
        "seconds = asked or backoff.growing(max(tried, 1))",
        ("tests/cliniko/test_client.py::test_a_wait_that_an_answer_asks_for_is_the_least",),
    ),
    Mutant(
        "old-requests-of-others",
        "Requests that another organization noted with a wrong clock keep looks waiting",
        "cliniko/rationing.py",
        " < one <= now + 1000]",
        " < one]",
        ("tests/engines/test_refreshing.py::test_requests_of_other_organizations_count_like_own_ones",),
    ),
    Mutant(
        "merged-on-the-same-page",
        "A page that shows that a patient is an erased person is stored with that patient",
        "database/keep_out.py",
        "origins={**erased.origins, **new}",
        "origins=erased.origins",
        ("tests/patients/test_erasing.py::test_a_page_that_shows_a_merge_is_stored_without_the_person",),
    ),
    Mutant(
        "failed-looks-vanish",
        "Failed syncs of looks leave the history after a week",
        "database/pruning.py",
        "SYNC.c.refresh & ~in_history() & (SYNC",
        "SYNC.c.refresh & (SYNC",
        ("tests/database/test_pruning.py::test_what_a_history_or_a_mirror_shows_is_kept",),
    ),
    Mutant(
        "failed-fetch-not-noted",
        "While the issuer of tokens fails, each request asks it again",
        "security/jwks.py",
        "        self._tried_at = time.monotonic()\n"
        "        try:\n"
        "            async with asyncio.timeout(FETCH_SECONDS):\n"
        "                keys = _read(await self._download())\n",
        "        try:\n"
        "            async with asyncio.timeout(FETCH_SECONDS):\n"
        "                keys = _read(await self._download())\n"
        "            self._tried_at = time.monotonic()\n",
        ("tests/api/auth/test_issued_tokens.py::test_an_issuer_that_fails_is_asked_once_in_a_while",),
    ),
    Mutant(
        "url-of-before",
        "A webhook's new address is not used before its turn ends",
        "webhooks/delivering.py",
        "row, outgoing = locked, await next_outgoing(connection, locked)",
        "outgoing = await next_outgoing(connection, locked)",
        ("tests/webhooks/test_delivering.py::test_changes_during_an_attempt_hold_for_the_next_event",),
    ),
    Mutant(
        "new-url-old-failures",
        "A webhook's new address is disabled by its first failure",
        "webhooks/registry.py",
        '            if is_new_url:\n                values["failing_since"] = None\n',
        "",
        ("tests/webhooks/test_delivering.py::test_failures_of_before_do_not_count",),
    ),
    Mutant(
        "more-than-the-limit",
        "A command prints more entries than its limit",
        "cli/webhooks.py",
        "first = min(limit - len(found), LARGEST_SIZE)",
        "first = min(limit, LARGEST_SIZE)",
        ("tests/cli/test_limit_options.py::test_a_limit_is_the_number_of_entries",),
    ),
)
