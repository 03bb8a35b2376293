"""Bugs in looks at Cliniko and in time-only syncs. Lives of the simulator must find those without a test."""

from tests.mutants.mutant import Mutant

_SAME_TIME = "tests/engines/test_shared_key.py::test_looks_at_the_same_time_repeat_requests_within_the_share"

OF_SIMULATED_LOOKS = (
    Mutant(
        "repeats-not-counted",
        "Requests that a look repeats do not count in its share",
        "sync/rationed.py",
        "            self._ration.note(count)\n",
        "",
        (_SAME_TIME,),
    ),
    Mutant(
        "repeats-beside-each-other",
        "Two organizations with the same API key repeat requests without regard to each other",
        "sync/rationed.py",
        "                self._ration.note_others(_sent_by(sharers))\n",
        "",
        (_SAME_TIME,),
    ),
    Mutant(
        "time-only-leaves-one",
        "A time-only sync leaves out the last patient who is due",
        "database/time_only.py",
        'return list((await connection.execute(query, {"mirror": mirror, "now": moment})).scalars())',
        'return list((await connection.execute(query, {"mirror": mirror, "now": moment})).scalars())[:-1]',
    ),
    Mutant(
        "time-only-at-any-time",
        "A time-only sync is judged as of the time before it",
        "engines/time_only.py",
        '        "analyzed_at": moment,\n',
        '        "analyzed_at": base.analyzed_at or moment,\n',
    ),
)
