"""Files with keys and tokens: a reader finds the old or the new content at any moment, and a failure leaves the old."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import nullcontext
from itertools import product
from pathlib import Path

import pytest

from routiq_gql.errors import SettingsError
from routiq_gql.private_file import check_only_owner_writes, write_private

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


def test_a_file_that_others_may_write_or_replace_is_refused(tmp_path: Path):
    """Every mode of the file and of its folder: in a sticky folder, such as /tmp, each user replaces own files only."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "tokens"
    path.touch()
    group, others, sticky = stat.S_IWGRP, stat.S_IWOTH, stat.S_ISVTX
    for file_mode, folder_mode in product(
        product((0, group), (0, others)), product((0, group), (0, others), (0, sticky))
    ):
        path.chmod(0o644 | sum(file_mode))
        folder.chmod(0o755 | sum(folder_mode))
        is_refused = any(file_mode) or (others in folder_mode and sticky not in folder_mode)
        with pytest.raises(SettingsError, match=r"chmod (600|o-w)") if is_refused else nullcontext():
            check_only_owner_writes(path, path.stat(), "token file")


@pytest.mark.parametrize("owner", [-1, 0, 1])
def test_a_file_of_another_user_is_refused(tmp_path: Path, owner: int):
    """This user's files and those of the administrator are accepted, whatever their modes for reading."""
    path = tmp_path / "tokens"
    path.touch()
    uid = os.geteuid() + 1 if owner < 0 else os.geteuid() * owner
    found = os.stat_result((0o100644, 0, 0, 1, uid, 0, 0, 0, 0, 0))
    if owner < 0:
        with pytest.raises(SettingsError, match=f"belongs to another user .uid {uid}."):
            check_only_owner_writes(path, found, "token file")
    else:
        check_only_owner_writes(path, found, "token file")
