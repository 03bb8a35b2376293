"""The order of the tests: slow tests first, so that no worker begins a long test when the others have finished."""

from collections.abc import Sequence
from typing import TypeVar

import pytest

T = TypeVar("T")


def start_slow_tests_first(items: list[pytest.Item], workers: int) -> None:
    """Give each worker of pytest-xdist its share of the tests marked ``slow``, at the beginning of its work.

    ``--dist worksteal`` cuts the list into one block for each worker, and later moves tests from the end of one block
    to a worker without work. The other tests stay in their order, as neighbours share fixtures.
    """
    if workers == 1:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    quick = [item for item in items if not item.get_closest_marker("slow")]
    items[:] = [item for block in blocks(slow, quick, workers) for item in block]


def blocks(slow: Sequence[T], quick: Sequence[T], workers: int) -> list[list[T]]:
    """The work of each worker at the start."""
    made, left, total = [], list(quick), len(slow) + len(quick)
    for worker in range(workers):
        share = list(slow[worker::workers])
        size = total // (workers - worker)
        total -= size
        fill = max(size - len(share), 0)
        made.append([*share, *left[:fill]])
        del left[:fill]
    made[-1].extend(left)
    return made
