"""Bugs in the heart of the product that a sixth survey planted and no test had found; see ``docs/proof.md``."""

from tests.mutants.mutant import Mutant

OF_CORE_SURVIVORS = (
    Mutant(
        "events-of-other-clinic",
        "Erasing a patient deletes the events about another clinic's patient with the same number",
        "database/webhook_events.py",
        "    own = (WEBHOOK_EVENT.c.organization_id == organization) & WEBHOOK_EVENT.c.type.in_(sorted(OF_PATIENTS))\n"
        "    return (await",
        "    own = WEBHOOK_EVENT.c.type.in_(sorted(OF_PATIENTS))\n    return (await",
        ("tests/database/test_erasure.py::test_an_erased_person_takes_nothing_of_anyone_else",),
    ),
    Mutant(
        "result-of-other-operation",
        "Of two operations of a document that are open at the same time, one gets the results of the other",
        "api/graphql/shared/operations.py",
        "document, name, json.dumps(variables or {}, sort_keys=True), viewer.visibility)\n"
        "        operation = self._open.get(request)",
        "document, name, json.dumps(variables or {}, sort_keys=True), viewer.visibility)\n"
        "        alike = (one for one in self._open if replace(one, operation_name=name) == request)\n"
        "        operation = self._open.get(next(alike, request))",
        ("tests/api/graphql/shared/test_any_request.py::test_only_requests_that_are_alike_share_an_operation",),
    ),
    Mutant(
        "looks-read-drafts",
        "A look takes the rows that a failed sync has stored for published ones, so their changes are not shown",
        "database/refreshes.py",
        "target.of(mirror.number), visible(target.table, mirror.number, mirror.sync), among(",
        "target.current(mirror.number), among(",
        ("tests/database/test_unseen_drafts.py::test_no_lookup_shows_rows_that_are_not_published",),
    ),
    Mutant(
        "late-mark-of-look",
        "What changes between a look and the late beginning of its sync is not shown",
        "sync/preparing.py",
        "mark=mark_at(now, found.looked_at, mirror.mark,",
        "mark=mark_at(now, None, mirror.mark,",
        ("tests/engines/test_late_syncs.py::test_no_change_between_a_look_and_its_late_sync_is_lost",),
    ),
    Mutant(
        "left-behind-last-slice",
        "A patient who is gone stays in lists, if the number is higher than those of all others",
        "patients/analysis.py",
        "(after, CURRENT if following is None else following))",
        "(after, ids[-1] if ids else CURRENT))",
        ("tests/patients/test_analysis.py::test_patients_who_leave_the_mirror_leave_every_list",),
    ),
    Mutant(
        "batch-resumes-wider",
        "Attendees are missing after an interruption, if Cliniko had refused to list so many classes at once",
        "sync/source.py",
        "between = Covered(above=place.batch_after, up_to=place.batch_to or None)",
        "between = Covered(above=place.batch_after)",
        ("tests/sync/test_attendee_batches.py::test_a_batch_that_is_interrupted_lacks_no_attendee",),
    ),
)
