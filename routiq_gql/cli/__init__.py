"""The command line. Each command has a module; ``main`` turns expected errors into a sentence and an exit code.

Exit codes: 0 done, 1 the work failed, 2 wrong use or settings, 3 the sync was cancelled, 130 stopped with Ctrl-C.
"""

from routiq_gql.cli.program import main

__all__ = ["main"]
