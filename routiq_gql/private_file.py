"""Reads and writes small files that only their owner may write: encryption keys and tokens.

They are written completely or not at all. A file that other users could have written is refused.
When ``write_private`` returns, file and name are on the disk: after a power cut the file is neither old nor missing.
"""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from routiq_gql.errors import SettingsError


def check_only_owner_writes(path: Path, found: os.stat_result, name: str) -> None:
    """Raise if a user other than this user and root may write or replace the file.

    Args:
        found: From ``fstat`` of the open file.
        name: The name of the file in the error.

    Raises:
        SettingsError: Another user may.
    """
    if os.name != "posix":
        return
    if found.st_uid not in {0, os.geteuid()}:
        raise SettingsError(
            f"The {name} {path} belongs to another user (uid {found.st_uid}). Run this as that user, or check its "
            "content and change its owner with chown."
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(
            f"Other users may write the {name} {path} (mode {stat.S_IMODE(found.st_mode):o}). Check its content, "
            f"then run: chmod 600 {path}"
        )
    folder = path.absolute().parent
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise SettingsError(
            f"Every user may replace the {name} {path}: its folder has mode {stat.S_IMODE(mode):o}. "
            f"Run: chmod o-w {folder}"
        )


def write_private(path: Path, text: str, name: str, publish: Callable[[str, Path], None] = os.replace) -> None:
    """Write the file with mode 0600; ``publish`` moves it into place, ``name`` is its name in the error.

    Raises:
        SettingsError: It can't be written.
        FileExistsError: ``publish`` found an existing file and left it alone.
    """
    try:
        with NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:  # made with mode 0600
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                publish(file.name, path)
            finally:
                with suppress(FileNotFoundError):  # moved by ``os.replace``
                    os.unlink(file.name)
        _store_names(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise SettingsError(f"The {name} {path} can't be written: {os.strerror(error.errno or 0)}.") from None


def _store_names(folder: Path) -> None:
    """Flush the folder's entries to the disk; a rename alone is only in memory."""
    if os.name != "posix":  # other systems can't open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems don't support it
            raise
    finally:
        os.close(descriptor)
