"""Bugs in looks at Cliniko and in time-only syncs. Lives of the simulator must find them."""

from tests.mutants.mutant import Mutant

OF_SIMULATED_LOOKS = (
    Mutant(
        "repeats-not-counted",
        "Requests that a look repeats do not count in its share",
        "sync/rationed.py",
        '{"spent": sent} if sent[-1:] != known[-1:] else {}',
        "{}",
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
