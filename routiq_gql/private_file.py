"""Writes small files that are for their owner only, whole or not at all: encryption keys, and who may ask.

When ``write_private`` returns, file and name are on the disk: a power cut brings back neither an earlier file nor none.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from routiq_gql.errors import SettingsError


def write_private(path: Path, text: str, name: str, publish: Callable[[str, Path], None] = os.replace) -> None:
    """Write the file with mode 0600; ``publish`` gives it its place, ``name`` is what the error calls it.

    Raises:
        SettingsError: It can't be written.
        FileExistsError: ``publish`` found another one there and leaves it.
    """
    try:
        with NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:  # made with mode 0600
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                publish(file.name, path)
            finally:
                with suppress(FileNotFoundError):  # replaced, it has moved
                    os.unlink(file.name)
        _store_names(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise SettingsError(f"The {name} {path} can't be written: {os.strerror(error.errno or 0)}.") from None


def _store_names(folder: Path) -> None:
    """Have the disk keep which names are in the folder; a rename alone is in memory only."""
    if os.name != "posix":  # other systems can't open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems have no such thing
            raise
    finally:
        os.close(descriptor)
