"""``python -m tests.engines.postgres.histories FILE``: checks the history that a failed run has written."""

import sys
from pathlib import Path

from tests.engines.postgres.histories.checker import report, violations
from tests.engines.postgres.histories.records import History

found = violations(History.read(Path(sys.argv[1])))
print(report(found, most=100) or "All promises hold.")
sys.exit(bool(found))
