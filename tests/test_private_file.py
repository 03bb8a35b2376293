"""Files with keys and tokens: a reader finds the old or the new content at any moment, and a failure leaves the old."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from routiq_gql.errors import SettingsError
from routiq_gql.private_file import write_private

STEPS = ("fsync", "replace", "fsync")
"""The calls of the system in their order: the content, the name, the folder."""


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Called after each step; may raise."""
    observers: list[Callable[[], object]] = []

    def observed(name: str) -> Callable[..., None]:
        real = getattr(os, name)

        def call(*arguments: object) -> None:
            real(*arguments)
            for observe in observers:
                observe()

        return call

    for name in set(STEPS):
        monkeypatch.setattr(os, name, observed(name))
    return observers


def _write(path: Path, text: str) -> None:
    write_private(path, text, "token file", lambda source, target: os.replace(source, target))


def test_a_reader_finds_a_whole_file_after_each_step(tmp_path: Path, steps: list[Callable[[], object]]):
    """Old until the name is replaced, then new, and readable by its owner only."""
    path, seen = tmp_path / "tokens", []
    for old, new in (("", "first\n"), ("first\n", "x" * 100_000), ("x" * 100_000, "last\n")):
        steps[:] = [lambda: seen.append(path.read_text() if path.exists() else "")]
        seen.clear()
        _write(path, new)
        assert seen == [old, new, new]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), OSError(errno.EIO, "I/O"), KeyboardInterrupt]
)
@pytest.mark.parametrize("failing", range(len(STEPS)))
def test_a_failure_at_each_step_leaves_a_whole_file_and_no_other(
    tmp_path: Path, steps: list[Callable[[], object]], failing: int, error: BaseException | type[BaseException]
):
    """A full disk and Ctrl-C leave the old content, or the new one once it has its name, and no part of a file."""
    path = tmp_path / "tokens"
    _write(path, "old")
    left = failing

    def fail() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            steps.clear()
            raise error

    steps.append(fail)
    with pytest.raises((SettingsError, KeyboardInterrupt)):
        _write(path, "new")
    assert path.read_text() == ("old" if failing == 0 else "new")
    assert list(tmp_path.iterdir()) == [path]
