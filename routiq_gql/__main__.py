"""The program's entry, for ``routiq-gql`` and for ``python -m routiq_gql``.

It handles SIGTERM before anything else is imported. The first process of a container has no default handler, so the
kernel drops a SIGTERM that comes while the imports run, and the container is killed half a minute later.
"""

import os
import signal
from types import FrameType


def _end(number: int, _frame: FrameType | None) -> None:
    """End as without a handler; nothing is open yet."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # the first process of a container survives its own signal


signal.signal(signal.SIGTERM, _end)

from routiq_gql.cli import main  # noqa: E402

__all__ = ["main"]

if __name__ == "__main__":
    main()
