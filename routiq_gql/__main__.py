"""The entry point of ``routiq-gql`` and ``python -m routiq_gql``.

Sets a handler for SIGTERM before any other import. The first process of a container has no default handler, so the
kernel would ignore a SIGTERM during the imports, and the container would be killed half a minute later.

Garbage is not collected until the command is loaded: imports leave next to none, and collections take a tenth of the
time that they take.
"""

import gc
import os
import signal
from types import FrameType


def _end(number: int, _frame: FrameType | None) -> None:
    """End as if there were no handler; nothing is open yet."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # the first process of a container survives its signal


signal.signal(signal.SIGTERM, _end)
gc.disable()  # until cli.commands has loaded the command

from routiq_gql.cli import main  # noqa: E402

__all__ = ["main"]

if __name__ == "__main__":
    main()
