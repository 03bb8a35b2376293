"""Keeps servers and the load apart: the servers on one processor core, the load on another."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


class CoreShortage(Exception):
    """This machine can't run the live part; the message is a sentence."""


@cache
def allowed_cores() -> tuple[int, ...]:
    """The cores that this process might use at the first call, in their order.

    Raises:
        CoreShortage: This is not Linux, whose ``epoll`` the load needs.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise CoreShortage("The live part of the benchmark needs Linux, as its load waits with epoll.")
    return tuple(sorted(os.sched_getaffinity(0)))


def server_core() -> int:
    return allowed_cores()[0]


@contextmanager
def keep_apart() -> Iterator[None]:
    """Keep this process to the core of the load while the block runs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {allowed_cores()[-1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def describe_cores() -> str:
    """A sentence for the tables."""
    cores = allowed_cores()
    if len(cores) == 1:
        return "Servers and load share the only core, so rates are those of both together."
    return f"Servers ran on core {cores[0]}, the load on core {cores[-1]}."


RESERVED_FILES = 300


def most_sockets() -> int:
    """How many sockets a process may open at most."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 1_000_000 if hard == resource.RLIM_INFINITY else hard - RESERVED_FILES


def raise_file_limit() -> None:
    """Raise this process's limit of open files as far as the system allows; children inherit it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
