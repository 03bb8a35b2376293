"""What this machine has: a folder in memory; and programs, without which a test is skipped, or failed in CI."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

LEFT_OUT = (pytest.skip.Exception, pytest.fail.Exception)
"""The exceptions of ``leave_out``, for programs that use it outside of a test."""


def leave_out(reason: str) -> NoReturn:
    """Skip the test, or fail it with ``CI=true``."""
    if os.environ.get("CI", "") not in {"", "0", "false"}:
        pytest.fail(reason)
    pytest.skip(reason)


SHARED_MEMORY = Path("/dev/shm")
LEAST_FREE_BYTES = 2 * 2**30
"""Containers often have 64 MiB of shared memory, too little for the databases of tests."""


def memory_folder(prefix: str) -> Path:
    """A new folder whose files are kept in memory, where the machine has enough of it.

    A new PostgreSQL database consists of 340 files. Creating them on ext4 takes up to ten times the processor time.
    """
    has_room = os.access(SHARED_MEMORY, os.W_OK) and shutil.disk_usage(SHARED_MEMORY).free > LEAST_FREE_BYTES
    return Path(tempfile.mkdtemp(prefix=prefix, dir=SHARED_MEMORY if has_room else None))
