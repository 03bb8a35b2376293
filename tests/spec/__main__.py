"""``make spec``: explores the models, finds their planted faults, and prints states and times. Exits with 1 otherwise.

With a word, only those whose line holds it: ``python -m tests.spec Mirror``.
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.spec import tlc
from tests.spec.models import EXPLORED, PLANTED, Bounds, Planted


def main() -> int:
    chosen = sys.argv[1] if len(sys.argv) > 1 else ""
    wanted = [one for one in (*EXPLORED, *PLANTED) if chosen in _line(one)]
    wrong = [one for one in wanted if not _check(one)]
    print(f"{len(wanted) - len(wrong)} of {len(wanted)} as expected.")
    return 1 if wrong or not wanted else 0


def _line(one: Bounds | Planted) -> str:
    return f"{one.model}: {one.name if isinstance(one, Bounds) else one.fault}"


def _check(one: Bounds | Planted) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result = tlc.check(one, Path(folder), workers=2 if isinstance(one, Bounds) else 1)
    print(f"{_line(one)}\n    {result.states:,} distinct states in {time.monotonic() - began:.1f} s; ", end="")
    if isinstance(one, Bounds):
        is_right = result.is_complete and result.states >= one.states
        print("all explored, nothing violated" if is_right else f"{result.left} left, violated: {result.violated}")
    else:
        is_right = result.violated == one.violated and result.has_path(one.path)
        print(f"{result.violated} is violated by {', '.join(result.path[1:])}")
    if not is_right:
        print(result.output)
    return is_right


if __name__ == "__main__":
    sys.exit(main())
