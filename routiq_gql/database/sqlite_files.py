"""Detects that a file of an open SQLite database was deleted or replaced.

SQLite keeps using a file that was deleted or replaced, while each new connection opens the new file at the path: the
process would serve two databases. So the files are compared by device and inode. Nothing here opens the database file
directly, since closing it would release SQLite's locks on it.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from routiq_gql.errors import DatabaseFileLost

SUFFIXES = ("", "-wal", "-shm")
"""The database, its write-ahead log, and the index of that. Source: SQLite, "Write-Ahead Logging"."""


class SqliteFiles:
    """The files of a database, kept by a connection that never reads or writes a table.

    While it is open, no other connection is the last to close and deletes the write-ahead log. So all three files stay
    the same while the process lives.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._holder: sqlite3.Connection | None = None
        self._known: dict[str, tuple[int, int]] = {}
        self._lost: str | None = None

    @property
    def uri(self) -> str:
        """The address that connections open. Once the files are held, a missing file is not created again."""
        return f"file:{quote(str(self._path.absolute()))}?mode={'rw' if self._known else 'rwc'}"

    def hold(self, timeout_seconds: float) -> None:
        """Open the database and remember its files.

        Raises:
            sqlite3.Error: It can't be opened.
        """
        if self._holder is not None:
            return
        holder = sqlite3.connect(self.uri, uri=True, timeout=timeout_seconds, check_same_thread=False)
        try:
            holder.isolation_level = None
            holder.execute("PRAGMA journal_mode = WAL").close()
            holder.execute("SELECT count(*) FROM sqlite_schema").close()  # from now on the files are in use
            holder.execute("PRAGMA busy_timeout = 0").close()  # ``data_version`` must not block the event loop
        except BaseException:
            holder.close()
            raise
        self._holder = holder
        self._known = {suffix: identity for suffix in SUFFIXES if (identity := self._identity(suffix)) is not None}

    def release(self) -> None:
        """Allow the last connection to delete the write-ahead log. The database file must stay the same."""
        holder, self._holder = self._holder, None
        if holder is not None:
            holder.close()
        self._known = {suffix: identity for suffix, identity in self._known.items() if not suffix}

    def check(self) -> None:
        """Raise if a file was deleted or replaced since it was opened.

        Raises:
            DatabaseFileLost: A file was; after the first time, every check raises it.
        """
        if self._lost is None:
            for suffix, known in self._known.items():
                found = self._identity(suffix)
                if found != known:
                    what = "deleted" if found is None else "replaced"
                    self._lost = (
                        f"{self._path}{suffix} was {what} while this process was using it. Nothing more is written. "
                        "Stop every process on this database, put the right file in place without old -wal and -shm "
                        "files, and start again."
                    )
                    break
        if self._lost is not None:
            raise DatabaseFileLost(self._lost)

    def data_version(self) -> int | None:
        """A number that changes with every commit of another connection; ``None`` while it can't be read.

        All writers are other connections, in this process as well as in others. ``None`` also after ``check`` has found
        that a file is lost: a lost file never changes again. ``check`` itself would triple the cost of this call.

        Source: SQLite, "PRAGMA data_version".
        """
        if self._holder is None or self._lost is not None:
            return None
        try:
            cursor = self._holder.execute("PRAGMA data_version")
            version: int = cursor.fetchone()[0]
            cursor.close()  # an open cursor would keep its view of the database
        except sqlite3.Error:
            return None
        return version

    def _identity(self, suffix: str) -> tuple[int, int] | None:
        with suppress(FileNotFoundError, NotADirectoryError):
            found = os.stat(f"{self._path}{suffix}")
            return found.st_dev, found.st_ino
        return None
