"""The folder of the demo, ``./.routiq-demo``: used by a single demo at a time, and emptied on request."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from routiq_gql.errors import SettingsError

FOLDER = Path(".routiq-demo")
LOCK_NAME = "demo.lock"
DATABASE_URL = f"sqlite+aiosqlite:///./{FOLDER}/routiq.db"


@contextmanager
def claim_demo_folder(*, fresh: bool) -> Iterator[None]:
    """Lock the demo's folder for this process, and create it if missing; ``fresh`` removes the data of earlier runs.

    Raises:
        SettingsError: Another demo uses it, or it is not writable.
    """
    lock = _claim(fresh=fresh)
    try:
        yield
    finally:
        lock.release()


def _claim(*, fresh: bool) -> FileLock:
    try:
        FOLDER.mkdir(exist_ok=True)
        lock = FileLock(FOLDER / LOCK_NAME)
        lock.acquire(blocking=False)
        if fresh:
            for file in FOLDER.iterdir():
                if file.is_file() and file.name != LOCK_NAME:
                    file.unlink()
    except Timeout:
        raise SettingsError(
            f"Another demo runs here and holds ./{FOLDER}. Stop it first, or start this one in another folder."
        ) from None
    except OSError as error:
        raise SettingsError(
            f"The demo keeps its database in {FOLDER.absolute()}, which can't be written to "
            f"({error.strerror or 'input or output failed'}). Change to a folder of your own and start it there."
        ) from None
    return lock
