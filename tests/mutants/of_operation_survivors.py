"""Bugs of logs, limits, traces and tokens that no test found: "Bugs without a prepared test" in ``docs/proof.md``."""

from tests.mutants.mutant import Mutant

OF_OPERATION_SURVIVORS = (
    Mutant(
        "new-outage-is-silent",
        "A task that fails for the same reason a day after its recovery logs nothing",
        "supervision.py",
        "                self._pause = 0.0\n                self._logged_failures.clear()\n",
        "                self._pause = 0.0\n",
        ("tests/test_supervision.py::test_each_outage_is_logged_once_for_each_reason",),
    ),
    Mutant(
        "events-behind-queries",
        "The events of an organization's subscriptions wait behind its queries",
        "api/admission.py",
        "using(self._watch_shares.of(bucket))",
        "using(self._shares.of(bucket))",
        ("tests/api/test_admission.py::test_operations_and_events_of_each_organization_have_shares_of_their_own",),
    ),
    Mutant(
        "second-sync-of-a-second",
        "Without authentication, requests for the second sync of a second do not count for its organization",
        "api/admission.py",
        r'\d{8}_\d{6}(?:_\d+)?"',
        r'\d{8}_\d{6}"',
        ("tests/api/test_admission.py::test_each_id_counts_for_the_organization_that_it_names",),
    ),
    Mutant(
        "all-traces-recorded",
        "A trace that its caller does not record is recorded in the syncs that the caller starts",
        "tracing/carriers.py",
        "{context.trace_flags:02x}",
        "01",
        ("tests/tracing/test_carriers.py::test_a_span_is_stored_as_the_caller_has_named_it",),
    ),
    Mutant(
        "token-lost-by-revoking",
        "A token that is made while another one is revoked is lost",
        "security/token_file.py",
        "        with self._changing():\n            by_id = dict(self._read())\n            if",
        "        by_id = dict(self._read())\n        with self._changing():\n            if",
        ("tests/security/test_changed_by_two.py::test_each_change_keeps_the_change_that_came_just_before",),
    ),
    Mutant(
        "document-id-in-a-link",
        "Without authentication, a link of another site executes a query that it names by its id",
        "api/guard.py",
        'not NAMING_PARAMETERS.isdisjoint(QueryParams(scope["query_string"]))',
        '"query" in QueryParams(scope["query_string"])',
        ("tests/api/test_guard.py::test_a_page_elsewhere_can_have_nothing_executed_blindly",),
    ),
)
