"""A temporary PostgreSQL for the tests, started by the first test that needs it, and a database for each test.

All workers of a test run share one server and one template; `SharedServer` starts it once and the main process stops
it. ``ROUTIQ_TEST_POSTGRES_URL`` names a server to use instead; its user must be allowed to create databases. Without
either, tests that need PostgreSQL are skipped on a user's machine and fail in CI.
"""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import psycopg
import pytest
from filelock import FileLock
from sqlalchemy import make_url

from tests.machine import leave_out, memory_folder
from tests.ports import free_port
from tests.tables import make_tables

PATIENCE_SECONDS = 60
SERVER_URL = os.environ.get("ROUTIQ_TEST_POSTGRES_URL", "")
"""Read at import, since tests see no settings from outside."""


def _find(program: str) -> Path:
    found = shutil.which(program)
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3]))
    if not found and not newest:
        leave_out(f"{program} is not installed; PostgreSQL is needed for what runs on more than one machine")
    return Path(found) if found else newest[-1]


def _user() -> dict[str, str | int]:
    """The user to run as: PostgreSQL refuses to run as root."""
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
    """A server on loopback with its data in a temporary folder, which is removed when the block is left.

    Args:
        options: Further settings, such as ``work_mem=8MB``.
        on_disk: Whether the data must be on a disk, as for a benchmark.
    """

    def __init__(self, *options: str, on_disk: bool = False) -> None:
        self._options = " ".join(f"-c {option}" for option in options)
        self._programs = {name: _find(name) for name in ("initdb", "postgres", "pg_ctl")}
        self._as = _user()
        prefix = "routiq-postgres-"
        self.folder = Path(tempfile.mkdtemp(prefix=prefix)) if on_disk else memory_folder(prefix)
        self._port = 0
        if self._as:
            os.chown(self.folder, self._as["user"], self._as["group"])

    def __enter__(self) -> Self:
        try:
            self._run("initdb", "-D", self._data, "-U", "routiq", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
            for attempt in range(3):
                self._port = free_port()
                try:
                    self.start()
                except AssertionError:  # another process took the port
                    if attempt == 2:
                        raise
                    continue
                break
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.remove()

    @classmethod
    def started_elsewhere(cls, folder: str) -> Self:
        """The cluster that another process of this test run has started, for `remove`."""
        cluster = cls()
        cluster.folder.rmdir()
        cluster.folder = Path(folder)
        return cluster

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """The address of its first database, in SQLAlchemy's form."""
        return f"postgresql+psycopg://routiq@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        # The data need not survive a power cut; it survives a kill of the server without fsync, too.
        options = (
            f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off "
            "-c full_page_writes=off -c max_connections=600 -c shared_buffers=64MB -c autovacuum_naptime=10s "
            "-c min_wal_size=32MB -c max_wal_size=256MB "
            f"{self._options}"
        )
        self._run(
            "pg_ctl", "start", "-w", "-t", str(PATIENCE_SECONDS), "-D", self._data, "-l", self._log, "-o", options
        )

    def stop(self) -> None:
        """Stop immediately, which looks like a power cut to programs."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-t", str(PATIENCE_SECONDS), "-D", self._data)

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @property
    def _log(self) -> str:
        return str(self.folder / "log")

    def _run(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile() as output:  # not a pipe, which the server would keep open
            done = subprocess.run(
                [str(self._programs[program]), *arguments],
                **self._as,
                cwd=self.folder,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                stdout=output,
                stderr=output,
            )
            output.seek(0)
            assert done.returncode == 0, output.read().decode(errors="replace")


class SharedServer:
    """One PostgreSQL and one template for all workers of a test run, described in a file of the run's folder."""

    def __init__(self, folder: Path) -> None:
        self._state = folder / "postgres.json"
        self._lock = FileLock(folder / "postgres.lock")

    def databases(self) -> "Databases":
        """The server's databases for a worker. The first call starts the server and makes the template."""
        with self._lock:
            if not self._state.exists():
                cluster = None if SERVER_URL else Cluster().__enter__()
                url = SERVER_URL or cluster.url
                # Written before the template is made, so that the server is stopped in any case.
                state = {"url": url, "folder": "" if cluster is None else str(cluster.folder), "template": ""}
                self._state.write_text(json.dumps(state))
                self._state.write_text(json.dumps({**state, "template": _make_template(url)}))
            state = json.loads(self._state.read_text())
        assert state["template"], "an earlier test could not make the tables"
        return Databases(state["url"], state["template"])

    def close(self) -> None:
        """Stop the server, or clean up a server that is not ours. For the main process, after its workers."""
        if not self._state.exists():
            return
        state = json.loads(self._state.read_text())
        if state["folder"]:
            Cluster.started_elsewhere(state["folder"]).remove()
        elif state["template"]:
            Databases(state["url"]).drop_named(state["template"])


def _make_template(server_url: str) -> str:
    url = Databases(server_url).create()
    make_tables(url)
    return str(make_url(url).database)


class Databases:
    """Makes databases on a server, empty or as copies of ``template``, which has all tables."""

    def __init__(self, server_url: str, template: str = "") -> None:
        self._server = make_url(server_url)
        self.template = template
        self._made: list[str] = []

    def create(self, template: str = "template1") -> str:
        """A new database's URL."""
        name = f"routiq_test_{uuid4().hex[:12]}"
        # Copying the files takes half of the processor time of logging their pages, which is PostgreSQL's default.
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        self._made.append(name)
        return self.url_of(name)

    def url_of(self, name: str) -> str:
        return self._server.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        name = str(make_url(url).database)
        self.drop_named(name)
        self._made.remove(name)

    def drop_named(self, name: str) -> None:
        # A killed process may still have its connections open.
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def drop_all(self) -> None:
        for name in list(self._made):
            self.drop(self.url_of(name))

    def _execute(self, statement: str) -> None:
        plain = self._server.set(drivername="postgresql").render_as_string(hide_password=False)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with psycopg.connect(plain, autocommit=True) as connection:
                    connection.execute(statement)
            except psycopg.errors.ObjectInUse:  # a connection to the template is just being closed
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return
