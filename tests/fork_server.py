"""Imports ``routiq-gql`` once, then forks a process for each request; started and used by ``forked``.

Importing takes most of the processor time of a short command, and tests start hundreds of them.
"""

import gc
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
import time
from importlib import import_module

MAX_REQUEST_BYTES = 128 * 1024

LATER_IMPORTED = (
    "jwt",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "routiq_gql.api.auth.issued_tokens",
    "routiq_gql.cliniko.transport",
    "routiq_gql.database.migrating",
    "routiq_gql.engines.postgres.bus",
    "routiq_gql.engines.postgres.engine",
    "routiq_gql.engines.postgres.pacing",
)
"""Modules that commands import when they need them; all others come with the commands."""


def import_all() -> None:
    commands = import_module("routiq_gql.cli.commands")
    for one in commands.COMMANDS:
        commands.load(one.name)
    for module in LATER_IMPORTED:
        import_module(module)
    gc.collect()
    gc.freeze()


def serve(requests: socket.socket) -> tuple[str, list[str]] | None:
    """Fork for each request until the other side closes ``requests``; then return ``None``.

    Returns a module and its arguments in each forked process. The server sends the process id and later the exit code
    to the socket that comes with a request.
    """
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for ready in select.select([requests.fileno(), *running], [], [])[0]:
            if ready != requests.fileno():
                pid, ended = running.pop(ready)
                os.close(ready)
                with ended:
                    ended.sendall(b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                continue
            request, received, _flags, _address = socket.recv_fds(requests, MAX_REQUEST_BYTES, 4)
            if not request:
                return None
            module, arguments, folder, environment = json.loads(request)
            status, *streams = received
            pid = os.fork()
            if pid == 0:
                for inherited in (requests, *(ended for _pid, ended in running.values())):
                    inherited.detach()  # the next line closes all descriptors
                become(folder, environment, streams)
                return module, arguments
            for one in streams:
                os.close(one)
            ended = socket.socket(fileno=status)
            ended.sendall(b"%d" % pid)
            running[os.pidfd_open(pid)] = pid, ended


def become(folder: str, environment: dict[str, str], streams: list[int]) -> None:
    """Be as a process that was started with this folder, environment and streams, and no other descriptors."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 1024)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    time.tzset()
    is_unbuffered = bool(environment.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = os.fdopen(0, closefd=False)
    written = os.fdopen(1, "wb", 0 if is_unbuffered else -1, closefd=False)
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(written, write_through=is_unbuffered)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal of the tests
    _requests = socket.socket(fileno=int(sys.argv[1]))
    import_all()
    if (_wanted := serve(_requests)) is not None:
        _module, sys.argv[1:] = _wanted
        runpy.run_module(_module, run_name="__main__", alter_sys=True)
