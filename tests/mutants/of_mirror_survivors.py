"""Bugs in syncs, Cliniko's lists and the mirror that a fourth survey planted and no test had found."""

from tests.mutants.mutant import Mutant

OF_MIRROR_SURVIVORS = (
    Mutant(
        "unreadable-of-other-list",
        "If inactive practitioners are read in passes, active ones that can't be read leave the mirror",
        "cliniko/practitioners.py",
        "del unreadable[before:]",
        "unreadable.clear()",
        ("tests/cliniko/test_any_list.py::test_practitioners_of_both_lists_are_found",),
    ),
    Mutant(
        "unordered-page-resumed",
        "Attendees of a large class are missing if Cliniko has refused a long list of classes before",
        "cliniko/matching.py",
        "if first is not None and not (first.remaining and order is _NO_ORDER):",
        "if first is not None:",
        ("tests/cliniko/test_any_list.py::test_rows_of_many_classes_are_all_found",),
    ),
    Mutant(
        "look-continues-after-429",
        "A look whose first request met the rate limit sends its others at once",
        "cliniko/rationing.py",
        "        self._turns = 0  # of a look whose first request was refused\n",
        "",
        ("tests/cliniko/test_turns_of_looks.py::test_each_request_has_a_turn_of_its_own",),
    ),
    Mutant(
        "figures-mix-lists",
        "A receipt counts a class that has vanished as updated if an appointment with its id was",
        "database/counting.py",
        "    if target.kind is not None:\n        replaced = replaced.where(own.c.kind == target.kind)\n",
        "",
        ("tests/database/test_shared_ids.py::test_no_figure_mixes_lists_that_share_a_table",),
    ),
    Mutant(
        "attendees-of-two-comparisons",
        "Between two comparisons a receipt shows no attendees in the mirror beside those that Cliniko counted",
        "sync/reconcile/reconciler.py",
        "in_mirror=before.in_mirror if one.list == ATTENDEES.name else one.in_mirror,",
        "in_mirror=one.in_mirror,",
        ("tests/engines/test_comparing_in_parts.py::test_each_look_compares_a_part_of_the_lists",),
    ),
    Mutant(
        "times-by-fractions",
        "Some appointments are stored a millisecond before their start in Cliniko",
        "database/stored_versions.py",
        "return (value - _EPOCH) // _MILLISECOND",
        "return int((value - _EPOCH).total_seconds() * 1000)",
        ("tests/database/test_stored_times.py::test_a_time_is_the_same_millisecond_wherever_it_is_stored",),
    ),
)
