"""A throwaway PostgreSQL for the tests, started at the first test that needs one, and a database for each test.

``ROUTIQ_TEST_POSTGRES_URL`` names a server to use instead; its user must be allowed to create databases. Where there
is neither, tests that need one are left out on somebody's machine and fail in CI.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

PATIENCE_SECONDS = 60
IN_CI = os.environ.get("CI", "") not in {"", "0", "false"}
SERVER_URL = os.environ.get("ROUTIQ_TEST_POSTGRES_URL", "")
"""Read when this is imported: tests themselves see no setting from outside."""


def _find(program: str) -> Path:
    found = shutil.which(program)
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3]))
    if found or newest:
        return Path(found) if found else newest[-1]
    reason = f"{program} is not installed; PostgreSQL is needed for what runs on more than one machine"
    if IN_CI:
        pytest.fail(reason)
    pytest.skip(reason)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _user() -> dict[str, str | int]:
    """Whom to run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            known = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": known.pw_uid, "group": known.pw_gid, "extra_groups": []}
    pytest.fail("This is root, and there is neither a user postgres nor nobody to run PostgreSQL as")


class Cluster:
    """A server on loopback with its data in a temporary folder. Leave the block and nothing of it is left."""

    def __init__(self) -> None:
        self._programs = {name: _find(name) for name in ("initdb", "postgres", "pg_ctl")}
        self._as = _user()
        self._folder = Path(tempfile.mkdtemp(prefix="routiq-postgres-"))
        self._port = 0
        if self._as:
            os.chown(self._folder, self._as["user"], self._as["group"])

    def __enter__(self) -> Self:
        try:
            self._run("initdb", "-D", self._data, "-U", "routiq", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
            for attempt in range(3):
                self._port = _free_port()
                try:
                    self.start()
                except AssertionError:  # somebody was faster with the port
                    if attempt == 2:
                        raise
                    continue
                break
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """The address of its first database, in SQLAlchemy's form."""
        return f"postgresql+psycopg://routiq@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        # Nothing here has to survive a power cut; a kill of the server is survived without fsync too.
        options = (
            f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off "
            "-c full_page_writes=off -c max_connections=300 -c shared_buffers=64MB -c autovacuum_naptime=10s"
        )
        self._run(
            "pg_ctl", "start", "-w", "-t", str(PATIENCE_SECONDS), "-D", self._data, "-l", self._log, "-o", options
        )

    def stop(self) -> None:
        """As a power cut does, as far as programs see it."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-t", str(PATIENCE_SECONDS), "-D", self._data)

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    @property
    def _log(self) -> str:
        return str(self._folder / "log")

    def _run(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile() as output:  # not a pipe, which the server would keep open
            done = subprocess.run(
                [str(self._programs[program]), *arguments],
                **self._as,
                cwd=self._folder,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                stdout=output,
                stderr=output,
            )
            output.seek(0)
            assert done.returncode == 0, output.read().decode(errors="replace")


class Databases:
    """Makes databases on one server, each a copy of a template that has all tables."""

    def __init__(self, server_url: str) -> None:
        self._server = make_url(server_url)
        self._made: list[str] = []

    def create(self, template: str = "template1") -> str:
        """A new database's URL."""
        name = f"routiq_test_{uuid4().hex[:12]}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        self._made.append(name)
        return self._server.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        name = make_url(url).database
        # A process that was killed may still have its connections open.
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._made.remove(name)

    def drop_all(self) -> None:
        for name in list(self._made):
            self.drop(self._server.set(database=name).render_as_string(hide_password=False))

    def _execute(self, statement: str) -> None:
        plain = self._server.set(drivername="postgresql").render_as_string(hide_password=False)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with psycopg.connect(plain, autocommit=True) as connection:
                    connection.execute(statement)
            except psycopg.errors.ObjectInUse:  # somebody's connection to the template is just being closed
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return
